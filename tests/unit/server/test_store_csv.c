/* The embedded store as the ledger sees it: groups of both kinds, what is there after a restart,
 * checkpoints and new journal files, the winners' files, and a folder that goes away. */
#include "cmocka_all.h"

#include "bets_csv.h"
#include "crc32c.h"
#include "fault_file_ops.h"
#include "journal_file.h"
#include "prng.h"
#include "store_fixture.h"
#include "winner_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct store_fixture f; /* too large for the stack of a test */

static void open_with(const char *dir, const struct commit_limits *limits)
{
    if (store_fixture_open(&f, dir, &fault_file_ops, limits, STORE_AGENCIES) != STATUS_OK)
        fail_msg("%s", f.err.text);
}

static void open_store(const char *dir)
{
    open_with(dir, NULL);
}

static void expect_counts(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t counts[STORE_AGENCIES + 1];
    const uint64_t wanted[STORE_AGENCIES + 1] = {0, a, b, c, d};

    assert_true(store_fixture_count(&f, STORE_AGENCIES, counts));
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++) {
        assert_int_equal(counts[i], wanted[i]);
        assert_int_equal(draw_received(&f.draw, i), wanted[i]);
    }
    assert_int_equal(f.draw.bets, a + b + c + d);
}

static size_t journal_size(const char *dir)
{
    struct folder folder = folder_read(dir);
    size_t size = folder.sizes[JOURNAL_FILE];

    folder_free(&folder);
    return size;
}

/* Bets are lines of bets.csv as soon as they are committed, in the order of the records. */
static void writes_lines(void **state)
{
    open_store(*state);
    assert_int_equal(store_fixture_append(&f, 1, 0, 3), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 1, 3, 2), STATUS_OK);
    struct folder folder = folder_read(*state);
    folder.bytes[BETS_FILE][folder.sizes[BETS_FILE]] = '\0';
    assert_string_equal((char *)folder.bytes[BETS_FILE],
                        "1,\"Ana, \"\"Nita\"\"\",Paz,1D0,1999-12-31,7574\r\n"
                        "1,Jos\xc3\xa9,Paz,1D1,1999-12-31,1\r\n"
                        "1,Jos\xc3\xa9,Paz,1D2,1999-12-31,2\r\n"
                        "1,\"Ana, \"\"Nita\"\"\",Paz,1D3,1999-12-31,3\r\n"
                        "1,Jos\xc3\xa9,Paz,1D4,1999-12-31,4\r\n");
    folder_free(&folder);
    store_fixture_close(&f);
}

static uint64_t number_at(const unsigned char *bytes, size_t at, unsigned size)
{
    uint64_t value = 0;

    while (size-- > 0)
        value = value << 8 | bytes[at + size];
    return value;
}

