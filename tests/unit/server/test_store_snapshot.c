/* Snapshots of a draw: with its bets up to there, they are a whole data directory, in every phase,
 * whatever the store does afterwards. */
#include "cmocka_all.h"

#include "alloc_fault.h"
#include "fault_file_ops.h"
#include "journal_file.h"
#include "store_csv.h"
#include "store_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct store_fixture f; /* the running store; too large for the stack, as is the next one */
static struct store_fixture restored;

static void open_in(struct store_fixture *self, const char *dir, const struct commit_limits *limits)
{
    if (store_fixture_open(self, dir, &fault_file_ops, limits, STORE_AGENCIES) != STATUS_OK)
        fail_msg("%s", self->err.text);
}

static struct buffer take(void)
{
    struct buffer bytes = {0};

    if (store_snapshot(f.store, &bytes, &f.err) != STATUS_OK)
        fail_msg("%s", f.err.text);
    return bytes;
}

/* A folder beside `dir`, with as many bets as the snapshot counts and the other files as they are.
 */
static void restore(const char *dir, const char *to, const struct buffer *snapshot)
{
    struct folder folder = folder_read(dir);
    struct journal_header header;

    assert_true(journal_header_decode((const uint8_t *)snapshot->data, &header));
    assert_true(header.bets_synced <= folder.sizes[BETS_FILE]);
    folder.sizes[BETS_FILE] = header.bets_synced;
    free(folder.bytes[JOURNAL_FILE]);
    folder.bytes[JOURNAL_FILE] = malloc(snapshot->size);
    assert_non_null(folder.bytes[JOURNAL_FILE]);
    memcpy(folder.bytes[JOURNAL_FILE], snapshot->data, snapshot->size);
    folder.sizes[JOURNAL_FILE] = snapshot->size;
    assert_int_equal(mkdir(to, 0755), 0);
    folder_write(to, &folder);
    folder_free(&folder);
}

/* All that counts is the same as now in `f`. */
static void expect_same(const struct draw *draw)
{
    assert_int_equal(draw->phase, f.draw.phase);
    assert_int_equal(draw->bets, f.draw.bets);
    assert_int_equal(draw->finished, f.draw.finished);
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++) {
        assert_int_equal(draw_received(draw, i), draw_received(&f.draw, i));
        assert_int_equal(draw_checksum(draw, i), draw_checksum(&f.draw, i));
        assert_int_equal(draw_has_finished(draw, i), draw_has_finished(&f.draw, i));
    }
    assert_int_equal(draw->closed.extent, f.draw.closed.extent);
    assert_memory_equal(draw->closed.salt, f.draw.closed.salt, DRAW_SALT_SIZE);
    assert_int_equal(draw->is_sealed, f.draw.is_sealed);
    assert_memory_equal(draw->sealed.root, f.draw.sealed.root, DRAW_ROOT_SIZE);
    assert_int_equal(draw->drawn.winner_number, f.draw.drawn.winner_number);
    assert_int_equal(draw->drawn.winners, f.draw.drawn.winners);
    assert_int_equal(draw->acts_count, f.draw.acts_count);
}

/* Takes a snapshot, restores it, checks it, and opens a store on it. */
static void check_snapshot(const char *dir, const char *name)
{
    struct store_csv_report report;
    struct data_dir data_dir;
    struct errbuf err = {{0}};
    struct draw draw;
    char to[300];

    struct buffer snapshot = take();
    (void)snprintf(to, sizeof(to), "%s-%s", dir, name);
    restore(dir, to, &snapshot);
    assert_int_equal(data_dir_open_check(to, &file_ops_system, &data_dir, &err), STATUS_OK);
    draw_init(&draw);
    if (store_csv_check(&data_dir, &draw, &report, &err) != STATUS_OK)
        fail_msg("%s: %s", name, err.text);
    expect_same(&draw);
    draw_fini(&draw);
    data_dir_close(&data_dir);
    assert_int_equal(report.bets_torn, 0);
    assert_int_equal(report.journal_torn, 0);
    open_in(&restored, to, NULL);
    expect_same(&restored.draw);
    store_fixture_close(&restored);
    buffer_fini(&snapshot);
}

/* In each phase of a manual draw with a seal. */
static void is_whole_in_each_phase(void **state)
{
    char dir[200];

    store_fixture_terms =
        (struct draw_terms){.mode = DRAW_MANUAL, .has_seal = true, .id = "2026-11-25"};
    (void)snprintf(dir, sizeof(dir), "%s/d", (char *)*state);
    assert_int_equal(mkdir(dir, 0755), 0);
    open_in(&f, dir, NULL);
    check_snapshot(dir, "new");
    assert_int_equal(store_fixture_append(&f, 1, 0, 7), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 2, 0, 3), STATUS_OK);
    assert_int_equal(store_fixture_act(&f, "backup"), STATUS_OK);
    check_snapshot(dir, "open");
    assert_int_equal(store_fixture_finish(&f, 2, 3), STATUS_OK);
    assert_int_equal(store_fixture_close_draw(&f), STATUS_OK);
    check_snapshot(dir, "closed");
    assert_int_equal(store_fixture_seal(&f), STATUS_OK);
    check_snapshot(dir, "sealed");
    assert_int_equal(store_fixture_hold_draw(&f), STATUS_OK);
    assert_int_equal(store_fixture_publish(&f, STORE_RESULT), STATUS_OK);
    check_snapshot(dir, "drawn");
    store_fixture_close(&f);
}

