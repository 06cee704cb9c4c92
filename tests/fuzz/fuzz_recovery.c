/* A data directory with any bytes in its files: checking changes nothing; opening either refuses
 * and changes nothing, or finds what the check found, and finds the same the next time.
 *
 * Because of the checksums most inputs would be refused early. So half of the inputs have their
 * records sealed: each record gets its own offset, the file's stamp and correct checksums, and
 * bets continue where the ones before them end; a number gets the root that the last seal had; an
 * extension gets its size. Other fields stay as they are.
 */
#include "commit.h"
#include "crc32c.h"
#include "fuzz.h"
#include "journal.h"
#include "store_csv.h"
#include "store_fixture.h"
#include "tmpdir.h"

#include <stdlib.h>
#include <string.h>

/* The first byte of an input. */
enum flags { NO_BETS = 1, NO_JOURNAL = 2, NO_WINNERS = 4, SEALED = 8, FORMAT_2 = 16 };

/* Offsets in headers and records that sealing reads or changes; see docs/disk-format.md. */
enum { HEADER_CRC = 8, HEADER_VERSION = 12, HEADER_STAMP = 16 };
enum { AT_SIZE = 4, AT_TYPE = 8, AT_FLAGS = 9, AT_SELF = 16, AT_STAMP = 24, AT_BODY = 48 };
enum { BETS_DATA_AT = 56, BETS_BYTES = 72, BETS_CRC = 76, CHECKPOINT_CRC = 56, STAMP = 7 };
enum { DRAWN_SHORT = 80, DRAWN_ROOT = 88, DRAWN_LONG = 120, SEALED_ROOT = 56, ROOT_SIZE = 32 };
enum { CHECKPOINT_BETS = 48, CHECKPOINT_AGENCIES = 64, TABLES = 168 };

struct found {
    enum status status;
    struct store_csv_report report;
    struct draw draw;
};

static char *dir;
static struct file_ops ops;

