/* The embedded store as its users see it: outcomes, order, shared syncs, several processes,
 * scanning, the draw, and the content after a restart. */
#include "cmocka_all.h"

#include "bets_csv.h"
#include "data_dir.h"
#include "fault_file_ops.h"
#include "prng.h"
#include "store_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct store_fixture open_store(const char *dir)
{
    struct store_fixture f;

    assert_int_equal(store_fixture_open(&f, dir, &fault_file_ops, STORE_AGENCIES), STATUS_OK);
    return f;
}

static void expect_counts(struct store_fixture *f, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t counts[STORE_AGENCIES + 1];
    const uint64_t wanted[STORE_AGENCIES + 1] = {0, a, b, c, d};

    assert_true(store_fixture_count(f, STORE_AGENCIES, counts));
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++) {
        assert_int_equal(counts[i], wanted[i]);
        assert_int_equal(store_fixture_received(f, i), wanted[i]);
    }
}

/* A batch at the right offset is stored, and the outcome has its lines as they are in the file. */
static void appends_a_batch(void **state)
{
    struct store_fixture f = open_store(*state);
    struct folder folder;

    assert_int_equal(store_fixture_append(&f, 1, 0, 3), STATUS_OK);
    assert_int_equal(f.last.received, 3);
    assert_int_equal(f.last.stored, 3);
    assert_int_equal(store_fixture_append(&f, 1, 3, 2), STATUS_OK);
    assert_int_equal(f.last.received, 5);
    expect_counts(&f, 5, 0, 0, 0);
    store_fixture_close(&f);
    folder = folder_read(*state);
    folder.bytes[0][folder.sizes[0]] = '\0';
    assert_string_equal((char *)folder.bytes[0],
                        "1,\"Ana, \"\"Nita\"\"\",Paz,1D0,1999-12-31,7574\r\n"
                        "1,Jos\xc3\xa9,Paz,1D1,1999-12-31,1\r\n"
                        "1,Jos\xc3\xa9,Paz,1D2,1999-12-31,2\r\n"
                        "1,\"Ana, \"\"Nita\"\"\",Paz,1D3,1999-12-31,3\r\n"
                        "1,Jos\xc3\xa9,Paz,1D4,1999-12-31,4\r\n");
    folder_free(&folder);
}

/* A batch that is stored already succeeds and stores nothing, also after the agency finished. */
static void stores_a_batch_once(void **state)
{
    struct store_fixture f = open_store(*state);

    assert_int_equal(store_fixture_append(&f, 1, 0, 5), STATUS_OK);
    for (uint64_t offset = 0; offset < 5; offset++) {
        assert_int_equal(store_fixture_append(&f, 1, offset, 5 - offset), STATUS_OK);
        assert_int_equal(f.last.stored, 0);
        assert_int_equal(f.last.received, 5);
    }
    assert_int_equal(store_fixture_finish(&f, 1, 5), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 1, 2, 3), STATUS_OK);
    assert_int_equal(f.last.stored, 0);
    expect_counts(&f, 5, 0, 0, 0);
    store_fixture_close(&f);
}

/* If part of a batch is stored already, only the new bets are stored, whatever the overlap. */
static void stores_only_the_new_bets(void **state)
{
    struct store_fixture f = open_store(*state);
    uint64_t total = 4;

    assert_int_equal(store_fixture_append(&f, 2, 0, 4), STATUS_OK);
    for (uint64_t overlap = 1; overlap <= 4; overlap++) {
        assert_int_equal(store_fixture_append(&f, 2, total - overlap, overlap + 3), STATUS_OK);
        assert_int_equal(f.last.stored, 3);
        total += 3;
        assert_int_equal(f.last.received, total);
    }
    expect_counts(&f, 0, total, 0, 0);
    store_fixture_close(&f);
    f = open_store(*state);
    expect_counts(&f, 0, total, 0, 0);
    store_fixture_close(&f);
}