/* At each moment of a store that begins a new journal file now and then: the snapshot is right, and
 * what is appended to both files afterwards changes nothing of it. */
static void is_whole_at_each_moment(void **state)
{
    const char *dir = *state;
    struct buffer snapshots[24];
    uint64_t counts[24];

    open_in(&f, dir, &store_small_limits);
    for (unsigned i = 0; i < 24; i++) {
        assert_int_equal(store_fixture_append(&f, 1, f.draw.bets, i % 5 == 0 ? 40 : 1), STATUS_OK);
        snapshots[i] = take();
        counts[i] = f.draw.bets;
        if (i % 3 == 0)
            assert_int_equal(store_maintain(f.store, i % 2 == 0, &f.err), STATUS_OK);
    }
    for (unsigned i = 0; i < 24; i++) {
        char to[300];
        (void)snprintf(to, sizeof(to), "%s-%u", dir, i);
        restore(dir, to, &snapshots[i]);
        open_in(&restored, to, NULL);
        assert_int_equal(restored.draw.bets, counts[i]);
        uint64_t all[STORE_AGENCIES + 1];
        assert_true(store_fixture_count(&restored, STORE_AGENCIES, all));
        assert_int_equal(all[1], counts[i]);
        /* and it goes on */
        assert_int_equal(store_fixture_append(&restored, 1, counts[i], 2), STATUS_OK);
        store_fixture_close(&restored);
        buffer_fini(&snapshots[i]);
    }
    store_fixture_close(&f);
}

/* Its bets are on disk, also those that only the journal had there; nothing else is written. */
static void syncs_the_bets_only(void **state)
{
    static unsigned char bytes[4096];
    const char *dir = *state;

    open_in(&f, dir, NULL);
    assert_int_equal(store_fixture_append(&f, 1, 0, 7), STATUS_OK);
    struct folder before = folder_read(dir);
    assert_true(fault_disk_read(dir, "bets.csv", bytes, sizeof(bytes), 0) <
                (long)before.sizes[BETS_FILE]);
    unsigned writes = fault_count(FAULT_PWRITEV);
    struct buffer snapshot = take();
    assert_int_equal(fault_count(FAULT_PWRITEV), writes);
    assert_true(folder_equals(dir, &before));
    assert_int_equal(fault_disk_read(dir, "bets.csv", bytes, sizeof(bytes), 0),
                     before.sizes[BETS_FILE]);
    folder_free(&before);
    buffer_fini(&snapshot);
    store_fixture_close(&f);
}

/* It comes after what is in the buffer already. */
static void appends_to_the_buffer(void **state)
{
    struct buffer bytes = {0};
    struct journal_header header;

    open_in(&f, *state, NULL);
    assert_int_equal(buffer_append(&bytes, "before", 6), STATUS_OK);
    assert_int_equal(store_snapshot(f.store, &bytes, &f.err), STATUS_OK);
    assert_memory_equal(bytes.data, "before", 6);
    assert_true(journal_header_decode((const uint8_t *)bytes.data + 6, &header));
    assert_int_equal(header.synced, bytes.size - 6);
    buffer_fini(&bytes);
    store_fixture_close(&f);
}

/* A sync that fails is one after which only a recovery can tell; no memory harms nobody; a file
 * that is gone is noticed. */
static void fails_as_a_commit_does(void **state)
{
    struct buffer bytes = {0};
    char command[600];

    open_in(&f, *state, NULL);
    for (unsigned after = 0;; after++) {
        alloc_fault_after(after);
        enum status status = store_snapshot(f.store, &bytes, &f.err);
        if (!alloc_fault_end())
            break;
        assert_int_equal(status, STATUS_NOMEM);
        assert_int_equal(bytes.size, 0);
    }
    buffer_fini(&bytes);
    (void)snprintf(command, sizeof(command), "cd %s && mv bets.csv x", (char *)*state);
    assert_int_equal(system(command), 0);
    assert_int_equal(store_snapshot(f.store, &bytes, &f.err), STATUS_GONE);
    assert_non_null(strstr(f.err.text, "bets.csv"));
    (void)snprintf(command, sizeof(command), "cd %s && mv x bets.csv", (char *)*state);
    assert_int_equal(system(command), 0);
    assert_int_equal(store_fixture_append(&f, 1, 0, 1), STATUS_OK);
    fault_plan(FAULT_FDATASYNC, 0, FAULT_ERROR, EIO, false);
    assert_int_equal(store_snapshot(f.store, &bytes, &f.err), STATUS_UNCERTAIN);
    assert_true(fault_end());
    assert_int_equal(store_snapshot(f.store, &bytes, &f.err), STATUS_UNCERTAIN);
    assert_int_equal(bytes.size, 0);
    store_fixture_kill(&f);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_whole_in_each_phase), TEST(is_whole_at_each_moment), TEST(syncs_the_bets_only),
        TEST(appends_to_the_buffer),  TEST(fails_as_a_commit_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
