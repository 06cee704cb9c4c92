#include "alloc_fault.h"
#include "cmocka_all.h"
#include "crc32c.h"
#include "fault_file_ops.h"
#include "recovery.h"
#include "tmpdir.h"
#include "winner_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD 64
#define RECORDS_AT 1024
#define HEADER_B 512
#define ID UINT64_C(0x1122334455667788)

enum { HEADER = 1, BETS = 2, FINISHED = 3, DRAW = 4 };

/* A folder of version 1 and what was read from it. */
struct fixture {
    char *path;           /* owned */
    struct data_dir dir;  /* not locked */
    char *journal;        /* owned */
    size_t journal_size;  /* bytes */
    char *bets;           /* owned */
    size_t bets_size;     /* bytes */
    uint64_t received[9]; /* of each agency, by the records that were added */
    struct draw_opened opened;
    bool (*must_stop)(void);
    struct draw draw;
    struct recovery recovery;
    struct errbuf err;
};

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));

    assert_non_null(self);
    fault_reset();
    self->path = tmpdir_make();
    self->dir = (struct data_dir){.ops = &fault_file_ops, .path = self->path, .old_lock_fd = -1};
    self->dir.fd = open(self->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(self->dir.fd >= 0);
    self->opened = (struct draw_opened){.agencies = 2, .winner_number = 7574};
    draw_init(&self->draw);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;

    draw_fini(&self->draw);
    recovery_fini(&self->recovery);
    (void)close(self->dir.fd);
    free(self->journal);
    free(self->bets);
    tmpdir_remove(self->path);
    free(self);
    return 0;
}

