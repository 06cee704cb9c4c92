/* When the server is ready, and what is said if it is not. */
#include "cmocka_all.h"
#include "readiness.h"

#include <stdlib.h>

#define WORKERS 3

struct fixture {
    struct server_settings settings;
    struct scoreboard *scoreboard;
    struct ledger_news news;
    struct observer_view view;
};

/* All is well in the beginning. */
static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(scoreboard_create(WORKERS, &f->scoreboard), STATUS_OK);
    for (uint32_t i = 0; i < WORKERS; i++)
        atomic_store(&f->scoreboard->row[i].is_alive, 1);
    scoreboard_recovered(f->scoreboard->ledger, 0);
    f->news = (struct ledger_news){.phase = DRAW_OPEN, .agencies = 5};
    f->view = (struct observer_view){.settings = &f->settings,
                                     .scoreboard = f->scoreboard,
                                     .news = &f->news,
                                     .has_ledger = true};
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    scoreboard_destroy(f->scoreboard);
    free(f);
    return 0;
}

static void assert_ready(const struct fixture *f)
{
    struct errbuf reason = {"of before"};

    assert_true(readiness(&f->view, &reason));
    assert_string_equal(reason.text, "");
    assert_true(readiness(&f->view, NULL));
}

static void assert_not_ready(const struct fixture *f, const char *expected)
{
    struct errbuf reason = {"of before"};

    assert_false(readiness(&f->view, &reason));
    assert_string_equal(reason.text, expected);
    assert_false(readiness(&f->view, NULL));
}

/* Also when nobody is to have an agency, and when the draw was held: it can be asked about. */
static void test_ready(void **state)
{
    struct fixture *f = *state;

    for (f->news.phase = DRAW_OPEN; f->news.phase <= DRAW_DRAWN; f->news.phase++)
        assert_ready(f);
    f->news = (struct ledger_news){.phase = DRAW_OPEN};
    assert_ready(f);
}

/* There is no ledger in mode echo, and nothing is missing. */
static void test_echo(void **state)
{
    struct fixture *f = *state;

    f->view.news = NULL;
    f->view.has_ledger = false;
    assert_ready(f);
}

/* The first link of a server waits for the recovery; later ones have seen news before. */
static void test_ledger(void **state)
{
    struct fixture *f = *state;

    f->view.has_ledger = false;
    assert_not_ready(f, "the ledger is away");
    f->news = (struct ledger_news){.phase = DRAW_NEW};
    assert_not_ready(f, "the ledger has not recovered yet");
}

/* A full disk, until something can be stored again. */
static void test_store(void **state)
{
    struct fixture *f = *state;

    scoreboard_committed(f->scoreboard->ledger, STATUS_NOSPACE, 0);
    assert_not_ready(f, "the last bets could not be stored: no space left");
    scoreboard_committed(f->scoreboard->ledger, STATUS_OK, 1);
    assert_ready(f);
}

/* Every worker counts. */
static void test_workers(void **state)
{
    struct fixture *f = *state;

    atomic_store(&f->scoreboard->row[1].is_alive, 0);
    assert_not_ready(f, "1 of 3 workers do not accept connections");
    for (uint32_t i = 0; i < WORKERS; i++)
        atomic_store(&f->scoreboard->row[i].is_alive, 0);
    assert_not_ready(f, "3 of 3 workers do not accept connections");
}

/* All reasons are said, one a line. */
static void test_all_reasons(void **state)
{
    struct fixture *f = *state;

    f->view.is_stopping = true;
    assert_not_ready(f, "stopping");
    f->view.has_ledger = false;
    scoreboard_committed(f->scoreboard->ledger, STATUS_IO, 0);
    scoreboard_clear(f->scoreboard, 0);
    assert_not_ready(f, "stopping\n"
                        "the ledger is away\n"
                        "the last bets could not be stored: input/output error\n"
                        "1 of 3 workers do not accept connections");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_ready), CASE(test_echo),    CASE(test_ledger),
        CASE(test_store), CASE(test_workers), CASE(test_all_reasons),
    };

    return cmocka_run_group_tests_name("readiness", tests, NULL, NULL);
}
