/* What lottery-server --check prints of draws that operators run; tests/integration has it for the
 * others, and for damage. */
#include "cmocka_all.h"

#include "check.h"
#include "store_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOT_TEXT "AQIgYXMgZ29vZCBhIHJvb3QgYXMgYW55IP8AAAAAAAA="

static struct store_fixture f; /* too large for the stack of a test */

static void open_draw(const char *dir, struct draw_terms terms)
{
    store_fixture_terms = terms;
    if (store_fixture_open(&f, dir, &file_ops_system, NULL, 2) != STATUS_OK)
        fail_msg("%s", f.err.text);
    assert_int_equal(store_fixture_append(&f, 1, 0, 3), STATUS_OK);
}

/* Sends a stream of the process to `fd`; returns what it was. */
static int redirect(FILE *stream, int fd)
{
    int number = fileno(stream);

    assert_int_equal(fflush(stream), 0);
    int saved = dup(number);
    assert_true(saved >= 0);
    assert_true(dup2(fd, number) >= 0);
    return saved;
}

static void restore(FILE *stream, int saved)
{
    (void)redirect(stream, saved);
    assert_int_equal(close(saved), 0);
}

/* Checks the folder, which nobody works on; returns all that it printed. */
static const char *check(const char *dir, int wanted)
{
    static char text[8192];
    FILE *file = tmpfile();

    assert_non_null(file);
    int out = redirect(stdout, fileno(file));
    int err = redirect(stderr, fileno(file));
    int status = check_folder(dir);
    restore(stdout, out);
    restore(stderr, err);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    if (status != wanted)
        fail_msg("status %d: %s", status, text);
    return text;
}

/* The same draw, printed at each of its stages. */
static void prints_a_draw_from_its_opening_to_its_number(void **state)
{
    static const char opened[] = "id: 2026-11-25-nocturna\n"
                                 "mode: manual, with a seal\n"
                                 "closing time: 2026-11-25T21:00:00Z\n";
    char wanted[2048];

    open_draw(*state, (struct draw_terms){.mode = DRAW_MANUAL,
                                          .has_seal = true,
                                          .close_at_s = 1795640400,
                                          .id = "2026-11-25-nocturna"});
    store_fixture_close(&f);
    (void)snprintf(wanted, sizeof(wanted),
                   "agency 1: 3 bets, not finished\n"
                   "in all: 3 bets, 0 agencies finished\n"
                   "draw: open, 2 agencies\n"
                   "raffle: not held\n"
                   "%ssound\n",
                   opened);
    assert_string_equal(check(*state, 0), wanted);

    open_draw(*state, (struct draw_terms){0}); /* the three bets again are known */
    assert_int_equal(store_fixture_act(&f, "close"), STATUS_OK);
    assert_int_equal(store_fixture_close_draw(&f), STATUS_OK);
    assert_int_equal(store_fixture_seal(&f), STATUS_OK);
    assert_int_equal(store_fixture_act(&f, "draw 10000: refused, \xc2\xabtoo large\xc2\xbb"),
                     STATUS_OK);
    store_fixture_close(&f);
    (void)snprintf(wanted, sizeof(wanted),
                   "agency 1: 3 bets, not finished\n"
                   "in all: 3 bets, 0 agencies finished\n"
                   "draw: closed, 2 agencies\n"
                   "raffle: not held\n"
                   "%s"
                   "closed: 2023-11-14T22:13:20Z, by uid 1000\n"
                   "sealed: 2023-11-14T22:13:22Z, root " ROOT_TEXT "\n"
                   "act: 2023-11-14T22:13:23Z, uid 1000: close\n"
                   "act: 2023-11-14T22:13:23Z, uid 1000: draw 10000: refused, "
                   "\xc2\xabtoo large\xc2\xbb\n"
                   "sound\n",
                   opened);
    assert_string_equal(check(*state, 0), wanted);

    open_draw(*state, (struct draw_terms){0});
    assert_int_equal(store_fixture_hold_draw(&f), STATUS_OK);
    store_fixture_close(&f);
    const char *text = check(*state, 0);
    assert_non_null(strstr(text, "raffle: held with number 7574, 0 winners\n"));
    assert_non_null(strstr(text, "drawn: 2023-11-14T22:13:21Z, number 7574, by uid 1000, "
                                 "source: " STORE_SOURCE "\nact: "));
    assert_non_null(strstr(text, "result.txt: not there; the next start makes it\nsound\n"));

    open_draw(*state, (struct draw_terms){0});
    assert_int_equal(store_fixture_publish(&f, STORE_RESULT), STATUS_OK);
    store_fixture_close(&f);
    assert_null(strstr(check(*state, 0), "result.txt"));
}

