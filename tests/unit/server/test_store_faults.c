/* Every file operation and every allocation of the store fails once, at each of its calls: the
 * status is right, nothing leaks, the folder opens afterwards, and the promise holds: what was
 * acked is stored, and what was not is stored entirely or not at all. */
#include "cmocka_all.h"

#include "alloc_fault.h"
#include "fault_file_ops.h"
#include "store_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* One way in which one operation fails. */
struct way {
    unsigned op;
    enum fault_kind kind;
    int error;
    enum status status; /* the expected result; STATUS_OK: either IO or NOSPACE */
};

static const struct way ways[] = {
    {FAULT_OPENAT, FAULT_ERROR, EIO, STATUS_IO},
    {FAULT_OPENAT, FAULT_ERROR, ENOSPC, STATUS_NOSPACE},
    {FAULT_PREAD, FAULT_ERROR, EIO, STATUS_IO},
    {FAULT_PWRITEV, FAULT_ERROR, EIO, STATUS_IO},
    {FAULT_PWRITEV, FAULT_ERROR, ENOSPC, STATUS_NOSPACE},
    {FAULT_PWRITEV, FAULT_SHORT, ENOSPC, STATUS_NOSPACE},
    {FAULT_FDATASYNC, FAULT_ERROR, EIO, STATUS_IO},
    {FAULT_FDATASYNC, FAULT_ERROR, ENOSPC, STATUS_OK},
    {FAULT_FTRUNCATE, FAULT_ERROR, EIO, STATUS_IO},
    {FAULT_RENAMEAT, FAULT_ERROR, EIO, STATUS_IO},
    {FAULT_RENAMEAT, FAULT_ERROR, ENOSPC, STATUS_NOSPACE},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void expect_status(const struct way *way, enum status status)
{
    if (way->status != STATUS_OK)
        assert_int_equal(status, way->status);
    else
        assert_true(status == STATUS_IO || status == STATUS_NOSPACE);
}

static unsigned open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    assert_int_equal(closedir(dir), 0);
    return count;
}

/* A new folder for one round. */
static const char *round_dir(const char *base)
{
    static unsigned round;
    static char dir[300];
    char command[320];

    (void)snprintf(dir, sizeof(dir), "%s/%u", base, ++round);
    (void)snprintf(command, sizeof(command), "%s", dir);
    assert_int_equal(mkdir(command, 0755), 0);
    return dir;
}

static struct store_fixture open_store(const char *dir, const struct file_ops *ops)
{
    struct store_fixture f;

    enum status status = store_fixture_open(&f, dir, ops, STORE_AGENCIES);
    if (status != STATUS_OK)
        fail_msg("%s: %s", dir, f.err.text);
    return f;
}

static void expect_bets(struct store_fixture *f, uint64_t first, uint64_t second)
{
    uint64_t counts[STORE_AGENCIES + 1];

    assert_true(store_fixture_count(f, STORE_AGENCIES, counts));
    assert_int_equal(counts[1], first);
    assert_int_equal(counts[2], second);
    assert_int_equal(store_fixture_received(f, 1), first);
    assert_int_equal(store_fixture_received(f, 2), second);
}

/* The folder has these bets and can be used as before, with the real file operations. */
static void expect_valid(const char *dir, uint64_t first, uint64_t second, bool has_draw)
{
    struct store_fixture f = open_store(dir, &file_ops_system);

    expect_bets(&f, first, second);
    assert_int_equal(store_has_draw(f.store), has_draw);
    if (!has_draw) {
        assert_int_equal(store_fixture_append(&f, 2, second, 1), STATUS_OK);
        second++;
    }
    store_fixture_close(&f);
    f = open_store(dir, &file_ops_system);
    expect_bets(&f, first, second);
    store_fixture_close(&f);
}

/* Opening a new folder: whichever call fails, the opening fails with its status, and the next
 * opening succeeds. */
