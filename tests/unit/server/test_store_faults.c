/* Every file operation and every allocation of the store fails once, at each of its calls, or from
 * then on: the status is right, nothing leaks, the folder opens afterwards, and the promise holds:
 * what was committed is stored, and what was not is stored in whole batches or not at all. */
#include "cmocka_all.h"

#include "alloc_fault.h"
#include "descriptors.h"
#include "fault_file_ops.h"
#include "store_fixture.h"
#include "store_script.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One way in which one operation fails. */
struct way {
    unsigned op;
    enum fault_kind kind;
    int error;
    enum status status; /* what it becomes */
};

static const struct way ways[] = {
    {FAULT_OPENAT, FAULT_ERROR, EIO, STATUS_IO},
    {FAULT_OPENAT, FAULT_ERROR, ENOSPC, STATUS_NOSPACE},
    {FAULT_PREAD, FAULT_ERROR, EIO, STATUS_IO},
    {FAULT_PWRITEV, FAULT_ERROR, EIO, STATUS_IO},
    {FAULT_PWRITEV, FAULT_ERROR, ENOSPC, STATUS_NOSPACE},
    {FAULT_PWRITEV, FAULT_SHORT, ENOSPC, STATUS_NOSPACE},
    {FAULT_FDATASYNC, FAULT_ERROR, EIO, STATUS_IO},
    {FAULT_FDATASYNC, FAULT_ERROR, ENOSPC, STATUS_NOSPACE},
    {FAULT_FTRUNCATE, FAULT_ERROR, EIO, STATUS_IO},
    {FAULT_RENAMEAT, FAULT_ERROR, EIO, STATUS_IO},
    {FAULT_RENAMEAT, FAULT_ERROR, ENOSPC, STATUS_NOSPACE},
    {FAULT_UNLINKAT, FAULT_ERROR, EIO, STATUS_IO},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static struct store_fixture f; /* too large for the stack of a test */

/* A new folder for one round. */
static const char *round_dir(const char *base)
{
    static unsigned round;
    static char dir[300];

    (void)snprintf(dir, sizeof(dir), "%s/%u", base, ++round);
    assert_int_equal(mkdir(dir, 0755), 0);
    fault_reset();
    return dir;
}

static enum status try_open(const char *dir, const struct file_ops *ops)
{
    return store_fixture_open(&f, dir, ops, &store_small_limits, STORE_AGENCIES);
}

static void open_store(const char *dir, const struct file_ops *ops)
{
    if (try_open(dir, ops) != STATUS_OK)
        fail_msg("%s: %s", dir, f.err.text);
}

static void expect_bets(uint64_t first, uint64_t second)
{
    uint64_t counts[STORE_AGENCIES + 1];

    assert_true(store_fixture_count(&f, STORE_AGENCIES, counts));
    assert_int_equal(counts[1], first);
    assert_int_equal(counts[2], second);
    assert_int_equal(draw_received(&f.draw, 1), first);
    assert_int_equal(draw_received(&f.draw, 2), second);
}

/* The folder has these bets and can be used as before, with the real file operations. */
static void expect_valid(const char *dir, uint64_t first, uint64_t second)
{
    open_store(dir, &file_ops_system);
    expect_bets(first, second);
    if (f.draw.phase == DRAW_OPEN) {
        assert_int_equal(store_fixture_append(&f, 2, second, 1), STATUS_OK);
        second++;
    }
    store_fixture_close(&f);
    open_store(dir, &file_ops_system);
    expect_bets(first, second);
    store_fixture_close(&f);
}

/* What an opening under a plan ended with: its reason is told, and nothing stays open. */
static bool end_opening(const struct way *way, enum status status, unsigned before)
{
    bool has_struck = fault_end();

    if (status == STATUS_OK) {
        store_fixture_close(&f);
    } else {
        assert_true(has_struck);
        /* A failed sync of the folder is IO, whatever its cause. */
        assert_true(status == way->status || (status == STATUS_IO && way->op == FAULT_FDATASYNC) ||
                    status == STATUS_UNCERTAIN);
        assert_true(f.err.text[0] != '\0');
    }
    assert_int_equal(descriptors_count(), before);
    return has_struck;
}

/* Opening a new folder: whichever call fails, the opening fails with its status or does without it,
 * and the next opening succeeds. */
static void opening_a_new_folder(void **state)
{
    for (size_t w = 0; w < WAYS; w++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            const char *dir = round_dir(*state);
            unsigned before = descriptors_count();
            fault_plan(ways[w].op, after, ways[w].kind, ways[w].error, false);
            has_struck = end_opening(&ways[w], try_open(dir, &fault_file_ops), before);
            expect_valid(dir, 0, 0);
        }
    }
}