/* The backlog goes back to zero when the operations end, whatever their outcome. */
static void reduces_the_backlog(void **state)
{
    struct store_fixture f = open_store(*state);
    struct store_call call;
    unsigned ended = 0;

    assert_int_equal(store_backlog(f.store), 0);
    assert_int_equal(store_call_append(&f, &call, &ended, 1, 0, 10), STATUS_OK);
    assert_true(store_backlog(f.store) > 10 * strlen("1,Ana,Paz,1D0,1999-12-31,1\r\n"));
    while (ended == 0)
        (void)uv_run(f.loop, UV_RUN_ONCE);
    assert_int_equal(store_backlog(f.store), 0);
    (void)store_fixture_append(&f, 1, 5, 10); /* partly stored */
    assert_int_equal(store_backlog(f.store), 0);
    (void)store_fixture_append(&f, 1, 0, 10); /* stored */
    (void)store_fixture_append(&f, 1, 99, 1); /* a gap */
    (void)store_fixture_append(&f, 9, 0, 1);  /* unknown agency */
    (void)store_fixture_finish(&f, 1, 15);
    assert_int_equal(store_backlog(f.store), 0);
    store_fixture_close(&f);
}

/* A batch beyond what was received is a gap, and nothing of it is stored. */
static void refuses_a_gap(void **state)
{
    struct store_fixture f = open_store(*state);

    assert_int_equal(store_fixture_append(&f, 1, 1, 1), STATUS_GAP);
    assert_int_equal(f.last.received, 0);
    assert_int_equal(store_fixture_append(&f, 1, 0, 2), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 1, 3, 1), STATUS_GAP);
    assert_int_equal(f.last.received, 2);
    assert_int_equal(store_fixture_append(&f, 1, UINT64_MAX, 3), STATUS_GAP);
    assert_int_equal(store_fixture_append(&f, 1, UINT64_MAX - 1, 3), STATUS_GAP);
    expect_counts(&f, 2, 0, 0, 0);
    store_fixture_close(&f);
}

/* After an agency has finished it can store nothing more; the others can. */
static void closes_an_agency(void **state)
{
    struct store_fixture f = open_store(*state);

    assert_int_equal(store_fixture_append(&f, 1, 0, 2), STATUS_OK);
    assert_int_equal(store_fixture_finish(&f, 1, 2), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 1, 2, 1), STATUS_CLOSED);
    assert_int_equal(f.last.received, 2);
    assert_int_equal(store_fixture_append(&f, 1, 1, 2), STATUS_CLOSED); /* stored and new */
    assert_int_equal(store_fixture_append(&f, 2, 0, 1), STATUS_OK);
    expect_counts(&f, 2, 1, 0, 0);
    store_fixture_close(&f);
}

/* Ids outside 1..N are refused, for bets, questions and finishing alike. */
static void refuses_unknown_agencies(void **state)
{
    const uint32_t strangers[] = {0, STORE_AGENCIES + 1, 4294967295u};
    struct store_fixture f = open_store(*state);

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(store_fixture_append(&f, strangers[i], 0, 1), STATUS_UNKNOWN_AGENCY);
        assert_int_equal(store_fixture_append(&f, strangers[i], 0, 0), STATUS_UNKNOWN_AGENCY);
        assert_int_equal(store_fixture_finish(&f, strangers[i], 0), STATUS_UNKNOWN_AGENCY);
    }
    expect_counts(&f, 0, 0, 0, 0);
    assert_int_equal(store_finished(f.store), 0);
    store_fixture_close(&f);
}

/* A total other than what was received does not finish the agency. */
static void refuses_an_incomplete_total(void **state)
{
    struct store_fixture f = open_store(*state);

    assert_int_equal(store_fixture_append(&f, 1, 0, 2), STATUS_OK);
    assert_int_equal(store_fixture_finish(&f, 1, 1), STATUS_INCOMPLETE);
    assert_int_equal(f.last.received, 2);
    assert_int_equal(store_fixture_finish(&f, 1, 3), STATUS_INCOMPLETE);
    assert_int_equal(store_finished(f.store), 0);
    assert_int_equal(store_fixture_append(&f, 1, 2, 1), STATUS_OK);
    assert_int_equal(store_fixture_finish(&f, 1, 3), STATUS_OK);
    assert_int_equal(store_finished(f.store), 1);
    store_fixture_close(&f);
}

/* Finishing again succeeds but is not counted, also within one group and after a restart. */
static void counts_a_finish_once(void **state)
{
    struct store_fixture f = open_store(*state);
    struct store_call calls[4];
    unsigned ended = 0;

    for (int i = 0; i < 4; i++)
        store_call_finish(&f, &calls[i], &ended, 3, 0);
    while (ended < 4)
        (void)uv_run(f.loop, UV_RUN_ONCE);
    for (int i = 0; i < 4; i++)
        assert_int_equal(calls[i].op.status, STATUS_OK);
    assert_int_equal(store_finished(f.store), 1);
    store_fixture_close(&f);
    f = open_store(*state);
    assert_int_equal(f.report.finished, 1);
    assert_int_equal(store_fixture_finish(&f, 3, 0), STATUS_OK);
    assert_int_equal(store_finished(f.store), 1);
    store_fixture_close(&f);
}