static void opening_a_new_folder(void **state)
{
    for (size_t w = 0; w < WAYS; w++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            const char *dir = round_dir(*state);
            struct store_fixture f;
            unsigned before = open_descriptors();
            fault_reset();
            fault_plan(ways[w].op, after, ways[w].kind, ways[w].error, false);
            enum status status = store_fixture_open(&f, dir, &fault_file_ops, STORE_AGENCIES);
            has_struck = fault_end();
            if (has_struck) {
                expect_status(&ways[w], status);
                assert_true(f.err.text[0] != '\0');
            } else {
                assert_int_equal(status, STATUS_OK);
                store_fixture_close(&f);
            }
            assert_int_equal(open_descriptors(), before);
            expect_valid(dir, 0, 0, false);
        }
        assert_true(w > 0 || fault_count(FAULT_OPENAT) > 5);
    }
}

/* Makes a folder with three bets and a torn tail at the end of both files. Returns the stat of its
 * journal. */
static struct stat make_torn(const char *dir)
{
    char path[320];
    struct stat info = {0};
    struct store_fixture f = open_store(dir, &file_ops_system);

    assert_int_equal(store_fixture_append(&f, 1, 0, 3), STATUS_OK);
    struct folder folder = folder_read(dir); /* before closing notes everything as durable */
    store_fixture_close(&f);
    folder_write(dir, &folder);
    folder_free(&folder);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, folder_names[i]);
        FILE *file = fopen(path, "a");
        assert_non_null(file);
        assert_true(fputs("torn", file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(stat(path, &info), 0);
    }
    return info;
}

/* Recovering a folder with a torn tail and bets that are not known to be on disk: the same. */
static void recovering_a_folder(void **state)
{
    for (size_t w = 0; w < WAYS; w++) {
        bool has_struck = true;
        unsigned after = 0;
        for (; has_struck; after++) {
            const char *dir = round_dir(*state);
            struct store_fixture f;
            struct stat torn = make_torn(dir);
            unsigned before = open_descriptors();
            fault_reset();
            fault_plan(ways[w].op, after, ways[w].kind, ways[w].error, false);
            enum status status = store_fixture_open(&f, dir, &fault_file_ops, STORE_AGENCIES);
            has_struck = fault_end();
            if (has_struck) {
                expect_status(&ways[w], status);
                assert_true(f.err.text[0] != '\0');
            } else {
                assert_int_equal(status, STATUS_OK);
                assert_int_equal(f.report.bets_cut, 4);
                assert_int_equal(f.report.journal_cut,
                                 torn.st_size - (off_t)f.report.journal_bytes);
                store_fixture_close(&f);
            }
            assert_int_equal(open_descriptors(), before);
            expect_valid(dir, 3, 0, false);
        }
        if (ways[w].op != FAULT_RENAMEAT)
            assert_true(after > 2);
    }
}

/* The disk stays broken: everything fails from the n-th call on, and the opening still ends with
 * the right status. */
static void recovering_on_a_dead_disk(void **state)
{
    bool has_struck = true;

    for (unsigned after = 0; has_struck; after++) {
        const char *dir = round_dir(*state);
        struct store_fixture f;
        make_torn(dir);
        fault_reset();
        fault_plan(FAULT_ANY, after, FAULT_ERROR, EIO, true);
        enum status status = store_fixture_open(&f, dir, &fault_file_ops, STORE_AGENCIES);
        has_struck = fault_end();
        assert_int_equal(status, has_struck ? STATUS_IO : STATUS_OK);
        if (!has_struck)
            store_fixture_close(&f);
        expect_valid(dir, 3, 0, false);
    }
}

/* Storing: when a write fails or is short, only its operations fail; the next ones are stored, now
 * and after a restart. */