/* Replays the journal and the bets, cut to the given sizes. */
static enum status replay_cut(struct fixture *self, size_t journal_size, size_t bets_size)
{
    int journal = openat(self->dir.fd, "bets.journal", O_RDWR | O_CREAT | O_TRUNC, 0600);
    int bets = openat(self->dir.fd, "bets.csv", O_RDWR | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(write(journal, self->journal, journal_size), (ssize_t)journal_size);
    assert_int_equal(write(bets, self->bets, bets_size), (ssize_t)bets_size);
    assert_int_equal(close(journal), 0);
    assert_int_equal(close(bets), 0);
    draw_fini(&self->draw);
    recovery_fini(&self->recovery);
    journal = openat(self->dir.fd, "bets.journal", O_RDONLY | O_CLOEXEC);
    bets = openat(self->dir.fd, "bets.csv", O_RDONLY | O_CLOEXEC);
    assert_true(journal >= 0 && bets >= 0);
    self->recovery = (struct recovery){.data_dir = &self->dir,
                                       .bets_fd = bets,
                                       .journal_fd = journal,
                                       .must_stop = self->must_stop,
                                       .opened = self->opened,
                                       .draw = &self->draw};
    enum status status = recovery_read(&self->recovery, &self->err);
    assert_int_equal(close(journal), 0);
    assert_int_equal(close(bets), 0);
    if (status == STATUS_OK) {
        assert_true(self->recovery.is_version_1);
        assert_int_equal(self->recovery.bets_size, bets_size);
        assert_int_equal(self->recovery.extent.crc,
                         crc32c(0, self->bets, self->recovery.extent.size));
        assert_true(self->recovery.bets_synced <= self->recovery.extent.size);
        assert_true(self->recovery.journal_used >= self->recovery.journal_end);
        assert_true(self->recovery.journal_used <= journal_size);
    }
    return status;
}

static enum status replay(struct fixture *self)
{
    return replay_cut(self, self->journal_size, self->bets_size);
}

static void assert_reason(const struct fixture *self, const char *text)
{
    if (strstr(self->err.text, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, self->err.text);
}

/* A folder that the first release wrote. Both have the same bets: agency 1 has sent 5 in two
 * batches and has finished, agency 2 has sent 7, the last 6 of them in the last batch. */

#define LAST_BATCH 262 /* where it begins in bets.csv */
#define OPEN_END (RECORDS_AT + 5 * RECORD)
#define DRAWN_END (RECORDS_AT + 7 * RECORD)

static void read_file(const char *folder, const char *name, char **out, size_t *size)
{
    char path[512];
    struct stat info;

    (void)snprintf(path, sizeof(path), "%s/%s/%s", DATA_DIR, folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    *size = (size_t)info.st_size;
    *out = malloc(*size + 1);
    assert_non_null(*out);
    assert_int_equal(read(fd, *out, *size), info.st_size);
    assert_int_equal(close(fd), 0);
}

static void read_folder(struct fixture *self, const char *folder)
{
    read_file(folder, "bets.journal", &self->journal, &self->journal_size);
    read_file(folder, "bets.csv", &self->bets, &self->bets_size);
}

static void assert_first_bets(const struct fixture *self)
{
    assert_int_equal(self->draw.agencies, 2);
    assert_int_equal(self->draw.winner_number, 7574);
    assert_int_equal(draw_received(&self->draw, 1), 5);
    assert_int_equal(draw_received(&self->draw, 2), 7);
    assert_int_equal(self->draw.bets, 12);
    assert_true(self->draw.agency[1].has_finished);
    assert_int_equal(self->recovery.extent.size, 542);
}

/* A server that was killed while the draw was open: reserved zeros follow the records, and the last
 * batch is not known to be on disk. */
static void test_open_folder(void **state)
{
    struct fixture *self = *state;

    read_folder(self, "v1-open");
    assert_int_equal(replay(self), STATUS_OK);
    assert_int_equal(self->draw.phase, DRAW_OPEN);
    assert_first_bets(self);
    assert_int_equal(self->draw.finished, 1);
    assert_false(self->draw.agency[2].has_finished);
    assert_int_equal(self->recovery.journal_end, OPEN_END);
    assert_true(self->journal_size > OPEN_END);
    assert_int_equal(self->recovery.journal_used, OPEN_END);
    assert_int_equal(self->recovery.bets_synced, LAST_BATCH);
}

/* A server that was stopped after the draw. */
static void test_drawn_folder(void **state)
{
    struct fixture *self = *state;
    char *winners;
    size_t size;

    read_folder(self, "v1-drawn");
    assert_int_equal(replay(self), STATUS_OK);
    assert_int_equal(self->draw.phase, DRAW_DRAWN);
    assert_first_bets(self);
    assert_int_equal(self->draw.finished, 2);
    assert_int_equal(self->draw.closed.by, DRAW_BY_ALL_FINISHED);
    assert_int_equal(self->draw.closed.bets, 12);
    assert_int_equal(self->draw.closed.extent, 542);
    assert_int_equal(self->draw.closed.time_s, 0);
    assert_int_equal(self->draw.drawn.winner_number, 7574);
    assert_int_equal(self->draw.drawn.winners, 4);
    assert_int_equal(self->draw.drawn.time_s, 0);
    assert_int_equal(self->recovery.journal_end, DRAWN_END);
    assert_int_equal(self->recovery.journal_used, DRAWN_END);
    assert_int_equal(self->recovery.bets_synced, 542);
    read_file("v1-drawn", "winners.csv", &winners, &size);
    assert_int_equal(self->draw.drawn.winners_size, size);
    assert_int_equal(self->draw.drawn.winners_crc, crc32c(0, winners, size));
    free(winners);
}

/* What a draw was held with counts, not what the settings say since. */
static void test_drawn_with_other_settings(void **state)
{
    struct fixture *self = *state;

    read_folder(self, "v1-drawn");
    self->opened = (struct draw_opened){.agencies = 10000, .winner_number = 1};
    assert_int_equal(replay(self), STATUS_OK);
    assert_int_equal(self->draw.phase, DRAW_DRAWN);
    assert_first_bets(self);
    self->opened.agencies = 1;
    assert_int_equal(replay(self), STATUS_INVALID);
    assert_string_equal(self->err.text,
                        "bets.journal: has bets of agency 2, but LOTTERY_AGENCIES is 1: raise it,"
                        " or choose another folder");
}

/* In an open draw the settings count. */
static void test_open_with_other_settings(void **state)
{
    struct fixture *self = *state;

    read_folder(self, "v1-open");
    self->opened = (struct draw_opened){.agencies = 7, .winner_number = 1};
    assert_int_equal(replay(self), STATUS_OK);
    assert_int_equal(self->draw.agencies, 7);
    assert_int_equal(self->draw.winner_number, 1);
    assert_int_equal(draw_received(&self->draw, 7), 0);
}

/* The journal at every length. No header is known to cover the records of the open folder, so
 * what is missing was a torn tail; all of the other one is known to have been on disk. */
static void test_every_journal_length(void **state)
{
    struct fixture *self = *state;

    for (int drawn = 0; drawn < 2; drawn++) {
        free(self->journal);
        free(self->bets);
        read_folder(self, drawn == 1 ? "v1-drawn" : "v1-open");
        for (size_t size = 0; size <= self->journal_size; size++) {
            size_t records = size < RECORDS_AT ? 0 : (size - RECORDS_AT) / RECORD;
            size_t most = drawn == 1 ? 7 : 5;
            bool is_damaged = size < RECORDS_AT || (drawn == 1 && records < most);
            assert_int_equal(replay_cut(self, size, self->bets_size),
                             is_damaged ? STATUS_DAMAGED : STATUS_OK);
            if (is_damaged) {
                assert_reason(self, size < RECORD       ? "no valid header at byte 0 or 4096"
                                    : size < RECORDS_AT ? "within its header"
                                                        : "although it was on disk before");
                assert_reason(self, "copy");
                continue;
            }
            const uint64_t bets[] = {0, 3, 4, 6, 6, 12};
            uint64_t expected = records < most ? bets[records] : 12;
            assert_int_equal(self->draw.bets, expected);
            assert_int_equal(self->recovery.journal_end,
                             RECORDS_AT + RECORD * (records < most ? records : most));
        }
    }
}

/* bets.csv at every length: only the last batch of the open folder may be missing. */
static void test_every_bets_length(void **state)
{
    struct fixture *self = *state;

    for (int drawn = 0; drawn < 2; drawn++) {
        free(self->journal);
        free(self->bets);
        read_folder(self, drawn == 1 ? "v1-drawn" : "v1-open");
        for (size_t size = 0; size <= self->bets_size; size++) {
            bool is_whole = size == self->bets_size;
            bool is_damaged = !is_whole && (drawn == 1 || size < LAST_BATCH);
            assert_int_equal(replay_cut(self, self->journal_size, size),
                             is_damaged ? STATUS_DAMAGED : STATUS_OK);
            if (is_damaged) {
                char reason[64];
                (void)snprintf(reason, sizeof(reason), "bets.csv: bets missing at byte %zu,", size);
                assert_reason(self, reason);
                continue;
            }
            assert_int_equal(self->draw.bets, is_whole ? 12 : 6);
            assert_int_equal(self->recovery.extent.size, is_whole ? 542 : LAST_BATCH);
            assert_int_equal(self->recovery.journal_end, is_whole && drawn == 1 ? DRAWN_END
                                                         : is_whole             ? OPEN_END
                                                                    : OPEN_END - RECORD);
            assert_int_equal(self->recovery.journal_used, drawn == 1 ? DRAWN_END : OPEN_END);
        }
    }
}

/* Every flipped bit of the journal: in a record, the valid part ends there, which is damage unless
 * it is the last one of the open folder; one bad header does not matter, nor do the zeros. */
static void test_every_flipped_bit_of_the_journal(void **state)
{
    struct fixture *self = *state;

    for (int drawn = 0; drawn < 2; drawn++) {
        size_t end = drawn == 1 ? DRAWN_END : OPEN_END;
        free(self->journal);
        free(self->bets);
        read_folder(self, drawn == 1 ? "v1-drawn" : "v1-open");
        for (size_t bit = 0; bit < 8 * self->journal_size; bit++) {
            size_t byte = bit / 8;
            if (byte == end + 2 * RECORD)
                break;
            self->journal[byte] = (char)(self->journal[byte] ^ (1 << bit % 8));
            bool is_header = byte < RECORDS_AT;
            bool is_last = drawn == 0 && byte >= end - RECORD;
            enum status status = replay(self);
            if (!is_header && !is_last) {
                char reason[64];
                size_t at = byte / RECORD * RECORD;
                (void)snprintf(reason, sizeof(reason), ": invalid record at byte %zu,", at);
                assert_int_equal(status, STATUS_DAMAGED);
                assert_reason(self, reason);
            } else {
                assert_int_equal(status, STATUS_OK);
                assert_int_equal(self->draw.bets, byte >= end - RECORD && byte < end ? 6 : 12);
                assert_int_equal(self->recovery.journal_used, byte < end ? end : byte + 1);
            }
            self->journal[byte] = (char)(self->journal[byte] ^ (1 << bit % 8));
        }
    }
}

static void test_every_flipped_bit_of_the_bets(void **state)
{
    struct fixture *self = *state;

    for (int drawn = 0; drawn < 2; drawn++) {
        free(self->journal);
        free(self->bets);
        read_folder(self, drawn == 1 ? "v1-drawn" : "v1-open");
        for (size_t bit = 0; bit < 8 * self->bets_size; bit++) {
            self->bets[bit / 8] = (char)(self->bets[bit / 8] ^ (1 << bit % 8));
            enum status status = replay(self);
            if (drawn == 0 && bit / 8 >= LAST_BATCH) {
                assert_int_equal(status, STATUS_OK);
                assert_int_equal(self->recovery.extent.size, LAST_BATCH);
            } else {
                assert_int_equal(status, STATUS_DAMAGED);
                assert_reason(self, "bets.csv: checksum mismatch in the batch at byte ");
            }
            self->bets[bit / 8] = (char)(self->bets[bit / 8] ^ (1 << bit % 8));
        }
    }
}

/* Folders that this test writes, record by record. */

struct record {
    unsigned type;
    uint32_t agency;
    uint32_t count;
    uint64_t received;
    uint64_t data_at;
    uint32_t data_size;
    uint32_t data_crc;
    uint64_t synced;
    uint64_t at;
    uint64_t id;
};

static void put(char *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (char)(value >> (8 * i));
}

static void encode(const struct record *record, char *out)
{
    memset(out, 0, RECORD);
    out[4] = (char)record->type;
    out[5] = 1;
    put(out + 8, record->agency, 4);
    put(out + 12, record->count, 4);
    put(out + 16, record->received, 8);
    put(out + 24, record->data_at, 8);
    put(out + 32, record->data_size, 4);
    put(out + 36, record->data_crc, 4);
    put(out + 40, record->synced, 8);
    put(out + 48, record->at, 8);
    put(out + 56, record->id, 8);
    put(out, crc32c(0, out + 4, RECORD - 4), 4);
}

/* Begins a folder: both headers, of which the second is the newer one. */
static void begin(struct fixture *self, uint64_t synced)
{
    struct record header = {.type = HEADER, .received = 4, .synced = RECORDS_AT, .id = ID};

    free(self->journal);
    free(self->bets);
    self->journal = calloc(1, 1024 * 1024);
    self->bets = malloc((size_t)8 * 1024 * 1024);
    assert_non_null(self->journal);
    assert_non_null(self->bets);
    memset(self->received, 0, sizeof(self->received));
    self->bets_size = 0;
    self->journal_size = RECORDS_AT;
    encode(&header, self->journal);
    header.received = 5;
    header.at = HEADER_B;
    header.synced = synced;
    encode(&header, self->journal + HEADER_B);
}

static void add(struct fixture *self, struct record record)
{
    record.at = self->journal_size;
    record.id = ID;
    record.synced = record.synced == 0 ? RECORDS_AT : record.synced;
    encode(&record, self->journal + self->journal_size);
    self->journal_size += RECORD;
}

/* A batch of `count` bets whose lines have `size` bytes in all. */
static void add_bets(struct fixture *self, uint32_t agency, uint32_t count, size_t size)
{
    char *lines = self->bets + self->bets_size;

    for (size_t i = 0; i < size; i++)
        lines[i] = (char)('a' + (self->bets_size + i) % 23);
    self->received[agency] += count;
    add(self, (struct record){.type = BETS,
                              .agency = agency,
                              .count = count,
                              .received = self->received[agency],
                              .data_at = self->bets_size,
                              .data_size = (uint32_t)size,
                              .data_crc = crc32c(0, lines, size)});
    self->bets_size += size;
}

static void add_finished(struct fixture *self, uint32_t agency, uint64_t total)
{
    add(self, (struct record){.type = FINISHED, .agency = agency, .received = total});
}

static void add_draw(struct fixture *self, uint32_t number, uint64_t winners)
{
    add(self,
        (struct record){
            .type = DRAW, .count = number, .received = winners, .data_at = 100, .data_crc = 7});
}

/* The folder is read up to its last record, which is a torn tail. */
static void assert_last_is_torn(struct fixture *self, uint64_t bets, uint64_t extent)
{
    assert_int_equal(replay(self), STATUS_OK);
    assert_int_equal(self->recovery.journal_end, self->journal_size - RECORD);
    assert_int_equal(self->recovery.journal_used, self->journal_size);
    assert_int_equal(self->draw.bets, bets);
    assert_int_equal(self->recovery.extent.size, extent);
}

static void test_new_folder(void **state)
{
    struct fixture *self = *state;

    begin(self, RECORDS_AT);
    assert_int_equal(replay(self), STATUS_OK);
    assert_int_equal(self->draw.phase, DRAW_OPEN);
    assert_int_equal(self->draw.bets, 0);
    assert_int_equal(self->recovery.journal_end, RECORDS_AT);
    assert_int_equal(self->recovery.extent.size, 0);
}

/* Batches and bets that are larger than what is read at a time; the checksums of every MiB. */
static void test_large(void **state)
{
    struct fixture *self = *state;

    begin(self, RECORDS_AT);
    add_bets(self, 1, 1000, 300 * 1024);
    add_bets(self, 2, 9000, (size_t)3 * 1024 * 1024);
    for (uint32_t i = 0; i < 2000; i++)
        add_bets(self, 1, 1, 50);
    assert_int_equal(replay(self), STATUS_OK);
    assert_int_equal(self->draw.bets, 12000);
    assert_int_equal(self->recovery.extent.size, self->bets_size);
    for (size_t k = 0; k < self->bets_size / BETS_CHUNK_SIZE; k++)
        assert_int_equal(self->recovery.extent.crcs[k],
                         crc32c(0, self->bets, (k + 1) * BETS_CHUNK_SIZE));
    assert_int_equal(self->recovery.bets_synced, 0); /* no record is known to be on disk */
    self->bets[self->bets_size - 50 * 2000 - 1] = '!';
    assert_int_equal(replay(self), STATUS_OK);
    assert_int_equal(self->draw.bets, 1000);
    assert_int_equal(self->recovery.extent.size, 300 * 1024);
}

/* How far the bets are on disk follows from what is known of the journal. */
static void test_bets_synced(void **state)
{
    struct fixture *self = *state;
    const uint64_t expected[] = {0, 10, 30, 30, 60};

    for (size_t records = 0; records <= 4; records++) {
        begin(self, RECORDS_AT + records * RECORD);
        add_bets(self, 1, 1, 10);
        add_bets(self, 1, 1, 20);
        add_finished(self, 1, 2);
        add_bets(self, 2, 1, 30);
        assert_int_equal(replay(self), STATUS_OK);
        assert_int_equal(self->recovery.bets_synced, expected[records]);
    }
    begin(self, RECORDS_AT + 5 * RECORD);
    add_bets(self, 1, 1, 10);
    assert_int_equal(replay(self), STATUS_DAMAGED);
    assert_reason(self, "bets.journal: records missing at byte 1088, although");
}

/* Records that are valid by themselves, but not here. */
static void test_misplaced_records(void **state)
{
    struct fixture *self = *state;
    char *last;

    for (int i = 0; i < 4; i++) {
        struct record bad = {.type = BETS,
                             .agency = 1,
                             .count = 1,
                             .received = 2,
                             .data_at = 10,
                             .data_size = 1,
                             .synced = RECORDS_AT,
                             .at = RECORDS_AT + RECORD,
                             .id = ID};
        begin(self, RECORDS_AT);
        add_bets(self, 1, 1, 10);
        add_bets(self, 1, 1, 10);
        last = self->journal + self->journal_size - RECORD;
        bad.data_crc = crc32c(0, self->bets + 10, 1);
        if (i == 0)
            bad.at += RECORD;
        else if (i == 1)
            bad.id++;
        else if (i == 2)
            bad.type = HEADER;
        else
            bad.synced++;
        encode(&bad, last);
        assert_last_is_torn(self, 1, 10);
        bad.at = RECORDS_AT + RECORD;
        bad.id = ID;
        bad.type = BETS;
        bad.synced = RECORDS_AT;
        encode(&bad, last); /* and now it is right */
        assert_int_equal(replay(self), STATUS_OK);
        assert_int_equal(self->draw.bets, 2);
        assert_int_equal(self->recovery.extent.size, 11);
    }
}

/* Records that do not continue what is there. */
static void test_records_out_of_turn(void **state)
{
    struct fixture *self = *state;
    const struct record bad[] = {
        {.type = BETS, .agency = 1, .count = 1, .received = 3, .data_at = 21},
        {.type = BETS, .agency = 1, .count = 1, .received = 4, .data_at = 20},
        {.type = BETS, .agency = 1, .count = 1, .received = 1, .data_at = 20},
        {.type = BETS, .agency = 1, .count = 0, .received = 2, .data_at = 20},
        {.type = BETS, .agency = 2, .count = 1, .received = 1, .data_at = 20}, /* finished */
        {.type = FINISHED, .agency = 1, .received = 1},
        {.type = DRAW, .count = 1, .received = 0}, /* agency 1 has not finished */
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        begin(self, RECORDS_AT);
        add_bets(self, 1, 2, 20);
        add_finished(self, 2, 0);
        add(self, bad[i]);
        assert_last_is_torn(self, 2, 20);
        assert_int_equal(self->draw.phase, DRAW_OPEN);
        assert_int_equal(self->draw.agencies, 2);
        assert_int_equal(self->draw.finished, 1);
        /* If any record says that this one was on disk, it is damage. */
        struct record later = {.type = FINISHED, .agency = 1, .received = 2};
        later.synced = self->journal_size;
        add(self, later);
        assert_int_equal(replay(self), STATUS_DAMAGED);
    }
}

/* An agency that has finished says so again: nothing changes. */
static void test_finished_twice(void **state)
{
    struct fixture *self = *state;

    begin(self, RECORDS_AT);
    add_bets(self, 1, 2, 20);
    add_finished(self, 1, 2);
    add_finished(self, 1, 2);
    assert_int_equal(replay(self), STATUS_OK);
    assert_int_equal(self->recovery.journal_end, self->journal_size);
    assert_int_equal(self->draw.finished, 1);
}

/* After a draw: an agency that was added to the settings asks for winners; the same draw again;
 * another one. */
static void test_after_a_draw(void **state)
{
    struct fixture *self = *state;

    begin(self, RECORDS_AT);
    add_bets(self, 1, 2, 20);
    add_finished(self, 1, 2);
    add_finished(self, 2, 0);
    add_draw(self, 55, 1);
    self->opened.agencies = 3;
    add_finished(self, 3, 0);
    assert_int_equal(replay(self), STATUS_OK);
    assert_int_equal(self->recovery.journal_end, self->journal_size);
    assert_int_equal(self->draw.phase, DRAW_DRAWN);
    assert_int_equal(self->draw.agencies, 2);
    assert_int_equal(self->draw.winner_number, 55);
    self->opened.agencies = 2;
    assert_int_equal(replay(self), STATUS_OK);
    assert_int_equal(self->recovery.journal_end, self->journal_size);
    add_draw(self, 55, 1);
    assert_int_equal(replay(self), STATUS_OK);
    assert_int_equal(self->recovery.journal_end, self->journal_size);
    add_draw(self, 55, 2);
    assert_last_is_torn(self, 2, 20);
    assert_int_equal(self->draw.drawn.winners, 1);
}

/* Draws that cannot have been held. */
static void test_impossible_draws(void **state)
{
    struct fixture *self = *state;

    begin(self, RECORDS_AT); /* without agencies that have finished */
    self->opened.agencies = 0;
    add_draw(self, 1, 0);
    assert_last_is_torn(self, 0, 0);
    begin(self, RECORDS_AT); /* agency 2 has finished, 1 has not */
    self->opened.agencies = 2;
    add_finished(self, 2, 0);
    add_draw(self, 1, 0);
    assert_last_is_torn(self, 0, 0);
    begin(self, RECORDS_AT); /* agency 2 has bets and has not finished */
    add_bets(self, 2, 1, 10);
    add_finished(self, 1, 0);
    add_draw(self, 1, 0);
    assert_last_is_torn(self, 1, 10);
    begin(self, RECORDS_AT); /* not a number */
    add_finished(self, 1, 0);
    add_draw(self, 10000, 0);
    assert_last_is_torn(self, 0, 0);
}

static void test_unknown_agencies(void **state)
{
    struct fixture *self = *state;

    begin(self, RECORDS_AT);
    add_finished(self, 3, 0);
    assert_int_equal(replay(self), STATUS_INVALID);
    assert_reason(self, "has bets of agency 3, but LOTTERY_AGENCIES is 2");
    begin(self, RECORDS_AT);
    add_finished(self, 0, 0);
    assert_int_equal(replay(self), STATUS_INVALID);
}

/* The newer header counts, wherever it is; the older one does where that is damaged. */
static void test_headers(void **state)
{
    struct fixture *self = *state;

    begin(self, RECORDS_AT + RECORD);
    assert_int_equal(replay(self), STATUS_DAMAGED); /* the newer one says that there was a record */
    self->journal[HEADER_B] ^= 1;
    assert_int_equal(replay(self), STATUS_OK);
    self->journal[0] ^= 1;
    assert_int_equal(replay(self), STATUS_DAMAGED);
    assert_reason(self, "no valid header at byte 0 or 4096");
    assert_false(self->recovery.is_version_1);
}

static int stop_calls;

static bool stop_at_last(void)
{
    return stop_calls-- == 0;
}

/* It can be stopped at the journal and at each batch. */
static void test_stopped(void **state)
{
    struct fixture *self = *state;
    int stops = 0;

    read_folder(self, "v1-open");
    self->must_stop = stop_at_last;
    for (;; stops++) {
        stop_calls = stops;
        enum status status = replay(self);
        if (status == STATUS_OK)
            break;
        assert_int_equal(status, STATUS_STOPPED);
    }
    assert_int_equal(stops, 5);
}

static void test_faults(void **state)
{
    struct fixture *self = *state;
    unsigned after = 0;

    read_folder(self, "v1-open");
    for (;; after++) {
        fault_plan(FAULT_PREAD, after, FAULT_ERROR, EIO, false);
        enum status status = replay(self);
        bool has_struck = fault_end();
        assert_int_equal(status, has_struck ? STATUS_IO : STATUS_OK);
        if (!has_struck)
            break;
        assert_reason(self, "bets.");
    }
    assert_true(after >= 8);
}

static void test_no_memory(void **state)
{
    struct fixture *self = *state;
    unsigned after = 0;

    begin(self, RECORDS_AT);
    add_bets(self, 1, 1, (size_t)2 * 1024 * 1024);
    for (;; after++) {
        alloc_fault_after(after);
        enum status status = replay(self);
        bool has_struck = alloc_fault_end();
        assert_int_equal(status, has_struck ? STATUS_NOMEM : STATUS_OK);
        if (!has_struck)
            break;
    }
    assert_true(after >= 3);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_open_folder),
        CASE(test_drawn_folder),
        CASE(test_drawn_with_other_settings),
        CASE(test_open_with_other_settings),
        CASE(test_every_journal_length),
        CASE(test_every_bets_length),
        CASE(test_every_flipped_bit_of_the_journal),
        CASE(test_every_flipped_bit_of_the_bets),
        CASE(test_new_folder),
        CASE(test_large),
        CASE(test_bets_synced),
        CASE(test_misplaced_records),
        CASE(test_records_out_of_turn),
        CASE(test_finished_twice),
        CASE(test_after_a_draw),
        CASE(test_impossible_draws),
        CASE(test_unknown_agencies),
        CASE(test_headers),
        CASE(test_stopped),
        CASE(test_faults),
        CASE(test_no_memory),
    };

    return cmocka_run_group_tests_name("journal_v1", tests, NULL, NULL);
}