/* The bytes of the journal are those of docs/disk-format.md. */
static void writes_the_documented_format(void **state)
{
    open_store(*state);
    assert_int_equal(store_fixture_append(&f, 3, 0, 2), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 3, 2, 1), STATUS_OK);
    struct folder folder = folder_read(*state);
    const unsigned char *journal = folder.bytes[JOURNAL_FILE];
    uint64_t stamp = number_at(journal, 16, 8);
    for (size_t header = 0; header <= 4096; header += 4096) {
        assert_memory_equal(journal + header, "LOTJRNL\n", 8);
        assert_int_equal(number_at(journal, header + 8, 4), crc32c(0, journal + header + 12, 52));
        assert_int_equal(number_at(journal, header + 12, 4), 2);
        assert_int_equal(number_at(journal, header + 16, 8), stamp);
        assert_int_equal(number_at(journal, header + 24, 8), header == 0 ? 1 : 2);
    }
    assert_int_equal(number_at(journal, 8192 + 8, 1), 16);
    size_t at = 8192 + (size_t)number_at(journal, 8192 + 4, 4); /* opened */
    assert_int_equal(number_at(journal, at + 8, 1), 1);
    assert_int_equal(number_at(journal, at + 48, 4), STORE_AGENCIES);
    assert_int_equal(number_at(journal, at + 52, 4), STORE_NUMBER);
    at += (size_t)number_at(journal, at + 4, 4);
    at += (size_t)number_at(journal, at + 4, 4); /* the second batch */
    size_t lines = folder.sizes[BETS_FILE] - (size_t)number_at(journal, at + 56, 8);
    assert_int_equal(number_at(journal, at, 4), crc32c(0, journal + at + 4, 76));
    assert_int_equal(number_at(journal, at + 4, 4), 80 + (lines + 7) / 8 * 8);
    assert_int_equal(number_at(journal, at + 8, 8), 3 + (1 << 8)); /* type, flags, zeros */
    assert_int_equal(number_at(journal, at + 16, 8), at);
    assert_int_equal(number_at(journal, at + 24, 8), stamp);
    assert_int_equal(number_at(journal, at + 32, 8), at); /* synced */
    assert_int_equal(number_at(journal, at + 40, 8), 0);  /* bets_synced */
    assert_int_equal(number_at(journal, at + 48, 8), 2);
    assert_int_equal(number_at(journal, at + 64, 4), 3);
    assert_int_equal(number_at(journal, at + 68, 4), 1);
    assert_int_equal(number_at(journal, at + 72, 4), lines);
    assert_int_equal(number_at(journal, at + 76, 4),
                     crc32c(0, folder.bytes[BETS_FILE], folder.sizes[BETS_FILE]));
    assert_memory_equal(journal + at + 80,
                        folder.bytes[BETS_FILE] + folder.sizes[BETS_FILE] - lines, lines);
    folder_free(&folder);
    store_fixture_close(&f);
}

/* If part of a batch is stored already, only its new lines are written, whatever the overlap. */
static void writes_only_the_new_lines(void **state)
{
    uint64_t total = 4;

    open_store(*state);
    assert_int_equal(store_fixture_append(&f, 2, 0, 4), STATUS_OK);
    for (uint64_t overlap = 1; overlap <= 4; overlap++) {
        assert_int_equal(store_fixture_append(&f, 2, total - overlap, overlap + 3), STATUS_OK);
        assert_int_equal(f.last.known, overlap);
        total += 3;
    }
    expect_counts(0, total, 0, 0);
    store_fixture_close(&f);
    open_store(*state);
    expect_counts(0, total, 0, 0);
    store_fixture_close(&f);
}

/* After a stop, or after being killed, exactly what was committed is there. */
static void reopens_what_was_committed(void **state)
{
    for (int killed = 0; killed < 2; killed++) {
        char dir[300];
        (void)snprintf(dir, sizeof(dir), "%s/%d", (char *)*state, killed);
        assert_int_equal(mkdir(dir, 0755), 0);
        open_store(dir);
        assert_int_equal(store_fixture_append(&f, 1, 0, 4), STATUS_OK);
        assert_int_equal(store_fixture_append(&f, 4, 0, 1), STATUS_OK);
        assert_int_equal(store_fixture_append(&f, 1, 4, 2), STATUS_OK);
        assert_int_equal(store_fixture_finish(&f, 4, 1), STATUS_OK);
        assert_int_equal(store_fixture_add(&f, 2, 0, 3), STATUS_OK); /* never committed */
        if (killed)
            store_fixture_kill(&f);
        else
            store_fixture_close(&f);
        for (int round = 0; round < 3; round++) {
            open_store(dir);
            assert_int_equal(f.report.bets_torn + f.report.journal_torn, 0);
            expect_counts(6, 0, 0, 1);
            assert_int_equal(f.draw.finished, 1);
            assert_true(f.draw.agency[4].has_finished);
            assert_int_equal(f.draw.phase, DRAW_OPEN);
            assert_int_equal(f.draw.winner_number, STORE_NUMBER);
            store_fixture_close(&f);
        }
    }
}