/* Makes a folder with bets in both kinds of records, of which those of the last group are not known
 * to be on disk, and a torn tail at the end of both files. */
static void make_torn(const char *dir)
{
    char path[320];

    open_store(dir, &fault_file_ops);
    assert_int_equal(store_fixture_append(&f, 1, 0, 3), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 1, 3, 9), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 2, 0, 2), STATUS_OK);
    store_fixture_kill(&f);
    for (size_t i = 0; i <= JOURNAL_FILE; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, folder_names[i]);
        FILE *file = fopen(path, "a");
        assert_non_null(file);
        assert_true(fputs("torn", file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
}

/* How many copies of torn tails the folder has. */
static unsigned count_copies(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    unsigned count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        count += strncmp(entry->d_name, "bets.torn-", 10) == 0;
    assert_int_equal(closedir(dir), 0);
    return count;
}

static size_t bets_size(const char *dir)
{
    struct folder folder = folder_read(dir);
    size_t size = folder.sizes[BETS_FILE];

    folder_free(&folder);
    return size;
}

/* A start that cannot set the tails aside says how much space that needs, and starting again and
 * again does not fill the disk. */
static void setting_aside_on_a_full_disk(void **state)
{
    const char *dir = round_dir(*state);
    char wanted[64];
    char path[320];

    make_torn(dir);
    size_t size = bets_size(dir);
    (void)snprintf(path, sizeof(path), "%s/bets.journal.new", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    for (unsigned after = 0; after < 4; after++) {
        fault_plan(after % 2 == 0 ? FAULT_PWRITEV : FAULT_FDATASYNC, after / 2, FAULT_ERROR, ENOSPC,
                   true);
        assert_int_equal(try_open(dir, &fault_file_ops), STATUS_NOSPACE);
        assert_true(fault_end());
        (void)snprintf(wanted, sizeof(wanted), "it needs %u bytes",
                       (unsigned)(f.report.bets_torn + f.report.journal_torn));
        assert_non_null(strstr(f.err.text, wanted));
        assert_int_equal(count_copies(dir), 0);
        assert_int_equal(bets_size(dir), size);
        assert_int_equal(access(path, F_OK), -1); /* it took space */
    }
    expect_valid(dir, 12, 2);
    assert_int_equal(count_copies(dir), 2);
}

/* Recovering such a folder: the same. As long as the tail is in its place, there is no copy. */
static void recovering_a_folder(void **state)
{
    for (size_t w = 0; w < WAYS; w++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            const char *dir = round_dir(*state);
            make_torn(dir);
            size_t size = bets_size(dir);
            unsigned before = descriptors_count();
            fault_plan(ways[w].op, after, ways[w].kind, ways[w].error, false);
            has_struck = end_opening(&ways[w], try_open(dir, &fault_file_ops), before);
            assert_true(bets_size(dir) < size || count_copies(dir) == 0);
            expect_valid(dir, 12, 2);
        }
    }
}

/* The disk stays broken or full: everything fails from the n-th call on. */
static void recovering_on_a_dead_disk(void **state)
{
    static const struct way dead[] = {{FAULT_ANY, FAULT_ERROR, EIO, STATUS_IO},
                                      {FAULT_PWRITEV, FAULT_ERROR, ENOSPC, STATUS_NOSPACE}};

    for (size_t w = 0; w < 2; w++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            const char *dir = round_dir(*state);
            make_torn(dir);
            unsigned before = descriptors_count();
            fault_plan(dead[w].op, after, FAULT_ERROR, dead[w].error, true);
            has_struck = end_opening(&dead[w], try_open(dir, &fault_file_ops), before);
            expect_valid(dir, 12, 2);
        }
    }
}

/* A start on a full disk goes on with the old journal, if there is nothing to set aside; when there
 * is space, a new one begins. */