/* Operations end in the order they were submitted, each once, whatever their outcomes. */
static void ends_in_order(void **state)
{
    enum { COUNT = 300 };
    static struct store_call calls[COUNT];
    struct store_fixture f = open_store(*state);
    uint64_t next[STORE_AGENCIES + 1] = {0};
    struct prng prng = {7};
    unsigned ended = 0;

    for (unsigned i = 0; i < COUNT; i++) {
        uint32_t agency = 1 + prng_below(&prng, STORE_AGENCIES);
        switch (prng_below(&prng, 6)) {
        case 0:
            (void)store_call_append(&f, &calls[i], &ended, agency, next[agency] + 9, 1);
            break;
        case 1:
            (void)store_call_append(&f, &calls[i], &ended, 99, 0, 1);
            break;
        case 2:
            store_call_finish(&f, &calls[i], &ended, agency, 123456);
            break;
        case 3:
            (void)store_call_append(&f, &calls[i], &ended, agency, 0, 0);
            break;
        default:
            (void)store_call_append(&f, &calls[i], &ended, agency, next[agency], 3);
            next[agency] += 3;
            break;
        }
        if (prng_below(&prng, 20) == 0)
            (void)uv_run(f.loop, UV_RUN_NOWAIT);
    }
    while (ended < COUNT)
        (void)uv_run(f.loop, UV_RUN_ONCE);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(calls[i].calls, 1);
        assert_int_equal(calls[i].order, i + 1);
    }
    expect_counts(&f, next[1], next[2], next[3], next[4]);
    store_fixture_close(&f);
}

/* A hundred batches that arrive during a sync share the next sync, and one write for each file. */
static void shares_a_sync(void **state)
{
    enum { COUNT = 100 };
    static struct store_call calls[COUNT + 1];
    struct store_fixture f = open_store(*state);
    unsigned ended = 0;

    unsigned syncs = fault_count(FAULT_FDATASYNC);
    unsigned writes = fault_count(FAULT_PWRITEV);
    fault_hold_syncs();
    (void)store_call_append(&f, &calls[0], &ended, 1, 0, 1);
    while (!fault_sync_waits())
        (void)usleep(1000);
    for (unsigned i = 1; i <= COUNT; i++)
        (void)store_call_append(&f, &calls[i], &ended, 1, i, 1);
    (void)uv_run(f.loop, UV_RUN_NOWAIT);
    assert_int_equal(ended, 0); /* nothing is acked before its sync */
    fault_release_syncs();
    while (ended < COUNT + 1)
        (void)uv_run(f.loop, UV_RUN_ONCE);
    assert_true(fault_count(FAULT_FDATASYNC) - syncs <= 4); /* two groups, two files */
    /* The same, reserved space in the journal for each group, and perhaps a note when idle. */
    assert_true(fault_count(FAULT_PWRITEV) - writes <= 7);
    expect_counts(&f, COUNT + 1, 0, 0, 0);
    store_fixture_close(&f);
}

/* Detaching stores what was submitted and runs the callbacks, even when the loop was too busy to
 * take back a single group. */
