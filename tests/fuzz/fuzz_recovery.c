/* A data folder with any bytes in its files: checking changes nothing; opening either refuses and
 * changes nothing, or finds what the check found, and finds the same the next time.
 *
 * Because of the checksums most inputs would be refused early. So half of the inputs have their
 * records sealed: each record gets its own offset, the folder's id and correct checksums; its other
 * fields stay as they are.
 */
#include "crc32c.h"
#include "file_ops.h"
#include "fuzz.h"
#include "journal.h"
#include "store_csv.h"
#include "store_fixture.h"
#include "tmpdir.h"
#include "winners_csv.h"

#include <fcntl.h>
#include <unistd.h>

enum { BETS, JOURNAL, WINNERS }; /* in the order of folder_names */

/* The first byte of an input. */
enum flags { NO_BETS = 1, NO_JOURNAL = 2, NO_WINNERS = 4, SEALED = 8 };

/* Offsets of the fields of a record that sealing reads or changes; see docs/disk-format.md. */
enum { AT_TYPE = 4, AT_DATA = 24, AT_SIZE = 32, AT_DATA_CRC = 36, AT_SELF = 48, AT_ID = 56 };

struct found {
    enum status status;
    struct store_report report;
    uint64_t received[STORE_AGENCIES + 1];
    bool has_finished[STORE_AGENCIES + 1];
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

static void seal_record(const struct folder *folder, size_t at)
{
    unsigned char *record = folder->bytes[JOURNAL] + at;

    put(record + AT_SELF, at, 8);
    memcpy(record + AT_ID, folder->bytes[JOURNAL] + AT_ID, 8);
    if (record[AT_TYPE] == JOURNAL_BETS && folder->bytes[BETS] != NULL) {
        uint64_t from = get(record + AT_DATA, 8);
        uint64_t size = get(record + AT_SIZE, 4);
        if (from <= folder->sizes[BETS] && size <= folder->sizes[BETS] - from)
            put(record + AT_DATA_CRC, crc32c(0, folder->bytes[BETS] + from, size), 4);
    }
    if (record[AT_TYPE] == JOURNAL_DRAW && folder->bytes[WINNERS] != NULL) {
        put(record + AT_DATA, folder->sizes[WINNERS], 8);
        put(record + AT_DATA_CRC, crc32c(0, folder->bytes[WINNERS], folder->sizes[WINNERS]), 4);
    }
    put(record, crc32c(0, record + AT_TYPE, JOURNAL_RECORD_SIZE - AT_TYPE), 4);
}

static void seal(const struct folder *folder)
{
    size_t size = folder->sizes[JOURNAL];

    if (folder->bytes[JOURNAL] == NULL || size < JOURNAL_START)
        return;
    seal_record(folder, 0);
    seal_record(folder, JOURNAL_HEADER_B);
    for (size_t at = JOURNAL_START; at + JOURNAL_RECORD_SIZE <= size; at += JOURNAL_RECORD_SIZE)
        seal_record(folder, at);
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

/* flags | size of bets.csv u16 | size of the journal u16 | bets.csv | journal | winners.csv */
static struct folder make_folder(struct fuzz_input input)
{
    struct folder folder = {{NULL}, {0}};
    uint8_t flags = fuzz_byte(&input);
    size_t bets_size = (size_t)fuzz_uint(&input, 2);
    size_t journal_size = (size_t)fuzz_uint(&input, 2);

    if ((flags & NO_BETS) == 0)
        take_file(&input, &folder, BETS, bets_size);
    if ((flags & NO_JOURNAL) == 0)
        take_file(&input, &folder, JOURNAL, journal_size);
    if ((flags & NO_WINNERS) == 0)
        take_file(&input, &folder, WINNERS, input.size);
    if ((flags & SEALED) != 0)
        seal(&folder);
    return folder;
}

static struct found check(void)
{
    struct found found = {.status = STATUS_OK};
    struct errbuf err = {{0}};

    found.status = data_dir_check(dir, STORE_AGENCIES, &ops, &found.report, found.received,
                                  found.has_finished, &err);
    FUZZ_CHECK((found.status == STATUS_OK) == (err.text[0] == '\0'));
    return found;
}

static enum status open_and_close(struct store_report *report)
{
    struct data_dir *data_dir;
    struct errbuf err = {{0}};

    enum status status = data_dir_open(dir, STORE_AGENCIES, &ops, &data_dir, report, &err);
    FUZZ_CHECK((status == STATUS_OK) == (err.text[0] == '\0'));
    if (status == STATUS_OK)
        data_dir_close(data_dir);
    return status;
}

/* Checks that both reports describe the same lottery. Does not compare how much was cut. */
static void check_same(const struct store_report *a, const struct store_report *b)
{
    FUZZ_CHECK(a->bets == b->bets && a->bets_bytes == b->bets_bytes);
    FUZZ_CHECK(a->journal_bytes == b->journal_bytes && a->finished == b->finished);
    FUZZ_CHECK(a->has_draw == b->has_draw && a->winners == b->winners);
}

static void check_opening(const struct folder *folder)
{
    bool is_new = folder->bytes[JOURNAL] == NULL && folder->sizes[BETS] == 0;
    struct found before = check();
    struct store_report report;

    FUZZ_CHECK(folder_equals(dir, folder));
    enum status status = open_and_close(&report);
    if (status != STATUS_OK) {
        FUZZ_CHECK(before.status != STATUS_OK && !is_new);
        FUZZ_CHECK(folder_equals(dir, folder));
        return;
    }
    FUZZ_CHECK(is_new || before.status == STATUS_OK);
    if (!is_new)
        check_same(&before.report, &report);
    struct found after = check();
    FUZZ_CHECK(after.status == STATUS_OK);
    FUZZ_CHECK(after.report.bets_cut == 0 && after.report.journal_cut == 0);
    check_same(&report, &after.report);
    for (size_t i = 1; !is_new && i <= STORE_AGENCIES; i++)
        FUZZ_CHECK(before.received[i] == after.received[i] &&
                   before.has_finished[i] == after.has_finished[i]);
    FUZZ_CHECK(open_and_close(&report) == STATUS_OK);
    check_same(&report, &after.report);
}

/* Any bytes as winners.csv, with a record that matches them. */
static void read_winners(const struct folder *folder)
{
    size_t size = folder->sizes[WINNERS];
    struct winner_list winners;
    struct errbuf err;

    if (folder->bytes[WINNERS] == NULL)
        return;
    struct journal_record record = {.data_at = size,
                                    .data_crc = crc32c(0, folder->bytes[WINNERS], size)};
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(fd >= 0);
    if (winners_csv_read(&ops, fd, &record, &winners, &err) == STATUS_OK) {
        for (size_t i = 0; i < winners.count; i++)
            FUZZ_CHECK(winners.items[i].document_size >= 1 &&
                       winners.items[i].document_size <= BET_DOCUMENT_MAX);
        winner_list_fini(&winners);
    }
    (void)close(fd);
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
    read_winners(&folder);
    check_opening(&folder);
    folder_free(&folder);
    return 0;
}