/* A small group costs one sync, of the journal; a large one two. Both, one write for each file. */
static void shares_writes_and_syncs(void **state)
{
    for (uint32_t batches = 1; batches <= 700; batches += 699) {
        char dir[300];
        (void)snprintf(dir, sizeof(dir), "%s/%u", (char *)*state, batches);
        assert_int_equal(mkdir(dir, 0755), 0);
        open_store(dir);
        for (uint32_t i = 0; i < batches; i++)
            assert_int_equal(store_fixture_add(&f, 1, i * 5, 5), STATUS_OK);
        unsigned syncs = fault_count(FAULT_FDATASYNC);
        unsigned writes = fault_count(FAULT_PWRITEV);
        assert_int_equal(store_fixture_commit(&f), STATUS_OK);
        assert_int_equal(fault_count(FAULT_FDATASYNC) - syncs, batches > 1 ? 2 : 1);
        assert_int_equal(fault_count(FAULT_PWRITEV) - writes, 2);
        expect_counts(batches * 5, 0, 0, 0);
        store_fixture_kill(&f);
        open_store(dir);
        expect_counts(batches * 5, 0, 0, 0);
        store_fixture_close(&f);
    }
}

/* An empty group needs nothing from the disk, and one without bets only the journal. */
static void leaves_alone_what_has_no_news(void **state)
{
    open_store(*state);
    unsigned calls = fault_count(FAULT_PWRITEV) + fault_count(FAULT_FDATASYNC);
    assert_int_equal(store_fixture_commit(&f), STATUS_OK);
    assert_int_equal(fault_count(FAULT_PWRITEV) + fault_count(FAULT_FDATASYNC), calls);
    assert_int_equal(store_fixture_finish(&f, 1, 0), STATUS_OK);
    assert_int_equal(fault_count(FAULT_PWRITEV) + fault_count(FAULT_FDATASYNC), calls + 2);
    store_fixture_close(&f);
}

/* bets.csv is synced when the store is idle, or when enough has gathered in the journal; then there
 * is nothing left to do. */
static void syncs_bets_later(void **state)
{
    open_with(*state, &store_small_limits);
    assert_int_equal(store_fixture_append(&f, 1, 0, 1), STATUS_OK);
    unsigned syncs = fault_count(FAULT_FDATASYNC);
    assert_int_equal(store_maintain(f.store, false, &f.err), STATUS_OK);
    assert_int_equal(fault_count(FAULT_FDATASYNC), syncs);
    assert_int_equal(store_maintain(f.store, true, &f.err), STATUS_OK);
    assert_int_equal(fault_count(FAULT_FDATASYNC), syncs + 2); /* and the journal's header */
    unsigned writes = fault_count(FAULT_PWRITEV);
    assert_int_equal(store_maintain(f.store, true, &f.err), STATUS_OK);
    assert_int_equal(fault_count(FAULT_FDATASYNC), syncs + 2);
    assert_int_equal(fault_count(FAULT_PWRITEV), writes);
    for (uint64_t i = 1; i < 4; i++) {
        assert_int_equal(store_fixture_append(&f, 1, i, 1), STATUS_OK);
        syncs = fault_count(FAULT_FDATASYNC);
        assert_int_equal(store_maintain(f.store, false, &f.err), STATUS_OK);
        assert_int_equal(fault_count(FAULT_FDATASYNC) - syncs, i == 3);
    }
    store_fixture_close(&f);
}

/* The journal does not grow without end, and a start after a kill finds everything, whichever file
 * it was in. */