static void detaches_with_all_groups_out(void **state)
{
    enum { COUNT = 6 };
    struct store_fixture f = open_store(*state);
    struct store_call calls[COUNT];
    unsigned ended = 0;

    for (unsigned i = 0; i < COUNT; i++) {
        unsigned syncs = fault_count(FAULT_FDATASYNC);
        (void)store_call_append(&f, &calls[i], &ended, 1, i, 1);
        for (int wait = 0; wait < 100 && fault_count(FAULT_FDATASYNC) < syncs + 2; wait++)
            (void)usleep(1000);
    }
    assert_int_equal(ended, 0);
    store_fixture_detach(&f);
    assert_int_equal(ended, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(calls[i].op.status, STATUS_OK);
    assert_int_equal(store_fixture_attach(&f), STATUS_OK);
    expect_counts(&f, COUNT, 0, 0, 0);
    store_fixture_close(&f);
}

/* A batch of more than a megabyte is there after a restart like any other. */
static void keeps_a_huge_batch(void **state)
{
    enum { COUNT = 20000 };
    static char documents[COUNT][16];
    struct store_fixture f = open_store(*state);
    struct bet *bets = calloc(COUNT, sizeof(*bets));
    struct store_call call = {.calls = 0};
    unsigned ended = 0;

    assert_non_null(bets);
    char name[BET_NAME_MAX + 1];
    memset(name, '"', sizeof(name));
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(documents[i], sizeof(documents[i]), "%zu", i);
        bets[i] = (struct bet){{name, BET_NAME_MAX},
                               {name, BET_NAME_MAX},
                               text_of(documents[i]),
                               text_of("2000-02-29"),
                               1};
    }
    struct store_call *calls = &call;
    (void)store_call_append(&f, calls, &ended, 1, 0, 0); /* prepares the call */
    while (ended == 0)
        (void)uv_run(f.loop, UV_RUN_ONCE);
    assert_int_equal(store_append(f.store, &call.op, 1, 0, bets, COUNT), STATUS_OK);
    while (ended == 1)
        (void)uv_run(f.loop, UV_RUN_ONCE);
    assert_int_equal(call.op.status, STATUS_OK);
    store_fixture_close(&f);
    f = open_store(*state);
    assert_int_equal(f.report.bets, COUNT);
    assert_int_equal(store_fixture_received(&f, 1), COUNT);
    store_fixture_close(&f);
    free(bets);
}

/* After a restart exactly what was acked is there: bets, finished agencies, and nothing else. */
static void reopens_what_was_acked(void **state)
{
    struct store_fixture f = open_store(*state);

    assert_int_equal(store_fixture_append(&f, 1, 0, 4), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 4, 0, 1), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 1, 4, 2), STATUS_OK);
    assert_int_equal(store_fixture_finish(&f, 4, 1), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 4, 1, 1), STATUS_CLOSED);
    store_fixture_close(&f);
    for (int round = 0; round < 3; round++) {
        f = open_store(*state);
        assert_int_equal(f.report.bets, 7);
        assert_int_equal(f.report.finished, 1);
        assert_int_equal(f.report.bets_cut, 0);
        assert_int_equal(f.report.journal_cut, 0);
        assert_false(f.report.has_draw);
        expect_counts(&f, 6, 0, 0, 1);
        assert_int_equal(store_fixture_append(&f, 4, 1, 1), STATUS_CLOSED);
        store_fixture_close(&f);
    }
}

/* What a child of the next test does for agency `first`. Returns the child's exit status. */
static int child_appends(struct store_fixture *f, uint32_t first, unsigned rounds)
{
    if (store_fixture_attach(f) != STATUS_OK)
        return 1;
    for (unsigned i = 0; i < rounds; i++) {
        if (store_fixture_append(f, first, i * 2, 2) != STATUS_OK || f->last.received != i * 2 + 2)
            return 2;
        /* Both children send the same batches for agency 3: each is stored once. */
        if (store_fixture_append(f, 3, i, 1) != STATUS_OK || f->last.received < i + 1)
            return 3;
    }
    if (store_fixture_finish(f, first, rounds * 2) != STATUS_OK)
        return 4;
    store_fixture_detach(f);
    return 0;
}