static void storing(void **state)
{
    for (size_t w = 0; w < WAYS; w++) {
        if (ways[w].op != FAULT_PWRITEV)
            continue;
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            const char *dir = round_dir(*state);
            struct store_fixture f = open_store(dir, &fault_file_ops);
            assert_int_equal(store_fixture_append(&f, 1, 0, 1), STATUS_OK);
            uint64_t first = 1;
            uint64_t second = 0;

            fault_reset();
            fault_plan(FAULT_PWRITEV, after, ways[w].kind, ways[w].error, false);
            enum status status = store_fixture_append(&f, 1, first, 2);
            first += status == STATUS_OK ? 2 : 0;
            bool has_failed = status != STATUS_OK;
            assert_int_equal(f.last.received, first);
            assert_int_equal(f.last.stored, status == STATUS_OK ? 2 : 0);
            if (has_failed)
                expect_status(&ways[w], status);
            status = store_fixture_append(&f, 2, 0, 3);
            second += status == STATUS_OK ? 3 : 0;
            assert_true(status == STATUS_OK || !has_failed);
            if (status != STATUS_OK)
                expect_status(&ways[w], status);
            has_failed = has_failed || status != STATUS_OK;
            status = store_fixture_finish(&f, 3, 0);
            assert_int_equal(store_finished(f.store), status == STATUS_OK ? 1 : 0);
            if (status != STATUS_OK)
                expect_status(&ways[w], status);
            has_struck = fault_end();
            assert_int_equal(store_backlog(f.store), 0);
            expect_bets(&f, first, second);
            assert_int_equal(store_fixture_append(&f, 1, first, 1), STATUS_OK);
            expect_bets(&f, first + 1, second);
            assert_int_equal(store_fixture_finish(&f, 3, 0), STATUS_OK);
            assert_int_equal(store_finished(f.store), 1);
            store_fixture_close(&f);
            expect_valid(dir, first + 1, second, false);
        }
    }
}

static int wait_status(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int store_in_child(struct store_fixture *f, int acks)
{
    if (store_fixture_attach(f) != STATUS_OK)
        return 1;
    for (uint64_t i = 0; i < 3; i++) {
        if (store_fixture_append(f, 1, i, 1) != STATUS_OK)
            return 2;
        if (write(acks, "+", 1) != 1)
            return 3;
    }
    return 0;
}

/* A failed sync, or a failed write that cannot be undone, ends the process through on_fatal before
 * anything is acked; what was acked earlier is there afterwards. */
static void ending_the_process(void **state)
{
    for (int with_cut = 0; with_cut < 2; with_cut++) {
        int status = STORE_FATAL_EXIT;
        unsigned deaths = 0;
        for (unsigned after = 0; status == STORE_FATAL_EXIT; after++) {
            const char *dir = round_dir(*state);
            struct store_fixture f = {.dir = dir, .ops = &fault_file_ops};
            char acks[8];
            int fds[2];

            fault_reset();
            assert_int_equal(
                data_dir_open(dir, STORE_AGENCIES, &fault_file_ops, &f.data_dir, &f.report, &f.err),
                STATUS_OK);
            assert_int_equal(pipe(fds), 0);
            pid_t pid = fork();
            assert_true(pid >= 0);
            if (pid == 0) {
                if (with_cut)
                    fault_plan(FAULT_PWRITEV | FAULT_FTRUNCATE, after, FAULT_ERROR, ENOSPC, true);
                else
                    fault_plan(FAULT_FDATASYNC, after, FAULT_ERROR, EIO, false);
                _exit(store_in_child(&f, fds[1]));
            }
            (void)close(fds[1]);
            status = wait_status(pid);
            ssize_t acked = read(fds[0], acks, sizeof(acks));
            (void)close(fds[0]);
            assert_true(status == 0 || status == STORE_FATAL_EXIT);
            deaths += status != 0;
            data_dir_close(f.data_dir);

            f = open_store(dir, &file_ops_system);
            uint64_t stored = store_fixture_received(&f, 1);
            assert_true(stored == (uint64_t)acked || stored == (uint64_t)acked + 1);
            assert_true(!with_cut || status == 0 || stored == (uint64_t)acked);
            store_fixture_close(&f);
            expect_valid(dir, stored, 0, false);
        }
        assert_true(deaths >= 6);
    }
}

/* Saving the draw: whatever fails, except a sync of the journal, the status says so, there is no
 * draw, and trying again succeeds. */
static void saving_the_draw(void **state)
{
    struct winner winner = {.agency = 1, .document_size = 3, .document = "1D0"};
    struct draw draw = {STORE_NUMBER, {&winner, 1, 1}};

    for (size_t w = 0; w < WAYS; w++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            if (ways[w].op == FAULT_FDATASYNC && after == 2)
                break; /* later failures are final: see the next test */
            const char *dir = round_dir(*state);
            struct store_fixture f = open_store(dir, &fault_file_ops);
            struct draw none;
            assert_int_equal(store_fixture_append(&f, 1, 0, 1), STATUS_OK);
            unsigned before = open_descriptors();
            fault_reset();
            fault_plan(ways[w].op, after, ways[w].kind, ways[w].error, false);
            enum status status = store_save_draw(f.store, &draw, &f.err);
            has_struck = fault_end();
            assert_int_equal(open_descriptors(), before);
            if (has_struck) {
                expect_status(&ways[w], status);
                assert_true(f.err.text[0] != '\0');
                assert_false(store_has_draw(f.store));
                assert_int_equal(store_read_draw(f.store, &none, &f.err), STATUS_NOTFOUND);
                assert_int_equal(store_fixture_append(&f, 2, 0, 1), STATUS_OK);
                status = store_save_draw(f.store, &draw, &f.err);
            } else {
                assert_int_equal(store_fixture_append(&f, 2, 0, 1), STATUS_CLOSED);
            }
            assert_int_equal(status, STATUS_OK);
            assert_true(store_has_draw(f.store));
            store_fixture_close(&f);
            expect_valid(dir, 1, has_struck ? 1 : 0, true);
        }
    }
}