static void begins_new_journal_files(void **state)
{
    unsigned renames = fault_count(FAULT_RENAMEAT);
    uint64_t total = 0;

    open_with(*state, &store_small_limits);
    for (int i = 0; i < 60; i++) {
        size_t count = i % 7 == 0 ? 20 : 1 + (size_t)i % 3;
        assert_int_equal(store_fixture_append(&f, 1, total, count), STATUS_OK);
        total += count;
        assert_int_equal(store_maintain(f.store, i % 5 == 0, &f.err), STATUS_OK);
        assert_true(journal_size(*state) < JOURNAL_START + 2 * 4096 + 2000);
        if (i % 9 != 8)
            continue;
        store_fixture_kill(&f);
        open_with(*state, &store_small_limits);
        expect_counts(total, 0, 0, 0);
    }
    assert_true(fault_count(FAULT_RENAMEAT) - renames > 12);
    store_fixture_close(&f);
}

/* With many bets, the checkpoint has the checksum of each MiB, and reading it gives them back. */
static void keeps_the_checksums_of_each_mib(void **state)
{
    struct bets_extent extent;
    struct draw draw;
    uint64_t total = 0;

    open_store(*state);
    while (f.draw.bets < 150000) {
        for (int i = 0; i < 100; i++, total += 256)
            assert_int_equal(store_fixture_add(&f, 1, total, 256), STATUS_OK);
        assert_int_equal(store_fixture_commit(&f), STATUS_OK);
    }
    store_fixture_close(&f);
    open_store(*state);
    draw_init(&draw);
    assert_int_equal(journal_file_read_checkpoint(&f.data_dir, &draw, &extent, &f.err), STATUS_OK);
    struct folder folder = folder_read(*state);
    struct bets_extent wanted = {0};
    assert_int_equal(bets_extent_append(&wanted, folder.bytes[BETS_FILE], folder.sizes[BETS_FILE]),
                     STATUS_OK);
    assert_true(wanted.size > 4 * BETS_CHUNK_SIZE);
    assert_int_equal(extent.size, wanted.size);
    assert_int_equal(extent.crc, wanted.crc);
    assert_memory_equal(extent.crcs, wanted.crcs,
                        wanted.size / BETS_CHUNK_SIZE * sizeof(wanted.crcs[0]));
    assert_int_equal(draw.bets, total);
    assert_int_equal(draw.agency[1].received, total);
    bets_extent_fini(&wanted);
    bets_extent_fini(&extent);
    draw_fini(&draw);
    folder_free(&folder);
    store_fixture_close(&f);
}

/* A start after a clean stop reads the headers and the checkpoint, not the bets. */
static void starts_from_the_checkpoint(void **state)
{
    uint64_t total = 0;

    open_store(*state);
    for (int i = 0; i < 800; i++, total += 256)
        assert_int_equal(store_fixture_add(&f, 1, total, 256), STATUS_OK);
    assert_int_equal(store_fixture_commit(&f), STATUS_OK);
    store_fixture_close(&f);
    fault_reset();
    open_store(*state);
    assert_int_equal(draw_received(&f.draw, 1), total);
    assert_true(fault_count(FAULT_PREAD) < 20);
    store_fixture_close(&f);
}

/* A checkpoint has as many agencies as there are. */
static void keeps_many_agencies(void **state)
{
    enum { MANY = 10000 };

    assert_int_equal(store_fixture_open(&f, *state, &fault_file_ops, &store_small_limits, MANY),
                     STATUS_OK);
    for (uint32_t i = 1; i <= MANY; i += 7) {
        assert_int_equal(store_fixture_add(&f, i, 0, 1 + i % 3), STATUS_OK);
        if (i % 2 == 0)
            assert_int_equal(
                store_fixture_add_record(
                    &f, (struct draw_record){.type = DRAW_FINISHED,
                                             .finished = {.agency = i, .total = 1 + i % 3}}),
                STATUS_OK);
        if (i % 5 == 0)
            assert_int_equal(store_fixture_commit(&f), STATUS_OK);
    }
    assert_int_equal(store_fixture_commit(&f), STATUS_OK);
    store_fixture_close(&f);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(store_fixture_open(&f, *state, &fault_file_ops, NULL, MANY), STATUS_OK);
        assert_int_equal(f.draw.agencies, MANY);
        for (uint32_t i = 1; i <= MANY; i++) {
            assert_int_equal(draw_received(&f.draw, i), i % 7 == 1 ? 1 + i % 3 : 0);
            assert_int_equal(f.draw.agency[i].has_finished, i % 7 == 1 && i % 2 == 0);
        }
        store_fixture_close(&f);
    }
}