static void starting_on_a_full_disk(void **state)
{
    const char *dir = round_dir(*state);

    open_store(dir, &fault_file_ops);
    assert_int_equal(store_fixture_append(&f, 1, 0, 3), STATUS_OK);
    store_fixture_close(&f);
    fault_plan(FAULT_OPENAT, 4, FAULT_ERROR, ENOSPC, true); /* after what is there, the lock too */
    unsigned syncs = fault_folder_syncs();
    open_store(dir, &fault_file_ops);
    assert_true(fault_end());
    assert_int_equal(fault_folder_syncs(), syncs + 1); /* whoever made the files may have died */
    expect_bets(3, 0);
    assert_int_equal(store_fixture_append(&f, 2, 0, 9), STATUS_OK);
    unsigned renames = fault_count(FAULT_RENAMEAT);
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(store_fixture_append(&f, 1, 3 + i, 1), STATUS_OK);
        assert_int_equal(store_maintain(f.store, false, &f.err), STATUS_OK);
    }
    assert_true(fault_count(FAULT_RENAMEAT) > renames);
    store_fixture_close(&f);
    expect_valid(dir, 23, 9);
}

/* Publishing that fails halfway, with one of the two names given: new files can be opened and
 * published, and then both names are theirs. */
static void publishing_again(void **state)
{
    for (unsigned after = 0; after < 2; after++) {
        const char *dir = round_dir(*state);
        int fds[2];

        open_store(dir, &fault_file_ops);
        for (unsigned attempt = 0; attempt < 2; attempt++) {
            assert_int_equal(store_open_files(f.store, STORE_WINNERS, fds, 2, &f.err), STATUS_OK);
            assert_int_equal(write(fds[0], "winners", attempt + 1), attempt + 1);
            assert_int_equal(write(fds[1], "index", attempt + 1), attempt + 1);
            (void)close(fds[0]);
            (void)close(fds[1]);
            if (attempt == 0) {
                fault_plan(FAULT_RENAMEAT, after, FAULT_ERROR, EIO, false);
                assert_int_equal(store_publish_files(f.store, STORE_WINNERS, &f.err), STATUS_IO);
                assert_true(fault_end());
            }
        }
        assert_int_equal(store_publish_files(f.store, STORE_WINNERS, &f.err), STATUS_OK);
        struct folder folder = folder_read(dir);
        assert_int_equal(folder.sizes[WINNERS_FILE], 2);
        assert_int_equal(folder.sizes[INDEX_FILE], 2);
        folder_free(&folder);
        store_fixture_close(&f);
    }
}

/* Storing: when a write fails or is short, only its group fails; the next ones are stored, now and
 * after a restart. */
static void storing(void **state)
{
    for (size_t w = 0; w < WAYS; w++) {
        if (ways[w].op != FAULT_PWRITEV)
            continue;
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            const char *dir = round_dir(*state);
            open_store(dir, &fault_file_ops);
            uint64_t first = 0;
            uint64_t second = 0;
            bool has_failed = false;
            fault_plan(FAULT_PWRITEV, after, ways[w].kind, ways[w].error, false);
            for (int i = 0; i < 6; i++) { /* small groups and large ones */
                size_t count = i % 2 == 0 ? 2 : 9;
                assert_int_equal(store_fixture_add(&f, 1, first, count), STATUS_OK);
                assert_int_equal(store_fixture_add(&f, 2, second, 1), STATUS_OK);
                enum status status = store_fixture_commit(&f);
                first += status == STATUS_OK ? count : 0;
                second += status == STATUS_OK;
                assert_true(status == STATUS_OK || (status == ways[w].status && !has_failed));
                has_failed = has_failed || status != STATUS_OK;
                expect_bets(first, second);
            }
            has_struck = fault_end();
            assert_true(has_struck || !has_failed);
            if (after % 2 == 0)
                store_fixture_close(&f);
            else
                store_fixture_kill(&f);
            expect_valid(dir, first, second);
        }
    }
}