/* Saving the draw: a failed sync of the record ends the process, and the draw took place entirely
 * or not at all. */
static void saving_the_draw_without_a_sync(void **state)
{
    struct winner winner = {.agency = 1, .document_size = 3, .document = "1D0"};
    struct draw draw = {STORE_NUMBER, {&winner, 1, 1}};

    for (unsigned after = 2; after < 4; after++) {
        const char *dir = round_dir(*state);
        struct store_fixture f = {.dir = dir, .ops = &fault_file_ops};
        fault_reset();
        assert_int_equal(
            data_dir_open(dir, STORE_AGENCIES, &fault_file_ops, &f.data_dir, &f.report, &f.err),
            STATUS_OK);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)store_fixture_attach(&f);
            fault_plan(FAULT_FDATASYNC, after, FAULT_ERROR, EIO, false);
            (void)store_save_draw(f.store, &draw, &f.err);
            _exit(0);
        }
        assert_int_equal(wait_status(pid), STORE_FATAL_EXIT);
        data_dir_close(f.data_dir);
        f = open_store(dir, &file_ops_system);
        bool has_draw = store_has_draw(f.store);
        struct draw read = {0, {NULL, 0, 0}};
        assert_int_equal(store_read_draw(f.store, &read, &f.err),
                         has_draw ? STATUS_OK : STATUS_NOTFOUND);
        winner_list_fini(&read.winners);
        store_fixture_close(&f);
        expect_valid(dir, 0, 0, has_draw);
    }
}

/* A process dies when the record of the draw is on disk but the others do not know it yet, and
 * nobody repairs: closing the folder loses nothing, and the next start finds the draw. */
static void dying_during_the_draw(void **state)
{
    struct winner winner = {.agency = 1, .document_size = 3, .document = "1D0"};
    struct draw draw = {STORE_NUMBER, {&winner, 1, 1}};
    struct store_fixture f = {.dir = *state, .ops = &fault_file_ops};

    assert_int_equal(
        data_dir_open(*state, STORE_AGENCIES, &fault_file_ops, &f.data_dir, &f.report, &f.err),
        STATUS_OK);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)store_fixture_attach(&f);
        /* winners.csv and its folder are the first two, bets.csv and the journal the next. */
        fault_plan(FAULT_FDATASYNC, 3, FAULT_EXIT_AFTER, 0, false);
        (void)store_save_draw(f.store, &draw, &f.err);
        _exit(0);
    }
    assert_int_equal(wait_status(pid), FAULT_EXIT_STATUS);
    data_dir_close(f.data_dir);
    expect_valid(*state, 0, 0, true);
}