static int wait_status(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A folder opened for children to attach to; no thread runs in this process yet. */
static struct store_fixture open_data_dir(const char *dir, const struct file_ops *ops)
{
    struct store_fixture f = {.dir = dir, .ops = ops};

    assert_int_equal(data_dir_open(dir, STORE_AGENCIES, ops, &f.data_dir, &f.report, &f.err),
                     STATUS_OK);
    return f;
}

/* Two processes on one folder interleave without losing or duplicating a bet. */
static void serves_two_processes(void **state)
{
    struct store_fixture f = open_data_dir(*state, &fault_file_ops);
    pid_t pids[2];

    for (uint32_t i = 0; i < 2; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            _exit(child_appends(&f, i + 1, 100));
    }
    assert_int_equal(wait_status(pids[0]), 0);
    assert_int_equal(wait_status(pids[1]), 0);
    assert_int_equal(store_fixture_attach(&f), STATUS_OK);
    assert_int_equal(store_finished(f.store), 2);
    expect_counts(&f, 200, 200, 100, 0);
    store_fixture_close(&f);
    f = open_store(*state);
    expect_counts(&f, 200, 200, 100, 0);
    assert_int_equal(f.report.finished, 2);
    store_fixture_close(&f);
}

/* Appends, and reports each ack through the pipe, until the fault plan ends the process. */
static int doomed_child(struct store_fixture *f, int pipe_fd, unsigned ops, unsigned after,
                        enum fault_kind kind)
{
    if (store_fixture_attach(f) != STATUS_OK)
        return 1;
    fault_plan(ops, after, kind, 0, false);
    for (unsigned i = 0; i < 3; i++) {
        struct store_call calls[4];
        unsigned ended = 0;
        for (uint32_t c = 0; c < 3; c++)
            (void)store_call_append(f, &calls[c], &ended, c % 2 + 1,
                                    i * (c == 1 ? 2 : 4) + c / 2 * 2, 2);
        store_call_finish(f, &calls[3], &ended, 4, 0);
        while (ended < 4)
            (void)uv_run(f->loop, UV_RUN_ONCE);
        if (write(pipe_fd, "+", 1) != 1)
            return 2;
    }
    return 0;
}

/* When a process dies anywhere in a commit - before, during or after any of its writes - nothing
 * that was acked is lost and no half batch is left: the next process repairs and goes on, and so
 * does a restart. */
static void survives_a_death_during_a_commit(void **state)
{
    static const enum fault_kind kinds[] = {FAULT_EXIT_BEFORE, FAULT_EXIT_HALF, FAULT_EXIT_AFTER};
    const char *base = *state;
    unsigned deaths = 0;

    for (size_t k = 0; k < 3; k++) {
        int status = FAULT_EXIT_STATUS;
        for (unsigned after = 0; status == FAULT_EXIT_STATUS; after++) {
            uint64_t counts[STORE_AGENCIES + 1];
            char dir[300];
            int fds[2];
            char acks[16];

            (void)snprintf(dir, sizeof(dir), "%s/%zu-%u", base, k, after);
            char command[320];
            (void)snprintf(command, sizeof(command), "mkdir '%s'", dir);
            assert_int_equal(system(command), 0);
            struct store_fixture f = open_data_dir(dir, &fault_file_ops);
            assert_int_equal(pipe(fds), 0);
            pid_t pid = fork();
            assert_true(pid >= 0);
            if (pid == 0)
                _exit(doomed_child(&f, fds[1], FAULT_PWRITEV | FAULT_FDATASYNC, after, kinds[k]));
            (void)close(fds[1]);
            status = wait_status(pid);
            assert_true(status == 0 || status == FAULT_EXIT_STATUS);
            deaths += status == FAULT_EXIT_STATUS;
            ssize_t acked = read(fds[0], acks, sizeof(acks));
            (void)close(fds[0]);

            /* Another process goes on: whole batches, at least the acked ones. */
            assert_int_equal(store_fixture_attach(&f), STATUS_OK);
            uint64_t one = store_fixture_received(&f, 1);
            uint64_t two = store_fixture_received(&f, 2);
            assert_true(one >= (uint64_t)acked * 4 && one % 2 == 0);
            assert_true(two >= (uint64_t)acked * 2 && two % 2 == 0);
            assert_true(acked == 0 || store_finished(f.store) == 1);
            expect_counts(&f, one, two, 0, 0);
            assert_int_equal(store_fixture_append(&f, 1, one, 3), STATUS_OK);
            assert_int_equal(store_fixture_append(&f, 3, 0, 1), STATUS_OK);
            expect_counts(&f, one + 3, two, 1, 0);
            uint32_t finished = store_finished(f.store);
            store_fixture_close(&f);

            f = open_store(dir);
            assert_int_equal(f.report.finished, finished);
            assert_int_equal(f.report.bets_cut + f.report.journal_cut, 0);
            assert_true(store_fixture_count(&f, STORE_AGENCIES, counts));
            expect_counts(&f, one + 3, two, 1, 0);
            store_fixture_close(&f);
        }
    }
    assert_true(deaths >= 30);
}

struct ordered {
    uint64_t next; /* index of the bet that must come next */
    unsigned pieces;
};

static bool take_next(void *context, uint32_t agency, const struct bet *bet)
{
    struct ordered *ordered = context;

    return agency == 1 && store_fixture_is_bet(bet, 1, ordered->next++);
}

static enum status take_lines(void *context, char *lines, size_t size, size_t *bad_at)
{
    ((struct ordered *)context)->pieces++;
    return bets_csv_parse(lines, size, take_next, context, bad_at);
}

/* A scan in any number of parts returns every line once and in order, for any number of bets. */
static void scans_in_parts(void **state)
{
    struct store_fixture f = open_store(*state);
    const uint64_t sizes[] = {0, 1, 2, 3, 7, 40, 300};
    uint64_t total = 0;

    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        while (total < sizes[s]) {
            size_t count = sizes[s] - total > 200 ? 200 : (size_t)(sizes[s] - total);
            assert_int_equal(store_fixture_append(&f, 1, total, count), STATUS_OK);
            total += count;
        }
        for (unsigned parts = 1; parts <= 7; parts++) {
            struct ordered ordered = {0, 0};
            for (unsigned part = 0; part < parts; part++)
                assert_int_equal(store_scan(f.store, part, parts, take_lines, &ordered, &f.err),
                                 STATUS_OK);
            assert_int_equal(ordered.next, total);
        }
    }
    /* More parts than a line has bytes, so that several begin within one line. */
    for (unsigned parts = 8; parts <= 2000; parts += 83) {
        struct ordered ordered = {0, 0};
        for (unsigned part = 0; part < parts; part++)
            assert_int_equal(store_scan(f.store, part, parts, take_lines, &ordered, &f.err),
                             STATUS_OK);
        assert_int_equal(ordered.next, total);
    }
    store_fixture_close(&f);
}