/* The disk is full from the n-th write on: every group fails from then on, until there is space. */
static void storing_on_a_full_disk(void **state)
{
    for (unsigned after = 0; after < 12; after++) {
        const char *dir = round_dir(*state);
        uint64_t first = 0;
        open_store(dir, &fault_file_ops);
        fault_plan(FAULT_PWRITEV, after, FAULT_SHORT, ENOSPC, true);
        for (int i = 0; i < 8; i++) {
            enum status status = store_fixture_append(&f, 1, first, i % 3 == 0 ? 9 : 2);
            assert_true(status == STATUS_OK || status == STATUS_NOSPACE);
            first += status == STATUS_OK ? (i % 3 == 0 ? 9 : 2) : 0;
            status = store_maintain(f.store, i % 2 == 0, &f.err);
            assert_true(status == STATUS_OK || status == STATUS_NOSPACE);
            expect_bets(first, 0);
        }
        assert_true(fault_end());
        assert_int_equal(store_fixture_append(&f, 2, 0, 1), STATUS_OK);
        assert_int_equal(store_maintain(f.store, true, &f.err), STATUS_OK);
        store_fixture_kill(&f);
        expect_valid(dir, first, 1);
    }
}

/* A failed sync, or a failed write that cannot be taken back, is final: nothing is stored any more,
 * and what was committed earlier is there afterwards. */
static void storing_until_it_is_uncertain(void **state)
{
    for (int with_cut = 0; with_cut < 2; with_cut++) {
        unsigned ends = 0;
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            const char *dir = round_dir(*state);
            size_t acked = 0;
            struct script script = script_random(3);
            open_store(dir, &fault_file_ops);
            fault_plan(with_cut ? FAULT_PWRITEV | FAULT_FTRUNCATE : FAULT_FDATASYNC, after,
                       FAULT_ERROR, with_cut ? ENOSPC : EIO, with_cut);
            enum status status = script_run(&script, &f, 0, script.count, &acked);
            has_struck = fault_end();
            if (status == STATUS_UNCERTAIN) {
                ends++;
                assert_true(f.err.text[0] != '\0');
                unsigned calls = fault_count(FAULT_PWRITEV) + fault_count(FAULT_FDATASYNC);
                assert_int_equal(store_commit(f.store, &f.err), STATUS_UNCERTAIN);
                assert_int_equal(store_maintain(f.store, true, &f.err), STATUS_UNCERTAIN);
                store_fixture_close(&f);
                assert_int_equal(fault_count(FAULT_PWRITEV) + fault_count(FAULT_FDATASYNC), calls);
            } else {
                store_fixture_close(&f);
            }
            open_store(dir, &file_ops_system);
            size_t done = script_done(&script, &f);
            assert_true(done >= acked && done <= script.count);
            store_fixture_close(&f);
        }
        assert_true(ends > 10);
    }
}

/* Maintaining: whatever fails, only UNCERTAIN is final; otherwise the store goes on. */
static void maintaining(void **state)
{
    for (size_t w = 0; w < WAYS; w++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            const char *dir = round_dir(*state);
            uint64_t total = 0;
            bool is_uncertain = false;
            open_store(dir, &fault_file_ops);
            for (int i = 0; i < 40 && !is_uncertain; i++, total++) {
                assert_int_equal(store_fixture_append(&f, 1, total, 1), STATUS_OK);
                if (i == 0)
                    fault_reset();
                fault_plan(ways[w].op, after, ways[w].kind, ways[w].error, false);
                enum status status = store_maintain(f.store, i % 4 == 0, &f.err);
                is_uncertain = status == STATUS_UNCERTAIN;
                assert_true(status == STATUS_OK || status == ways[w].status || is_uncertain);
                has_struck = fault_end();
            }
            assert_int_equal(is_uncertain && ways[w].op != FAULT_FDATASYNC, false);
            store_fixture_close(&f);
            expect_valid(dir, total, 0);
        }
    }
}

/* The draw: whatever fails up to the publishing of the files, trying again succeeds, and until then
 * there is no draw. */