/* On a disk without space for a reserve, what fits is still stored. */
static void storing_without_reserved_space(void **state)
{
    struct store_fixture f = open_store(*state, &fault_file_ops);

    fault_plan(FAULT_PWRITEV, 0, FAULT_ERROR, ENOSPC, false); /* the reserve for records */
    assert_int_equal(store_fixture_append(&f, 1, 0, 2), STATUS_OK);
    assert_true(fault_end());
    fault_plan(FAULT_PWRITEV, 0, FAULT_SHORT, ENOSPC, false);
    assert_int_equal(store_fixture_append(&f, 2, 0, 1), STATUS_OK);
    assert_true(fault_end());
    for (uint64_t i = 0; i < 200; i++) /* from here on with a reserve again */
        assert_int_equal(store_fixture_append(&f, 1, 2 + i, 1), STATUS_OK);
    store_fixture_close(&f);
    expect_valid(*state, 202, 1, false);
}

/* Reading the draw and scanning: the status of a failed read is the result, with no side effect. */
static void reading(void **state)
{
    struct winner winner = {.agency = 1, .document_size = 3, .document = "1D0"};
    struct draw draw = {STORE_NUMBER, {&winner, 1, 1}};
    struct store_fixture f = open_store(*state, &fault_file_ops);
    uint64_t counts[STORE_AGENCIES + 1];

    assert_int_equal(store_fixture_append(&f, 1, 0, 9), STATUS_OK);
    assert_int_equal(store_save_draw(f.store, &draw, &f.err), STATUS_OK);
    unsigned before = open_descriptors();
    for (unsigned op = FAULT_OPENAT; op <= FAULT_PREAD; op *= 2) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            struct draw read = {0, {NULL, 0, 0}};
            fault_plan(op, after, FAULT_ERROR, EIO, false);
            enum status status = store_read_draw(f.store, &read, &f.err);
            has_struck = fault_end();
            assert_int_equal(status, has_struck ? STATUS_IO : STATUS_OK);
            assert_int_equal(read.winners.count, has_struck ? 0 : 1);
            winner_list_fini(&read.winners);
        }
    }
    fault_plan(FAULT_PREAD, 0, FAULT_ERROR, EIO, false);
    assert_false(store_fixture_count(&f, STORE_AGENCIES, counts));
    assert_non_null(strstr(f.err.text, "bets.csv"));
    assert_true(fault_end());
    assert_true(store_fixture_count(&f, STORE_AGENCIES, counts));
    assert_int_equal(counts[1], 9);
    assert_int_equal(open_descriptors(), before);
    store_fixture_close(&f);
}

/* Closing: whatever fails, nothing that was acked is lost. */
static void closing(void **state)
{
    for (size_t w = 0; w < WAYS; w++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            const char *dir = round_dir(*state);
            unsigned before = open_descriptors();
            struct store_fixture f = open_store(dir, &fault_file_ops);
            assert_int_equal(store_fixture_append(&f, 1, 0, 3), STATUS_OK);
            store_fixture_detach(&f);
            fault_reset();
            fault_plan(ways[w].op, after, ways[w].kind, ways[w].error, false);
            data_dir_close(f.data_dir);
            has_struck = fault_end();
            assert_int_equal(open_descriptors(), before);
            expect_valid(dir, 3, 0, false);
        }
    }
}

/* Checking: the status of the failed call is the result, and the folder is unchanged. */
static void checking(void **state)
{
    struct store_report report;
    const char *dir = round_dir(*state);

    make_torn(dir);
    struct folder folder = folder_read(dir);
    unsigned before = open_descriptors();
    for (size_t w = 0; w < 3; w++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            struct errbuf err = {{0}};
            fault_plan(ways[w].op, after, ways[w].kind, ways[w].error, false);
            enum status status =
                data_dir_check(dir, STORE_AGENCIES, &fault_file_ops, &report, NULL, NULL, &err);
            has_struck = fault_end();
            assert_int_equal(status, has_struck ? ways[w].status : STATUS_OK);
            assert_int_equal(has_struck, err.text[0] != '\0');
            assert_int_equal(open_descriptors(), before);
        }
    }
    assert_true(folder_equals(dir, &folder));
    folder_free(&folder);
}