/* The other reasons for a closing; a draw without id, seal or closing time; a time that no calendar
 * has. */
static void prints_the_other_reasons(void **state)
{
    struct draw_record record = {.type = DRAW_CLOSING,
                                 .closed = {.time_s = UINT64_MAX, .by = DRAW_BY_DEADLINE}};

    open_draw(*state, (struct draw_terms){.mode = DRAW_MANUAL, .close_at_s = 1});
    assert_int_equal(store_fixture_add_record(&f, record), STATUS_OK);
    assert_int_equal(store_fixture_commit(&f), STATUS_OK);
    store_fixture_close(&f);
    assert_non_null(strstr(check(*state, 0), "raffle: not held\n"
                                             "mode: manual, without a seal\n"
                                             "closing time: 1970-01-01T00:00:01Z\n"
                                             "closed: 9999-12-31T23:59:59Z, the closing time had "
                                             "come\nsound\n"));
    folder_write(*state, &(struct folder){{NULL}, {0}});
    open_draw(*state, (struct draw_terms){.has_seal = true});
    assert_int_equal(store_fixture_finish(&f, 1, 3), STATUS_OK);
    assert_int_equal(store_fixture_finish(&f, 2, 0), STATUS_OK);
    assert_int_equal(store_fixture_end_draw(&f), STATUS_OK);
    assert_int_equal(store_fixture_seal(&f), STATUS_OK);
    assert_int_equal(store_fixture_hold_draw(&f), STATUS_OK);
    store_fixture_close(&f);
    assert_non_null(strstr(check(*state, 0),
                           "draw: closed, 2 agencies, winning number 7574\n"
                           "raffle: held with number 7574, 0 winners\n"
                           "mode: auto, with a seal\n"
                           "closed: 2023-11-14T22:13:20Z, all agencies had finished\n"
                           "sealed: 2023-11-14T22:13:22Z, root " ROOT_TEXT "\n"
                           "drawn: 2023-11-14T22:13:21Z, number 7574\n"
                           "result.txt: not there"));
}

/* A draw that nobody runs prints what it always did, and who tried to. */
static void prints_acts_of_other_draws(void **state)
{
    open_draw(*state, (struct draw_terms){0});
    store_fixture_close(&f);
    const char *plain = "agency 1: 3 bets, not finished\n"
                        "in all: 3 bets, 0 agencies finished\n"
                        "draw: open, 2 agencies, winning number 7574\n"
                        "raffle: not held\n";
    char wanted[512];
    (void)snprintf(wanted, sizeof(wanted), "%ssound\n", plain);
    assert_string_equal(check(*state, 0), wanted);
    open_draw(*state, (struct draw_terms){0});
    assert_int_equal(store_fixture_act(&f, "close: refused"), STATUS_OK);
    store_fixture_close(&f);
    (void)snprintf(wanted, sizeof(wanted),
                   "%sact: 2023-11-14T22:13:23Z, uid 1000: close: refused\nsound\n", plain);
    assert_string_equal(check(*state, 0), wanted);
}

/* The files of a seal that is recorded have to be there, and be files. */
static void misses_the_files_of_a_seal(void **state)
{
    open_draw(*state, (struct draw_terms){.mode = DRAW_MANUAL, .has_seal = true});
    assert_int_equal(store_fixture_close_draw(&f), STATUS_OK);
    store_fixture_close(&f);
    (void)check(*state, 0); /* there is no seal yet */
    open_draw(*state, (struct draw_terms){0});
    assert_int_equal(store_fixture_seal(&f), STATUS_OK);
    assert_int_equal(store_fixture_hold_draw(&f), STATUS_OK);
    assert_int_equal(store_fixture_publish(&f, STORE_RESULT), STATUS_OK);
    store_fixture_close(&f);
    struct folder whole = folder_read(*state);
    for (size_t file = SEAL_FILE; file <= LEAVES_FILE; file++) {
        struct folder lacking = whole;
        lacking.bytes[file] = NULL;
        folder_write(*state, &lacking);
        assert_non_null(strstr(check(*state, 1), folder_names[file]));
    }
    char link[512];
    struct folder lacking = whole;
    lacking.bytes[RESULT_FILE] = NULL;
    folder_write(*state, &lacking);
    (void)snprintf(link, sizeof(link), "%s/%s", (char *)*state, folder_names[RESULT_FILE]);
    assert_int_equal(symlink("seal.txt", link), 0);
    assert_non_null(strstr(check(*state, 1), "result.txt"));
    folder_free(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
        CASE(prints_a_draw_from_its_opening_to_its_number),
        CASE(prints_the_other_reasons),
        CASE(prints_acts_of_other_draws),
        CASE(misses_the_files_of_a_seal),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