/* More agencies are a record like any other. */
static void grows(void **state)
{
    open_store(*state);
    assert_int_equal(
        store_fixture_add_record(&f, (struct draw_record){.type = DRAW_AGENCIES, .agencies = 9}),
        STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 9, 0, 2), STATUS_OK);
    store_fixture_kill(&f);
    for (int round = 0; round < 2; round++) {
        open_store(*state);
        assert_int_equal(f.draw.agencies, 9);
        assert_int_equal(draw_received(&f.draw, 9), 2);
        store_fixture_close(&f);
    }
}

static void finish_all(void)
{
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++)
        assert_int_equal(store_fixture_finish(&f, i, draw_received(&f.draw, i)), STATUS_OK);
}

/* The closing fixes how far the bets go; once the winners' files are opened, a checkpoint says so
 * to who draws. */
static void closes_the_draw(void **state)
{
    struct bets_extent extent;
    struct draw draw;
    int fds[2];

    open_store(*state);
    assert_int_equal(store_fixture_append(&f, 1, 0, 7), STATUS_OK);
    finish_all();
    assert_int_equal(store_fixture_end_draw(&f), STATUS_OK);
    uint64_t size = f.draw.closed.extent;
    assert_true(size > 0);
    assert_int_equal(store_open_files(f.store, STORE_WINNERS, fds, 2, &f.err), STATUS_OK);
    (void)close(fds[0]);
    (void)close(fds[1]);
    draw_init(&draw);
    assert_int_equal(journal_file_read_checkpoint(&f.data_dir, &draw, &extent, &f.err), STATUS_OK);
    assert_int_equal(draw.phase, DRAW_CLOSED);
    assert_int_equal(draw.closed.extent, size);
    assert_int_equal(draw.closed.bets, 7);
    assert_int_equal(draw.closed.time_s, 1700000000);
    assert_memory_equal(draw.closed.salt, "0123456789", 11);
    assert_int_equal(extent.size, size);
    bets_extent_fini(&extent);
    draw_fini(&draw);
    store_fixture_kill(&f);
    open_store(*state);
    assert_int_equal(f.draw.phase, DRAW_CLOSED);
    assert_int_equal(f.draw.closed.extent, size);
    store_fixture_close(&f);
}

/* The draw is there after a restart, with its files. */
static void holds_the_draw(void **state)
{
    for (int killed = 1; killed >= 0; killed--) {
        char dir[300];
        (void)snprintf(dir, sizeof(dir), "%s/%d", (char *)*state, killed);
        assert_int_equal(mkdir(dir, 0755), 0);
        open_store(dir);
        assert_int_equal(store_fixture_append(&f, 1, 0, 7), STATUS_OK);
        finish_all();
        assert_int_equal(store_fixture_end_draw(&f), STATUS_OK);
        assert_int_equal(store_fixture_hold_draw(&f), STATUS_OK);
        struct draw_drawn drawn = f.draw.drawn;
        if (killed)
            store_fixture_kill(&f);
        else
            store_fixture_close(&f);
        open_store(dir);
        assert_int_equal(f.draw.phase, DRAW_DRAWN);
        assert_int_equal(f.draw.drawn.time_s, drawn.time_s);
        assert_int_equal(f.draw.drawn.winner_number, STORE_NUMBER);
        assert_int_equal(f.draw.drawn.winners_size, drawn.winners_size);
        assert_int_equal(f.draw.drawn.winners_crc, drawn.winners_crc);
        assert_int_equal(f.draw.closed.bets, 7);
        struct folder folder = folder_read(dir);
        assert_non_null(folder.bytes[WINNERS_FILE]);
        assert_non_null(folder.bytes[INDEX_FILE]);
        folder_free(&folder);
        store_fixture_close(&f);
    }
}