/* Opening: whichever allocation fails, the status is NOMEM, nothing stays open, and the next
 * opening succeeds. */
static void opening_without_memory(void **state)
{
    bool has_failed = true;
    unsigned after = 0;

    for (; has_failed; after++) {
        const char *dir = round_dir(*state);
        struct data_dir *data_dir = NULL;
        struct store_report report;
        struct errbuf err = {{0}};
        make_torn(dir);
        unsigned before = open_descriptors();
        alloc_fault_after(after);
        enum status status =
            data_dir_open(dir, STORE_AGENCIES, &file_ops_system, &data_dir, &report, &err);
        has_failed = alloc_fault_end();
        assert_int_equal(status, has_failed ? STATUS_NOMEM : STATUS_OK);
        if (status == STATUS_OK)
            data_dir_close(data_dir);
        else
            assert_true(err.text[0] != '\0');
        assert_int_equal(open_descriptors(), before);
        expect_valid(dir, 3, 0, false);
    }
    assert_true(after > 2);
}

/* Attaching, storing, saving and reading the draw: whichever allocation fails, the operation
 * returns NOMEM and does nothing; trying again succeeds. */
static void working_without_memory(void **state)
{
    struct winner winner = {.agency = 1, .document_size = 3, .document = "1D0"};
    struct draw draw = {STORE_NUMBER, {&winner, 1, 1}};
    unsigned failures = 0;

    for (unsigned what = 0; what < 6; what++) {
        bool has_failed = true;
        for (unsigned after = 0; has_failed; after++) {
            const char *dir = round_dir(*state);
            struct store_fixture f = open_store(dir, &file_ops_system);
            uint64_t counts[STORE_AGENCIES + 1];
            struct draw read = {0, {NULL, 0, 0}};
            enum status status = STATUS_OK;
            if (what >= 4)
                assert_int_equal(store_save_draw(f.store, &draw, &f.err), STATUS_OK);
            if (what == 0)
                store_fixture_detach(&f);
            alloc_fault_after(after);
            switch (what) {
            case 0:
                status = store_fixture_attach(&f);
                break;
            case 1:
                status = store_fixture_append(&f, 1, 0, 3);
                break;
            case 2:
                status = store_fixture_finish(&f, 3, 0);
                break;
            case 3:
                status = store_save_draw(f.store, &draw, &f.err);
                break;
            case 4:
                status = store_read_draw(f.store, &read, &f.err);
                break;
            default:
                status = store_fixture_count(&f, STORE_AGENCIES, counts) ? STATUS_OK : STATUS_NOMEM;
                break;
            }
            has_failed = alloc_fault_end();
            failures += has_failed;
            assert_int_equal(status, has_failed ? STATUS_NOMEM : STATUS_OK);
            winner_list_fini(&read.winners);
            if (what == 0 && status != STATUS_OK)
                assert_int_equal(store_fixture_attach(&f), STATUS_OK);
            assert_int_equal(store_finished(f.store), what == 2 && status == STATUS_OK ? 1 : 0);
            assert_int_equal(store_has_draw(f.store),
                             what >= 4 || (what == 3 && status == STATUS_OK));
            expect_bets(&f, what == 1 && status == STATUS_OK ? 3 : 0, 0);
            if (what < 3)
                assert_int_equal(store_fixture_append(&f, 1, 0, 3), STATUS_OK);
            assert_int_equal(store_backlog(f.store), 0);
            store_fixture_close(&f);
            expect_valid(dir, what < 3 ? 3 : 0, 0, what >= 4 || (what == 3 && !has_failed));
        }
    }
    assert_true(failures >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
        CASE(opening_a_new_folder),
        CASE(recovering_a_folder),
        CASE(recovering_on_a_dead_disk),
        CASE(storing),
        CASE(ending_the_process),
        CASE(saving_the_draw),
        CASE(saving_the_draw_without_a_sync),
        CASE(dying_during_the_draw),
        CASE(storing_without_reserved_space),
        CASE(reading),
        CASE(closing),
        CASE(checking),
        CASE(opening_without_memory),
        CASE(working_without_memory),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