static void holding_the_draw(void **state)
{
    for (size_t w = 0; w < WAYS; w++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            const char *dir = round_dir(*state);
            open_store(dir, &fault_file_ops);
            assert_int_equal(store_fixture_append(&f, 1, 0, 9), STATUS_OK);
            for (uint32_t i = 1; i <= STORE_AGENCIES; i++)
                assert_int_equal(store_fixture_finish(&f, i, i == 1 ? 9 : 0), STATUS_OK);
            assert_int_equal(store_fixture_end_draw(&f), STATUS_OK);
            unsigned before = descriptors_count();
            fault_plan(ways[w].op, after, ways[w].kind, ways[w].error, false);
            enum status status = store_fixture_hold_draw(&f);
            has_struck = fault_end();
            assert_int_equal(descriptors_count(), before);
            assert_true(status == STATUS_OK || status == ways[w].status ||
                        ((status == STATUS_UNCERTAIN || status == STATUS_IO) &&
                         ways[w].op == FAULT_FDATASYNC));
            if (status != STATUS_UNCERTAIN)
                assert_int_equal(f.draw.phase == DRAW_DRAWN, status == STATUS_OK);
            if (status == STATUS_UNCERTAIN) {
                store_fixture_close(&f);
                open_store(dir, &fault_file_ops);
            }
            if (f.draw.phase == DRAW_CLOSED)
                assert_int_equal(store_fixture_hold_draw(&f), STATUS_OK);
            store_fixture_close(&f);
            expect_valid(dir, 9, 0);
        }
    }
}

/* The last bets of a draw that operators run, its closing, seal and number, and acts. Each step is
 * a group of its own. */
static struct script manual_script(void)
{
    struct script script = script_random_manual(3);
    const size_t skipped = 22;

    script.count -= skipped;
    memmove(script.steps, script.steps + skipped, script.count * sizeof(script.steps[0]));
    for (size_t i = 0; i < script.count; i++)
        script.steps[i].ends_group = true;
    store_fixture_terms = script.terms;
    return script;
}

/* The script has stopped with `status`. The folder has what was acknowledged, and does the rest. */
static void expect_rest(const char *dir, const struct script *script, enum status status,
                        size_t acked)
{
    if (status == STATUS_UNCERTAIN) {
        store_fixture_close(&f);
        open_store(dir, &file_ops_system);
        size_t done = script_done(script, &f);
        assert_true(done >= acked && done <= script->count);
        acked = done;
    } else {
        assert_int_equal(script_done(script, &f), acked);
    }
    assert_int_equal(script_run(script, &f, acked, script->count, &acked), STATUS_OK);
    assert_int_equal(acked, script->count);
    store_fixture_close(&f);
    open_store(dir, &file_ops_system);
    assert_int_equal(script_done(script, &f), script->count);
    store_fixture_close(&f);
}

/* What operators do: whatever fails, the record is there or it is not, and doing it again succeeds.
 */
static void operating(void **state)
{
    struct script script = manual_script();

    for (size_t w = 0; w < WAYS; w++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            const char *dir = round_dir(*state);
            size_t acked = 0;
            open_store(dir, &fault_file_ops);
            fault_plan(ways[w].op, after, ways[w].kind, ways[w].error, false);
            enum status status = script_run(&script, &f, 0, script.count, &acked);
            has_struck = fault_end();
            assert_true(has_struck || status == STATUS_OK);
            assert_true(status == STATUS_OK || status == STATUS_UNCERTAIN ||
                        status == ways[w].status ||
                        (status == STATUS_IO && ways[w].op == FAULT_FDATASYNC));
            expect_rest(dir, &script, status, acked);
        }
    }
}

/* The same without memory. */
static void operating_without_memory(void **state)
{
    struct script script = manual_script();
    bool has_struck = true;
    unsigned failures = 0;

    for (unsigned after = 0; has_struck; after++) {
        const char *dir = round_dir(*state);
        size_t acked = 0;
        open_store(dir, &fault_file_ops);
        alloc_fault_after(after);
        enum status status = script_run(&script, &f, 0, script.count, &acked);
        has_struck = alloc_fault_end();
        assert_true(status == STATUS_OK || (status == STATUS_NOMEM && has_struck));
        failures += status != STATUS_OK;
        expect_rest(dir, &script, status, acked);
    }
    assert_true(failures > 10);
}

/* A record that could not be committed, and was not taken back, as at the start of a ledger whose
 * number of agencies has grown: the last checkpoint does not make it durable. */