/* Files of an earlier attempt are not published, even if somebody still writes to them. */
static void publishes_the_files_of_the_last_attempt(void **state)
{
    int old[3];
    int fds[5];

    open_store(*state);
    assert_int_equal(store_open_files(f.store, STORE_WINNERS, old, 3, &f.err), STATUS_OK);
    assert_int_equal(write(old[0], "old", 3), 3);
    assert_int_equal(store_open_files(f.store, STORE_WINNERS, fds, 5, &f.err), STATUS_OK);
    assert_int_equal(write(fds[0], "winners", 7), 7);
    assert_int_equal(write(fds[1], "index", 5), 5);
    assert_int_equal(write(fds[2], "part", 4), 4);
    char part[4];
    assert_int_equal(pread(fds[2], part, 4, 0), 4);
    assert_memory_equal(part, "part", 4);
    assert_int_equal(store_publish_files(f.store, STORE_WINNERS, &f.err), STATUS_OK);
    assert_int_equal(write(old[0], "old", 3), 3);
    struct folder folder = folder_read(*state);
    assert_int_equal(folder.sizes[WINNERS_FILE], 7);
    assert_memory_equal(folder.bytes[WINNERS_FILE], "winners", 7);
    assert_int_equal(folder.sizes[INDEX_FILE], 5);
    assert_true(folder_equals(*state, &folder)); /* no other files are left */
    folder_free(&folder);
    for (size_t i = 0; i < 5; i++)
        (void)close(fds[i]);
    for (size_t i = 0; i < 3; i++)
        (void)close(old[i]);
    store_fixture_close(&f);
}

/* A name that cannot be taken: the reason says which files could not be made, and none is open. */
static void says_which_files_it_cannot_make(void **state)
{
    static const char *const names[STORE_FILES] = {
        [STORE_WINNERS] = "winners.index.new",
        [STORE_SEAL] = "seal.leaves.new",
        [STORE_RESULT] = "result.txt.new",
    };
    static const char *const reasons[STORE_FILES] = {
        [STORE_WINNERS] = "creating the winners' files: ",
        [STORE_SEAL] = "creating the seal's files: ",
        [STORE_RESULT] = "creating the result's file: ",
    };
    char path[512];
    int fds[2];

    open_store(*state);
    for (unsigned i = 0; i < STORE_FILES; i++) {
        enum store_files files = (enum store_files)i;
        (void)snprintf(path, sizeof(path), "%s/%s", (char *)*state, names[i]);
        assert_int_equal(mkdir(path, 0755), 0);
        enum status status =
            store_open_files(f.store, files, fds, store_files_named(files), &f.err);
        assert_int_equal(status, STATUS_IO);
        assert_int_equal(strncmp(f.err.text, reasons[i], strlen(reasons[i])), 0);
        assert_int_equal(rmdir(path), 0);
    }
    store_fixture_close(&f);
}