/* A file larger than the scan's block is also read completely and in order. */
static void scans_a_large_file(void **state)
{
    struct store_fixture f = open_store(*state);
    uint64_t total = 0;

    for (; total < 80 * 1000; total += 200) {
        struct store_call call;
        unsigned ended = 0;
        (void)store_call_append(&f, &call, &ended, 1, total, 200);
        while (ended == 0)
            (void)uv_run(f.loop, UV_RUN_ONCE);
    }
    for (unsigned parts = 1; parts <= 2; parts++) {
        struct ordered ordered = {0, 0};
        for (unsigned part = 0; part < parts; part++)
            assert_int_equal(store_scan(f.store, part, parts, take_lines, &ordered, &f.err),
                             STATUS_OK);
        assert_int_equal(ordered.next, total);
        assert_true(ordered.pieces > parts);
    }
    store_fixture_close(&f);
}

static enum status stop_lines(void *context, char *lines, size_t size, size_t *bad_at)
{
    (void)lines;
    (void)size;
    *bad_at = 5;
    return *(enum status *)context;
}

/* A scan returns the status that stopped it; for a bad line the error has file and offset. */
static void scan_reports_what_stopped_it(void **state)
{
    struct store_fixture f = open_store(*state);
    enum status stop = STATUS_STOPPED;

    assert_int_equal(store_fixture_append(&f, 1, 0, 2), STATUS_OK);
    assert_int_equal(store_scan(f.store, 0, 1, stop_lines, &stop, &f.err), STATUS_STOPPED);
    stop = STATUS_DAMAGED;
    assert_int_equal(store_scan(f.store, 0, 1, stop_lines, &stop, &f.err), STATUS_DAMAGED);
    assert_non_null(strstr(f.err.text, "bets.csv"));
    assert_non_null(strstr(f.err.text, "byte 5"));
    store_fixture_close(&f);
}

static struct draw make_draw(size_t count)
{
    struct draw draw = {STORE_NUMBER, {NULL, 0, 0}};

    for (size_t i = 0; i < count; i++) {
        struct winner winner = {.agency = (uint32_t)(i % STORE_AGENCIES + 1), .document_size = 3};
        memcpy(winner.document, "00", 2); /* leading zeros are kept */
        winner.document[2] = (char)('0' + i % 10);
        assert_int_equal(winner_list_add(&draw.winners, &winner), STATUS_OK);
    }
    return draw;
}

static void expect_draw(struct store_fixture *f, const struct draw *wanted)
{
    struct draw draw;

    assert_true(store_has_draw(f->store));
    assert_int_equal(store_read_draw(f->store, &draw, &f->err), STATUS_OK);
    assert_int_equal(draw.winner_number, wanted->winner_number);
    assert_int_equal(draw.winners.count, wanted->winners.count);
    for (size_t i = 0; i < draw.winners.count; i++) {
        const struct winner *is = &draw.winners.items[i];
        const struct winner *should = &wanted->winners.items[i];
        assert_int_equal(is->agency, should->agency);
        assert_int_equal(is->document_size, should->document_size);
        assert_memory_equal(is->document, should->document, is->document_size);
    }
    winner_list_fini(&draw.winners);
}