static void closing_after_a_failed_group(void **state)
{
    struct draw_record record = {.type = DRAW_AGENCIES, .agencies = 9};
    const char *dir = round_dir(*state);

    open_store(dir, &fault_file_ops);
    assert_int_equal(store_fixture_append(&f, 1, 0, 3), STATUS_OK);
    assert_int_equal(draw_apply(&f.draw, &record).status, STATUS_OK);
    assert_int_equal(store_append(f.store, &record, NULL, 0), STATUS_OK);
    fault_plan(FAULT_PWRITEV, 0, FAULT_ERROR, ENOSPC, false);
    assert_int_equal(store_commit(f.store, &f.err), STATUS_NOSPACE);
    assert_true(fault_end());
    store_fixture_close(&f);
    open_store(dir, &file_ops_system);
    assert_int_equal(f.draw.agencies, STORE_AGENCIES);
    expect_bets(3, 0);
    store_fixture_close(&f);
}

/* Closing: whatever fails, nothing that was committed is lost. */
static void closing(void **state)
{
    for (size_t w = 0; w < WAYS; w++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            const char *dir = round_dir(*state);
            unsigned before = descriptors_count();
            open_store(dir, &fault_file_ops);
            assert_int_equal(store_fixture_append(&f, 1, 0, 3), STATUS_OK);
            fault_plan(ways[w].op, after, ways[w].kind, ways[w].error, false);
            store_fixture_close(&f);
            has_struck = fault_end();
            assert_int_equal(descriptors_count(), before);
            expect_valid(dir, 3, 0);
        }
    }
}

/* Checking: the status of the failed call is the result, and the folder is unchanged. */
static void checking(void **state)
{
    const char *dir = round_dir(*state);

    make_torn(dir);
    struct folder folder = folder_read(dir);
    unsigned before = descriptors_count();
    for (size_t w = 0; w < 3; w++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            struct store_csv_report report;
            struct data_dir data_dir;
            struct errbuf err = {{0}};
            struct draw draw;
            draw_init(&draw);
            assert_int_equal(data_dir_open_check(dir, &fault_file_ops, &data_dir, &err), STATUS_OK);
            fault_plan(ways[w].op, after, ways[w].kind, ways[w].error, false);
            enum status status = store_csv_check(&data_dir, &draw, &report, &err);
            has_struck = fault_end();
            assert_int_equal(status, has_struck ? ways[w].status : STATUS_OK);
            assert_int_equal(has_struck, err.text[0] != '\0');
            draw_fini(&draw);
            data_dir_close(&data_dir);
            assert_int_equal(descriptors_count(), before);
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
        make_torn(dir);
        unsigned before = descriptors_count();
        alloc_fault_after(after);
        enum status status = try_open(dir, &file_ops_system);
        has_failed = alloc_fault_end();
        assert_int_equal(status, has_failed ? STATUS_NOMEM : STATUS_OK);
        if (status == STATUS_OK)
            store_fixture_close(&f);
        else
            assert_true(f.err.text[0] != '\0');
        assert_int_equal(descriptors_count(), before);
        expect_valid(dir, 12, 2);
    }
    assert_true(after > 4);
}

/* Storing: whichever allocation fails, the record or the group is not there; the next ones are. */
static void storing_without_memory(void **state)
{
    bool has_failed = true;
    unsigned failures = 0;

    for (unsigned after = 0; has_failed; after++) {
        const char *dir = round_dir(*state);
        uint64_t first = 0;
        open_store(dir, &file_ops_system);
        alloc_fault_after(after);
        for (int i = 0; i < 6; i++) {
            size_t count = i % 2 == 0 ? 2 : 100;
            enum status status = store_fixture_append(&f, 1, first, count);
            assert_true(status == STATUS_OK || status == STATUS_NOMEM);
            first += status == STATUS_OK ? count : 0;
            status = store_maintain(f.store, true, &f.err);
            assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        }
        has_failed = alloc_fault_end();
        failures += has_failed;
        expect_bets(first, 0);
        store_fixture_close(&f);
        expect_valid(dir, first, 0);
    }
    assert_true(failures >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
        CASE(opening_a_new_folder),
        CASE(recovering_a_folder),
        CASE(setting_aside_on_a_full_disk),
        CASE(recovering_on_a_dead_disk),
        CASE(starting_on_a_full_disk),
        CASE(publishing_again),
        CASE(storing),
        CASE(storing_on_a_full_disk),
        CASE(storing_until_it_is_uncertain),
        CASE(maintaining),
        CASE(holding_the_draw),
        CASE(closing_after_a_failed_group),
        CASE(closing),
        CASE(checking),
        CASE(opening_without_memory),
        CASE(storing_without_memory),
        CASE(operating),
        CASE(operating_without_memory),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