static void put(unsigned char *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get(const unsigned char *at, unsigned bytes)
{
    struct fuzz_input input = {at, bytes};

    return fuzz_uint(&input, bytes);
}

static void seal_header(unsigned char *header)
{
    memcpy(header, "LOTJRNL\n", 8);
    put(header + HEADER_VERSION, 2, 4);
    put(header + HEADER_STAMP, STAMP, 8);
    put(header + HEADER_CRC,
        crc32c(0, header + HEADER_VERSION, JOURNAL_HEADER_SIZE - HEADER_VERSION), 4);
}

/* Where bets.csv is while its records are sealed. */
struct extent {
    const struct folder *folder;
    uint64_t size;
    uint32_t crc;
    unsigned char root[ROOT_SIZE]; /* of the last seal */
};

/* Follows bytes of the file, as many as there are. */
static void follow_file(struct extent *extent, uint64_t size)
{
    uint64_t all = extent->folder->sizes[BETS_FILE];
    uint64_t left = all > extent->size ? all - extent->size : 0;

    if (left > size)
        left = size;
    if (left > 0)
        extent->crc = crc32c(extent->crc, extent->folder->bytes[BETS_FILE] + extent->size, left);
    extent->size += size;
}

/* The size of the body of a record; that of some is what its size says, if it can be. */
static size_t body_size(const unsigned char *record)
{
    static const size_t sizes[] = {0, 8, 8, 32, 16, 64, 32, 40, 24};
    unsigned type = record[AT_TYPE];
    uint64_t size = get(record + AT_SIZE, 4);
    bool is_any = type == DRAW_OPENED || type == DRAW_DRAWING || type == DRAW_ACT;

    if (is_any && size > AT_BODY && size <= JOURNAL_FIXED_MAX && size % 8 == 0)
        return (size_t)size - AT_BODY;
    return type < sizeof(sizes) / sizeof(sizes[0]) ? sizes[type] : 0;
}

/* A number belongs to the last seal. */
static void seal_root(struct extent *extent, unsigned char *record, size_t size)
{
    if (record[AT_TYPE] == DRAW_SEALING)
        memcpy(extent->root, record + SEALED_ROOT, ROOT_SIZE);
    if (record[AT_TYPE] == DRAW_DRAWING && size >= DRAWN_LONG)
        memcpy(record + DRAWN_ROOT, extent->root, ROOT_SIZE);
}

/* Seals the record at `at`; returns its size, 0 at the end. */
static size_t seal_record(struct extent *extent, size_t at)
{
    unsigned char *record = extent->folder->bytes[JOURNAL_FILE] + at;
    size_t left = extent->folder->sizes[JOURNAL_FILE] - at;
    size_t fixed = left < AT_BODY ? 0 : AT_BODY + body_size(record);
    size_t size = fixed;

    if (fixed <= AT_BODY || fixed > left)
        return 0;
    if (record[AT_TYPE] == DRAW_OPENED || record[AT_TYPE] == DRAW_AGENCIES)
        put(record + AT_BODY, record[AT_BODY], 4); /* a few agencies are enough */
    if (record[AT_TYPE] == DRAW_BETS) {
        uint64_t bytes = get(record + BETS_BYTES, 4) % 4096;
        put(record + BETS_DATA_AT, extent->size, 8);
        put(record + BETS_BYTES, bytes, 4);
        size_t padded = (size_t)(bytes + 7) / 8 * 8;
        if ((record[AT_FLAGS] & 1) != 0 && padded <= left - fixed) {
            size += padded;
            extent->crc = crc32c(extent->crc, record + fixed, bytes);
            extent->size += bytes;
        } else {
            record[AT_FLAGS] = 0;
            follow_file(extent, bytes);
        }
        put(record + BETS_CRC, extent->crc, 4);
    } else {
        record[AT_FLAGS] = 0;
    }
    seal_root(extent, record, fixed);
    put(record + AT_SIZE, size, 4);
    put(record + AT_SELF, at, 8);
    put(record + AT_STAMP, STAMP, 8);
    put(record, crc32c(0, record + AT_SIZE, fixed - AT_SIZE), 4);
    return size;
}

/* Gives the extension of a checkpoint its size; its seal is the one that a later number has. */
static void seal_extension(struct extent *extent, unsigned char *record, size_t size)
{
    uint64_t agencies = get(record + CHECKPOINT_AGENCIES, 4);
    uint64_t begin = TABLES + agencies * 8 + (agencies * 4 + 7) / 8 * 8 + (agencies + 7) / 8 * 8;

    if (record[AT_FLAGS] != 2 || begin + 8 > size)
        return;
    put(record + begin, size - begin - 8, 8);
    for (uint64_t at = begin + 8; at + 8 <= size; at += 8 + get(record + at + 4, 4)) {
        if (get(record + at, 4) == DRAW_SEALING && size - at >= 8 + 40)
            memcpy(extent->root, record + at + 16, ROOT_SIZE);
    }
}

/* Seals the checkpoint; returns its size, 0 when the journal is too short. */
static size_t seal_checkpoint(struct extent *extent)
{
    unsigned char *record = extent->folder->bytes[JOURNAL_FILE] + JOURNAL_START;
    size_t all = extent->folder->sizes[JOURNAL_FILE];
    size_t size;

    if (all < JOURNAL_START + TABLES)
        return 0;
    size = (size_t)get(record + AT_SIZE, 4);
    if (size > all - JOURNAL_START || size < TABLES)
        return 0;
    follow_file(extent, get(record + AT_BODY, 8) % 4096);
    put(record + AT_BODY, extent->size, 8);
    put(record + CHECKPOINT_CRC, extent->crc, 4);
    seal_extension(extent, record, size);
    put(record + AT_SELF, JOURNAL_START, 8);
    put(record + AT_STAMP, STAMP, 8);
    put(record, crc32c(0, record + AT_SIZE, size - AT_SIZE), 4);
    return size;
}

static void seal(const struct folder *folder)
{
    struct extent extent = {.folder = folder};
    size_t at = JOURNAL_START;

    if (folder->sizes[JOURNAL_FILE] < JOURNAL_START)
        return;
    seal_header(folder->bytes[JOURNAL_FILE]);
    seal_header(folder->bytes[JOURNAL_FILE] + JOURNAL_HEADER_B);
    for (size_t size = seal_checkpoint(&extent); size > 0; size = seal_record(&extent, at))
        at += size;
}

static void take_file(struct fuzz_input *input, struct folder *folder, size_t file, size_t size)
{
    if (size > input->size)
        size = input->size;
    folder->sizes[file] = size;
    folder->bytes[file] = malloc(size + 1);
    FUZZ_CHECK(folder->bytes[file] != NULL);
    memcpy(folder->bytes[file], input->data, size);
    input->data += size;
    input->size -= size;
}

/* Puts the parts of a journal of format 2 - two headers, then records - to their places. */
static void spread_journal(struct folder *folder)
{
    unsigned char *parts = folder->bytes[JOURNAL_FILE];
    size_t size = folder->sizes[JOURNAL_FILE];
    size_t records = size > 2 * JOURNAL_HEADER_SIZE ? size - 2 * JOURNAL_HEADER_SIZE : 0;
    unsigned char *journal = calloc(1, JOURNAL_START + records);

    FUZZ_CHECK(journal != NULL);
    if (records > 0) {
        memcpy(journal, parts, JOURNAL_HEADER_SIZE);
        memcpy(journal + JOURNAL_HEADER_B, parts + JOURNAL_HEADER_SIZE, JOURNAL_HEADER_SIZE);
        memcpy(journal + JOURNAL_START, parts + 2 * JOURNAL_HEADER_SIZE, records);
    }
    free(parts);
    folder->bytes[JOURNAL_FILE] = journal;
    folder->sizes[JOURNAL_FILE] = JOURNAL_START + records;
}

/* flags | size of bets.csv u16 | size of the journal u16 | bets.csv | journal | winners.csv */
static struct folder make_folder(struct fuzz_input input)
{
    struct folder folder = {{NULL}, {0}};
    uint8_t flags = fuzz_byte(&input);
    size_t bets_size = (size_t)fuzz_uint(&input, 2);
    size_t journal_size = (size_t)fuzz_uint(&input, 2);

    if ((flags & NO_BETS) == 0)
        take_file(&input, &folder, BETS_FILE, bets_size);
    if ((flags & NO_JOURNAL) == 0)
        take_file(&input, &folder, JOURNAL_FILE, journal_size);
    if ((flags & NO_WINNERS) == 0)
        take_file(&input, &folder, WINNERS_FILE, input.size);
    if ((flags & NO_JOURNAL) == 0 && (flags & FORMAT_2) != 0) {
        spread_journal(&folder);
        if ((flags & SEALED) != 0)
            seal(&folder);
    }
    return folder;
}

static struct found check(void)
{
    struct found found = {.status = STATUS_OK};
    struct data_dir data_dir;
    struct errbuf err = {{0}};

    draw_init(&found.draw);
    FUZZ_CHECK(data_dir_open_check(dir, &ops, &data_dir, &err) == STATUS_OK);
    found.status = store_csv_check(&data_dir, &found.draw, &found.report, &err);
    FUZZ_CHECK((found.status == STATUS_OK) == (err.text[0] == '\0'));
    data_dir_close(&data_dir);
    return found;
}

static struct found open_and_close(void)
{
    struct found found = {.status = STATUS_OK};
    struct data_dir data_dir;
    struct store *store;
    struct errbuf err = {{0}};

    draw_init(&found.draw);
    FUZZ_CHECK(data_dir_open(dir, &ops, &data_dir, &err) == STATUS_OK);
    struct store_csv_config config = {.data_dir = &data_dir,
                                      .opened = {.agencies = 10000, .winner_number = STORE_NUMBER},
                                      .limits = &store_small_limits};
    found.status = store_csv_open(&config, &found.draw, &store, &found.report, &err);
    FUZZ_CHECK((found.status == STATUS_OK) == (err.text[0] == '\0'));
    if (found.status == STATUS_OK)
        store_close(store);
    data_dir_close(&data_dir);
    return found;
}

/* Checks that both describe the same draw. Does not compare how much was torn. */
static void check_same(const struct found *a, const struct found *b)
{
    FUZZ_CHECK(a->report.bets_size == b->report.bets_size);
    FUZZ_CHECK(a->draw.phase == b->draw.phase && a->draw.agencies == b->draw.agencies);
    FUZZ_CHECK(a->draw.bets == b->draw.bets && a->draw.finished == b->draw.finished);
    FUZZ_CHECK(a->draw.drawn.winners == b->draw.drawn.winners);
    FUZZ_CHECK(memcmp(a->draw.drawn.root, b->draw.drawn.root, DRAW_ROOT_SIZE) == 0);
    FUZZ_CHECK(a->draw.drawn.source.size == b->draw.drawn.source.size &&
               memcmp(a->draw.source, b->draw.source, a->draw.drawn.source.size) == 0);
    FUZZ_CHECK(a->draw.closed.uid == b->draw.closed.uid && a->draw.closed.by == b->draw.closed.by);
    FUZZ_CHECK(a->draw.terms.mode == b->draw.terms.mode &&
               a->draw.terms.close_at_s == b->draw.terms.close_at_s &&
               a->draw.terms.has_seal == b->draw.terms.has_seal &&
               strcmp(a->draw.terms.id, b->draw.terms.id) == 0);
    FUZZ_CHECK(a->draw.is_sealed == b->draw.is_sealed &&
               memcmp(a->draw.sealed.root, b->draw.sealed.root, DRAW_ROOT_SIZE) == 0);
    FUZZ_CHECK(a->draw.acts_count == b->draw.acts_count);
    for (size_t i = 0; i < a->draw.acts_count; i++) {
        struct text text = a->draw.acts[i]->text;
        FUZZ_CHECK(text.size == b->draw.acts[i]->text.size &&
                   memcmp(text.data, b->draw.acts[i]->text.data, text.size) == 0);
    }
    /* Never a number without a seal, where there has to be one. */
    FUZZ_CHECK(a->draw.phase != DRAW_DRAWN || a->draw.is_sealed == a->draw.terms.has_seal);
    for (uint32_t i = 1; i <= a->draw.agencies; i++)
        FUZZ_CHECK(a->draw.agency[i].received == b->draw.agency[i].received &&
                   a->draw.agency[i].checksum == b->draw.agency[i].checksum &&
                   a->draw.agency[i].has_finished == b->draw.agency[i].has_finished);
}

/* What is wrong with the bets of the checkpoint or the winners' files only the check sees. */
static void check_opening(const struct folder *folder)
{
    bool is_new = folder->bytes[JOURNAL_FILE] == NULL && folder->sizes[BETS_FILE] == 0;
    struct found before = check();

    FUZZ_CHECK(folder_equals(dir, folder));
    struct found opened = open_and_close();
    if (opened.status != STATUS_OK) {
        FUZZ_CHECK(before.status != STATUS_OK && !is_new);
        FUZZ_CHECK(folder_equals(dir, folder));
    } else {
        FUZZ_CHECK(is_new || before.status == STATUS_OK || before.status == STATUS_DAMAGED ||
                   before.status == STATUS_NOTFOUND);
        struct found after = check();
        struct found again = open_and_close();
        FUZZ_CHECK(again.status == STATUS_OK && again.report.bets_torn == 0 &&
                   again.report.journal_torn == 0);
        check_same(&opened, &again);
        if (!is_new && before.status == STATUS_OK)
            check_same(&before, &opened);
        if (after.status == STATUS_OK) /* sealed lines need not be lines */
            check_same(&after, &opened);
        draw_fini(&after.draw);
        draw_fini(&again.draw);
    }
    draw_fini(&before.draw);
    draw_fini(&opened.draw);
}

static int no_sync(int fd)
{
    (void)fd;
    return 0;
}

static void remove_dir(void)
{
    tmpdir_remove(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_silence_log();
    fuzz_fix_clock();
    ops = file_ops_system;
    ops.fdatasync = no_sync;
    dir = tmpdir_make();
    FUZZ_CHECK(atexit(remove_dir) == 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct folder folder = make_folder((struct fuzz_input){data, size});

    folder_write(dir, &folder);
    check_opening(&folder);
    folder_free(&folder);
    return 0;
}