/* A moved, removed or replaced file, or folder, is noticed by the next commit. */
static void notices_what_is_gone(void **state)
{
    static const char *const commands[] = {"rm %s/bets.csv",
                                           "rm %s/bets.journal",
                                           "truncate -s 5 %s/bets.csv",
                                           "cp %s/bets.csv %s/x && mv %s/x %s/bets.csv",
                                           "mv %s/bets.csv %s/x",
                                           "mv %s/bets.journal %s-x",
                                           "mv %s/bets.csv %s/x && ln -s x %s/bets.csv",
                                           "mv %s %s-moved",
                                           "mv %s %s-moved && mkdir %s"};

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        char dir[200];
        char command[900];
        (void)snprintf(dir, sizeof(dir), "%s/%zu", (char *)*state, i);
        assert_int_equal(mkdir(dir, 0755), 0);
        open_store(dir);
        assert_int_equal(store_fixture_append(&f, 1, 0, 1), STATUS_OK);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(command, sizeof(command), commands[i], dir, dir, dir, dir);
#pragma GCC diagnostic pop
        assert_int_equal(system(command), 0);
        assert_int_equal(store_fixture_append(&f, 1, 1, 1), STATUS_GONE);
        assert_non_null(strstr(f.err.text, dir));
        store_fixture_kill(&f);
    }
}

static void expect_text(const char *dir, const char *name, const char *wanted)
{
    char path[512];
    char text[64] = {0};

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    assert_string_equal(text, wanted);
    assert_int_equal(fclose(file), 0);
}

/* A file that somebody has put in the place of the store's stays as it is: when a new journal file
 * is due, at a clean stop, and when the winners' files are published. */
static void leaves_alone_what_is_not_its_own(void **state)
{
    char command[1200];
    const char *dir = *state;
    int fds[2];

    open_with(dir, &store_small_limits);
    assert_int_equal(store_fixture_append(&f, 1, 0, 80), STATUS_OK); /* a new journal is due */
    assert_int_equal(store_open_files(f.store, STORE_WINNERS, fds, 2, &f.err), STATUS_OK);
    (void)snprintf(command, sizeof(command),
                   "cd %s && mv bets.journal x && printf other >bets.journal"
                   " && printf winners >winners.csv",
                   dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(store_maintain(f.store, false, &f.err), STATUS_GONE);
    assert_non_null(strstr(f.err.text, "bets.journal was moved, removed or replaced"));
    assert_int_equal(store_publish_files(f.store, STORE_WINNERS, &f.err), STATUS_GONE);
    assert_int_equal(store_open_files(f.store, STORE_WINNERS, fds, 2, &f.err), STATUS_GONE);
    (void)close(fds[0]);
    (void)close(fds[1]);
    store_fixture_close(&f);
    expect_text(dir, "bets.journal", "other");
    expect_text(dir, "winners.csv", "winners");
}

static int fail_fstatat(int dir, const char *name, struct stat *out, int flags)
{
    (void)dir;
    (void)name;
    (void)out;
    (void)flags;
    errno = ENOMEM;
    return -1;
}

/* That nobody can say whether the files are there does not mean that they are gone. */
static void does_not_take_an_error_for_gone(void **state)
{
    struct file_ops ops = fault_file_ops;

    ops.fstatat = fail_fstatat;
    assert_int_equal(store_fixture_open(&f, *state, &ops, NULL, STORE_AGENCIES), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 1, 0, 1), STATUS_OK);
    store_fixture_close(&f);
}

/* Many groups of all sizes in random order, with restarts of both kinds: a model of a few numbers
 * says what is there. */
static void follows_a_model(void **state)
{
    struct prng prng = {11};
    uint64_t wanted[STORE_AGENCIES + 1] = {0};

    open_with(*state, &store_small_limits);
    for (int group = 0; group < 400; group++) {
        uint32_t batches = 1 + prng_below(&prng, 4);
        for (uint32_t i = 0; i < batches; i++) {
            uint32_t agency = 1 + prng_below(&prng, STORE_AGENCIES);
            size_t count = 1 + prng_below(&prng, prng_below(&prng, 5) == 0 ? 40 : 2);
            assert_int_equal(store_fixture_add(&f, agency, wanted[agency], count), STATUS_OK);
            wanted[agency] += count;
        }
        assert_int_equal(store_fixture_commit(&f), STATUS_OK);
        assert_int_equal(store_maintain(f.store, prng_below(&prng, 4) == 0, &f.err), STATUS_OK);
        if (prng_below(&prng, 10) == 0) {
            if (prng_below(&prng, 2) == 0)
                store_fixture_kill(&f);
            else
                store_fixture_close(&f);
            open_with(*state, &store_small_limits);
            expect_counts(wanted[1], wanted[2], wanted[3], wanted[4]);
        }
    }
    store_fixture_close(&f);
}