/* The draw can be read once it is saved, also after a restart, and from then on no bet is stored.
 */
static void keeps_the_draw(void **state)
{
    for (size_t count = 0; count <= 200; count += 100) {
        struct draw draw = make_draw(count);
        char dir[300];
        char command[320];

        (void)snprintf(dir, sizeof(dir), "%s/%zu", (char *)*state, count);
        (void)snprintf(command, sizeof(command), "mkdir '%s'", dir);
        assert_int_equal(system(command), 0);
        struct store_fixture f = open_store(dir);
        struct draw none;
        assert_int_equal(store_fixture_append(&f, 1, 0, 1), STATUS_OK);
        assert_int_equal(store_read_draw(f.store, &none, &f.err), STATUS_NOTFOUND);
        assert_false(store_has_draw(f.store));
        assert_int_equal(store_save_draw(f.store, &draw, &f.err), STATUS_OK);
        expect_draw(&f, &draw);
        assert_int_equal(store_fixture_append(&f, 1, 1, 1), STATUS_CLOSED);
        assert_int_equal(store_fixture_append(&f, 1, 0, 1), STATUS_OK); /* stored */
        store_fixture_close(&f);

        f = open_store(dir);
        assert_true(f.report.has_draw);
        assert_int_equal(f.report.winners, count);
        expect_draw(&f, &draw);
        assert_int_equal(store_fixture_append(&f, 2, 0, 1), STATUS_CLOSED);
        expect_counts(&f, 1, 0, 0, 0);
        store_fixture_close(&f);
        winner_list_fini(&draw.winners);
    }
}

/* A second draw is refused and changes nothing. */
static void refuses_a_second_draw(void **state)
{
    struct store_fixture f = open_store(*state);
    struct draw first = make_draw(3);
    struct draw second = make_draw(5);

    assert_int_equal(store_save_draw(f.store, &first, &f.err), STATUS_OK);
    struct folder before = folder_read(*state);
    assert_int_equal(store_save_draw(f.store, &second, &f.err), STATUS_CLOSED);
    assert_true(folder_equals(*state, &before));
    expect_draw(&f, &first);
    store_fixture_close(&f);
    f = open_store(*state);
    expect_draw(&f, &first);
    store_fixture_close(&f);
    folder_free(&before);
    winner_list_fini(&first.winners);
    winner_list_fini(&second.winners);
}

/* winners.csv is `agency,document` per line with CRLF. */
static void writes_winners_csv(void **state)
{
    struct store_fixture f = open_store(*state);
    struct draw draw = make_draw(2);

    assert_int_equal(store_save_draw(f.store, &draw, &f.err), STATUS_OK);
    store_fixture_close(&f);
    struct folder folder = folder_read(*state);
    folder.bytes[2][folder.sizes[2]] = '\0';
    assert_string_equal((char *)folder.bytes[2], "1,000\r\n2,001\r\n");
    folder_free(&folder);
    winner_list_fini(&draw.winners);
}

/* A folder that is open cannot be opened again until it is closed. */
static void opens_a_folder_only_once(void **state)
{
    struct store_fixture f = open_store(*state);
    struct store_fixture other;

    assert_int_equal(store_fixture_open(&other, *state, &file_ops_system, STORE_AGENCIES),
                     STATUS_INUSE);
    assert_non_null(strstr(other.err.text, *state));
    expect_counts(&f, 0, 0, 0, 0);
    store_fixture_close(&f);
    f = open_store(*state);
    store_fixture_close(&f);
}

/* N may be raised later, but not below an agency that has bets. */
static void checks_the_number_of_agencies(void **state)
{
    struct store_fixture f = open_store(*state);

    assert_int_equal(store_fixture_append(&f, 4, 0, 1), STATUS_OK);
    store_fixture_close(&f);
    assert_int_equal(store_fixture_open(&f, *state, &file_ops_system, 3), STATUS_INVALID);
    assert_non_null(strstr(f.err.text, "LOTTERY_AGENCIES"));
    assert_int_equal(store_fixture_open(&f, *state, &file_ops_system, 10000), STATUS_OK);
    assert_int_equal(store_fixture_received(&f, 4), 1);
    assert_int_equal(store_fixture_received(&f, 10000), 0);
    store_fixture_close(&f);
}

