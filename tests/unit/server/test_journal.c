/* The journal's bytes: what a draw that nobody runs writes is what it always was. */
#include "cmocka_all.h"

#include "clock.h"
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

static struct store_fixture f; /* too large for the stack of a test */

/* A small reserve of zeros, and no new journal file but at the closing and at the end. */
static const struct commit_limits golden_limits = {.inline_max = 200,
                                                   .sync_after = 1 << 20,
                                                   .journal_max = 1 << 20,
                                                   .bets_max = 1 << 20,
                                                   .reserve = 512};

static uint64_t fixed_ms(void)
{
    return 1000;
}

static time_t fixed_s(void)
{
    return 1718452800;
}

static uint32_t fixed_random(void)
{
    return 0x5eedf00d;
}

static const struct clock_source fixed_clock = {fixed_ms, fixed_s, fixed_random};

static void open_golden(const char *dir, uint32_t agencies)
{
    if (store_fixture_open(&f, dir, &file_ops_system, &golden_limits, agencies) != STATUS_OK)
        fail_msg("%s", f.err.text);
}

/* Every type of record that such a draw has. */
static void write_golden_records(const char *dir)
{
    open_golden(dir, STORE_AGENCIES - 1);
    assert_int_equal(store_fixture_append(&f, 1, 0, 2), STATUS_OK); /* lines in the journal */
    assert_int_equal(store_fixture_append(&f, 2, 0, 9), STATUS_OK); /* and in bets.csv alone */
    struct draw_record agencies = {.type = DRAW_AGENCIES, .agencies = STORE_AGENCIES};
    assert_int_equal(store_fixture_add_record(&f, agencies), STATUS_OK);
    assert_int_equal(store_fixture_add(&f, 4, 0, 1), STATUS_OK);
    assert_int_equal(store_fixture_commit(&f), STATUS_OK);
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++)
        assert_int_equal(store_fixture_finish(&f, i, draw_received(&f.draw, i)), STATUS_OK);
    assert_int_equal(store_fixture_end_draw(&f), STATUS_OK);
}

/* Compares the folder with DATA_DIR/name. */
static void assert_golden(const char *dir, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", DATA_DIR, name);
    struct folder wanted = folder_read(path);
    struct folder is = folder_read(dir);

    for (size_t file = 0; file < FOLDER_FILES; file++) {
        assert_int_equal(is.sizes[file], wanted.sizes[file]);
        for (size_t at = 0; at < is.sizes[file]; at++) {
            if (is.bytes[file][at] != wanted.bytes[file][at])
                fail_msg("%s: byte %zu of %s differs", name, at, folder_names[file]);
        }
    }
    folder_free(&wanted);
    folder_free(&is);
}

/* All bytes of its files are those that earlier releases wrote: records and checkpoints, before the
 * closing, after it, and after the draw. */
static void default_draws_are_as_they_were(void **state)
{
    clock_replace(&fixed_clock);
    write_golden_records(*state);
    assert_golden(*state, "v2-records");
    assert_int_equal(store_maintain(f.store, false, &f.err), STATUS_OK);
    assert_golden(*state, "v2-closed");
    assert_int_equal(store_fixture_hold_draw(&f), STATUS_OK);
    assert_golden(*state, "v2-held");
    store_fixture_close(&f);
    assert_golden(*state, "v2-drawn");
    clock_replace(NULL);
}

/* Such files open with what they have. */
static void opens_folders_of_earlier_releases(void **state)
{
    static const char *const names[] = {"v2-records", "v2-closed", "v2-held", "v2-drawn"};

    for (size_t i = 0; i < 4; i++) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", DATA_DIR, names[i]);
        struct folder folder = folder_read(path);
        folder_write(*state, &folder);
        folder_free(&folder);
        open_golden(*state, STORE_AGENCIES);
        assert_int_equal(f.draw.phase, i < 2 ? DRAW_CLOSED : DRAW_DRAWN);
        assert_int_equal(f.draw.bets, 12);
        assert_int_equal(f.draw.finished, STORE_AGENCIES);
        assert_int_equal(f.draw.closed.time_s, 1700000000);
        assert_int_equal(f.draw.closed.by, DRAW_BY_ALL_FINISHED);
        assert_int_equal(f.draw.terms.mode, DRAW_AUTO);
        assert_false(f.draw.terms.has_seal);
        assert_int_equal(f.draw.acts_count, 0);
        assert_int_equal(f.report.bets_torn + f.report.journal_torn, 0);
        store_fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
        CASE(default_draws_are_as_they_were),
        CASE(opens_folders_of_earlier_releases),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