/* bets.csv without a journal is not ours. */
static void refuses_bets_without_a_journal(void **state)
{
    unsigned char bets[] = "1,a\r\n";
    struct folder folder = {{bets}, {5}};

    folder_write(*state, &folder);
    assert_int_equal(store_fixture_open(&f, *state, &fault_file_ops, NULL, STORE_AGENCIES),
                     STATUS_DAMAGED);
    assert_string_equal(f.err.text, "bets.csv has bets but bets.journal is missing: restore it, or"
                                    " move bets.csv away to start over");
    assert_true(folder_equals(*state, &folder));
}

/* A power cut within a rename may leave the journal under both names: that the next one begins
 * under the other name takes nothing from it, whether there is space for the next one or not. */
static void keeps_a_journal_with_two_names(void **state)
{
    char command[700];

    for (int is_full = 0; is_full < 2; is_full++) {
        char dir[300];
        (void)snprintf(dir, sizeof(dir), "%s/%d", (char *)*state, is_full);
        assert_int_equal(mkdir(dir, 0755), 0);
        open_store(dir);
        assert_int_equal(store_fixture_append(&f, 1, 0, 7), STATUS_OK);
        store_fixture_close(&f);
        struct folder folder = folder_read(dir);
        (void)snprintf(command, sizeof(command), "ln %s/bets.journal %s/bets.journal.new", dir,
                       dir);
        assert_int_equal(system(command), 0);
        if (is_full) {
            fault_plan(FAULT_PWRITEV, 0, FAULT_ERROR, ENOSPC, true);
            open_store(dir);
            assert_true(fault_end());
            assert_true(folder_equals(dir, &folder)); /* nothing is left of the new one, either */
            store_fixture_kill(&f);
        }
        open_store(dir);
        expect_counts(7, 0, 0, 0);
        store_fixture_close(&f);
        folder_free(&folder);
    }
}

/* Files are private, and no link is followed. */
static void makes_private_files(void **state)
{
    char path[512];
    struct stat info;

    open_store(*state);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", (char *)*state, folder_names[i]);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 07777 & ~0640u, 0);
    }
    store_fixture_close(&f);
    (void)snprintf(path, sizeof(path), "cd %s && mv bets.csv x && ln -s x bets.csv",
                   (char *)*state);
    assert_int_equal(system(path), 0);
    assert_int_equal(store_fixture_open(&f, *state, &fault_file_ops, NULL, STORE_AGENCIES),
                     STATUS_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
        CASE(writes_lines),
        CASE(writes_the_documented_format),
        CASE(writes_only_the_new_lines),
        CASE(reopens_what_was_committed),
        CASE(shares_writes_and_syncs),
        CASE(leaves_alone_what_has_no_news),
        CASE(syncs_bets_later),
        CASE(begins_new_journal_files),
        CASE(keeps_the_checksums_of_each_mib),
        CASE(starts_from_the_checkpoint),
        CASE(keeps_many_agencies),
        CASE(grows),
        CASE(closes_the_draw),
        CASE(holds_the_draw),
        CASE(publishes_the_files_of_the_last_attempt),
        CASE(says_which_files_it_cannot_make),
        CASE(notices_what_is_gone),
        CASE(leaves_alone_what_is_not_its_own),
        CASE(does_not_take_an_error_for_gone),
        CASE(follows_a_model),
        CASE(refuses_bets_without_a_journal),
        CASE(keeps_a_journal_with_two_names),
        CASE(makes_private_files),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