/* A folder that does not exist is refused, and the error names it. */
static void refuses_a_missing_folder(void **state)
{
    struct store_fixture f;
    char path[300];

    (void)snprintf(path, sizeof(path), "%s/nothing", (char *)*state);
    assert_int_equal(store_fixture_open(&f, path, &file_ops_system, 1), STATUS_NOTFOUND);
    assert_non_null(strstr(f.err.text, path));
}

/* A bets.csv without a journal belongs to someone else and stays untouched. */
static void leaves_a_foreign_file_alone(void **state)
{
    struct folder folder = {{(unsigned char *)(uintptr_t) "1,a,b,3,2000-01-01,4\r\n", NULL, NULL},
                            {22, 0, 0}};
    struct store_fixture f;

    folder_write(*state, &folder);
    assert_int_equal(store_fixture_open(&f, *state, &file_ops_system, 1), STATUS_DAMAGED);
    assert_non_null(strstr(f.err.text, "bets.csv"));
    assert_true(folder_equals(*state, &folder));
}

#define MANY_AGENCIES 3000

/* Reads the store's state again and again, like another process. */
struct watcher {
    const struct state *state;
    uint64_t sizes[MANY_AGENCIES + 1]; /* bytes of bets.csv when this many have finished */
    _Atomic bool is_over;
    unsigned faults; /* how often agencies had finished, but their bets were not there */
};

static void watch(void *argument)
{
    struct watcher *watcher = argument;

    while (!atomic_load(&watcher->is_over)) {
        uint32_t finished = atomic_load(&watcher->state->finished);
        watcher->faults += atomic_load(&watcher->state->bets_size) < watcher->sizes[finished];
    }
}

/* If an agency sends Finished right after its bets, in the same group, a process that sees that it
 * has finished also sees its bets. Otherwise a draw could leave them out. */
static void shows_bets_before_their_finish(void **state)
{
    static struct watcher watcher;
    static struct store_call calls[2 * MANY_AGENCIES];
    char line[BETS_CSV_LINE_MAX];
    struct store_fixture f;
    uv_thread_t thread;
    unsigned ended = 0;

    assert_int_equal(store_fixture_open(&f, *state, &file_ops_system, MANY_AGENCIES), STATUS_OK);
    watcher = (struct watcher){.state = f.data_dir->state};
    for (uint32_t i = 1; i <= MANY_AGENCIES; i++)
        watcher.sizes[i] =
            watcher.sizes[i - 1] + bets_csv_format(i, store_fixture_bets(i, 0, 1), 1, line);
    assert_int_equal(uv_thread_create(&thread, watch, &watcher), 0);
    for (uint32_t i = 1; i <= MANY_AGENCIES; i++) {
        assert_int_equal(store_call_append(&f, &calls[2 * i - 2], &ended, i, 0, 1), STATUS_OK);
        store_call_finish(&f, &calls[2 * i - 1], &ended, i, 1);
        while (ended < 2 * i)
            (void)uv_run(f.loop, UV_RUN_ONCE);
    }
    atomic_store(&watcher.is_over, true);
    assert_int_equal(uv_thread_join(&thread), 0);
    assert_int_equal(store_finished(f.store), MANY_AGENCIES);
    assert_int_equal(watcher.faults, 0);
    store_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
        CASE(appends_a_batch),
        CASE(stores_a_batch_once),
        CASE(stores_only_the_new_bets),
        CASE(reduces_the_backlog),
        CASE(refuses_a_gap),
        CASE(closes_an_agency),
        CASE(refuses_unknown_agencies),
        CASE(refuses_an_incomplete_total),
        CASE(counts_a_finish_once),
        CASE(shows_bets_before_their_finish),
        CASE(ends_in_order),
        CASE(shares_a_sync),
        CASE(detaches_with_all_groups_out),
        CASE(keeps_a_huge_batch),
        CASE(reopens_what_was_acked),
        CASE(serves_two_processes),
        CASE(survives_a_death_during_a_commit),
        CASE(scans_in_parts),
        CASE(scans_a_large_file),
        CASE(scan_reports_what_stopped_it),
        CASE(keeps_the_draw),
        CASE(refuses_a_second_draw),
        CASE(writes_winners_csv),
        CASE(opens_a_folder_only_once),
        CASE(checks_the_number_of_agencies),
        CASE(refuses_a_missing_folder),
        CASE(leaves_a_foreign_file_alone),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
