/* The supervisor's side of the ledger: the test is the ledger, which writes to its end of the
 * socket and "ends" with a status. No process is forked. */
#include "capture.h"
#include "cmocka_all.h"
#include "ledger_child.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Statuses as waitpid returns them. */
#define EXITED(status) ((status) << 8)
#define KILLED SIGKILL

struct fixture {
    struct server_settings settings;
    struct ledger_child ledger;
    char *log; /* what the last logged call wrote; owned */
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct errbuf err = {{0}};

    assert_non_null(f);
    strcpy(f->settings.data_dir, "data");
    assert_int_equal(ledger_child_init(
                         &f->ledger, &(struct ledger_child_config){.settings = &f->settings}, &err),
                     STATUS_OK);
    log_set_level(LOG_INFO);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    ledger_child_fini(&f->ledger);
    free(f->log);
    free(f);
    return 0;
}

/* What the ledger does. */
static void tell(struct fixture *f, const struct ledger_tells *told)
{
    assert_int_equal(send(f->ledger.far_fd, told, sizeof(*told), MSG_DONTWAIT), sizeof(*told));
}

static void tell_ready(struct fixture *f, enum draw_phase phase, uint64_t winners)
{
    tell(f, &(struct ledger_tells){.kind = LEDGER_TELLS_READY, .phase = phase, .winners = winners});
}

static void tell_drawn(struct fixture *f, uint64_t winners)
{
    tell(f, &(struct ledger_tells){.kind = LEDGER_TELLS_DRAWN, .winners = winners});
}

static void tell_reason(struct fixture *f, const char *reason)
{
    struct ledger_tells told = {.kind = LEDGER_TELLS_REASON};

    errbuf_set(&told.text, "%s", reason);
    tell(f, &told);
}

/* How many acknowledgements have arrived at the ledger since the last call. */
static unsigned answers(const struct fixture *f)
{
    struct ledger_tells told;
    unsigned count = 0;

    while (recv(f->ledger.far_fd, &told, sizeof(told), MSG_DONTWAIT) == (ssize_t)sizeof(told))
        count++;
    assert_int_equal(errno, EAGAIN);
    return count;
}

static void keep_log(struct fixture *f, struct capture *capture)
{
    capture_end(capture);
    free(f->log);
    f->log = strdup(capture->text);
    capture_free(capture);
    assert_non_null(f->log);
}

static void hear(struct fixture *f)
{
    struct capture capture;

    capture_begin(&capture);
    ledger_child_hear(&f->ledger);
    keep_log(f, &capture);
}

static bool ended_while(struct fixture *f, int status, bool is_stopping)
{
    struct capture capture;

    capture_begin(&capture);
    bool is_wanted = ledger_child_end(&f->ledger, status, is_stopping);
    keep_log(f, &capture);
    assert_int_equal(f->ledger.has_failed, !is_wanted);
    assert_false(f->ledger.is_ready && is_wanted);
    return is_wanted;
}

static bool ended(struct fixture *f, int status)
{
    return ended_while(f, status, false);
}

/* How many `sorteo` lines the last call wrote. */
static unsigned sorteos(const struct fixture *f)
{
    unsigned count = 0;

    for (const char *at = f->log; (at = strstr(at, "action: sorteo")) != NULL; at++)
        count++;
    return count;
}

/* A ledger that has recovered is ready until it ends. */
static void test_ready(void **state)
{
    struct fixture *f = *state;

    hear(f);
    assert_false(f->ledger.is_ready);
    tell_ready(f, DRAW_OPEN, 0);
    hear(f);
    assert_true(f->ledger.is_ready && f->ledger.was_ready);
    assert_string_equal(f->log, "");
    assert_int_equal(answers(f), 0);
    assert_true(ended(f, KILLED));
    assert_true(!f->ledger.is_ready && f->ledger.was_ready);
}

/* The outcome of the draw is logged once, however often it is told, by the same ledger or by
 * others; each telling is acknowledged. */
static void test_sorteo_once(void **state)
{
    struct fixture *f = *state;

    tell_ready(f, DRAW_CLOSED, 0);
    tell_drawn(f, 17);
    hear(f);
    assert_non_null(strstr(f->log, "INFO     action: sorteo | result: success | ganadores: 17\n"));
    assert_int_equal(answers(f), 1);
    tell_drawn(f, 17);
    hear(f);
    assert_int_equal(sorteos(f), 0);
    assert_int_equal(answers(f), 1);
    assert_true(ended(f, KILLED));
    tell_ready(f, DRAW_DRAWN, 17);
    tell_drawn(f, 17);
    hear(f);
    assert_int_equal(sorteos(f), 0);
    assert_int_equal(answers(f), 2);
}

/* A ledger that dies after its record and before it tells is followed by one that tells. */
static void test_dies_before_it_tells(void **state)
{
    struct fixture *f = *state;

    tell_ready(f, DRAW_OPEN, 0);
    hear(f);
    assert_true(ended(f, KILLED));
    tell_ready(f, DRAW_DRAWN, 3);
    hear(f);
    assert_non_null(strstr(f->log, "action: sorteo | result: success | ganadores: 3\n"));
    assert_int_equal(sorteos(f), 1);
    assert_int_equal(answers(f), 1);
}

/* What it told just before it died counts, although nobody had heard it yet; the acknowledgement
 * does not reach its successor. */
static void test_last_words(void **state)
{
    struct fixture *f = *state;

    tell_ready(f, DRAW_CLOSED, 0);
    tell_drawn(f, 5);
    assert_true(ended(f, KILLED));
    assert_int_equal(sorteos(f), 1);
    assert_true(f->ledger.was_ready);
    assert_int_equal(answers(f), 0);
    tell_ready(f, DRAW_DRAWN, 5);
    hear(f);
    assert_int_equal(sorteos(f), 0);
    assert_int_equal(answers(f), 1);
}

/* A server that finds the draw held when it starts does not report it: another one has, or has
 * died of it. */
static void test_drawn_before(void **state)
{
    struct fixture *f = *state;

    tell_ready(f, DRAW_DRAWN, 9);
    hear(f);
    assert_int_equal(sorteos(f), 0);
    assert_int_equal(answers(f), 1);
    assert_true(ended(f, KILLED));
    tell_ready(f, DRAW_DRAWN, 9);
    hear(f);
    assert_int_equal(sorteos(f), 0);
    assert_int_equal(answers(f), 1);
}

/* A ledger that goes on in the folder of another one's: if the draw was held meanwhile and nobody
 * has reported it, it is reported; if somebody has, it is not. */
static void test_continues(void **state)
{
    for (unsigned i = 0; i < 2; i++) {
        struct fixture *f = *state;
        const struct ledger_child before = {.phase = i == 0 ? DRAW_CLOSED : DRAW_DRAWN,
                                            .is_draw_told = i == 1};
        ledger_child_continue(&f->ledger, &before);
        assert_int_equal(f->ledger.phase, before.phase);
        tell_ready(f, DRAW_DRAWN, 9);
        hear(f);
        assert_int_equal(sorteos(f), i == 0);
        assert_int_equal(answers(f), 1);
        assert_int_equal(f->ledger.phase, DRAW_DRAWN);
        assert_int_equal(end(state), 0);
        assert_int_equal(begin(state), 0);
    }
}

/* Its first recovery ends in an error: that is the end of it, until it is forgiven. */
static void test_forgiven(void **state)
{
    struct fixture *f = *state;

    ledger_child_continue(&f->ledger, &(struct ledger_child){.phase = DRAW_OPEN});
    tell_reason(f, "damaged");
    assert_false(ended(f, EXITED(LEDGER_EXIT_NO_START)));
    ledger_child_forgive(&f->ledger);
    assert_false(f->ledger.has_failed);
    tell_ready(f, DRAW_OPEN, 0);
    hear(f);
    assert_true(f->ledger.is_ready);
    assert_true(ended(f, EXITED(LEDGER_EXIT_UNCERTAIN)));
    assert_non_null(strstr(f->log, "reason: the ledger ended with status 74"));
}

/* The folder of a draw with an id is named. */
static void test_names_the_draws_folder(void **state)
{
    struct fixture *f = *state;

    strcpy(f->ledger.config.terms.id, "a1");
    tell_reason(f, "damaged");
    assert_false(ended(f, EXITED(LEDGER_EXIT_NO_START)));
    assert_string_equal(f->ledger.reason.text, "data directory data/a1: damaged");
}

/* The first recovery ends in an error: the server does not start, and says why. */
static void test_no_start(void **state)
{
    struct fixture *f = *state;

    tell_reason(f, "bets.csv: damaged at byte 7");
    assert_false(ended(f, EXITED(LEDGER_EXIT_NO_START)));
    assert_string_equal(f->ledger.reason.text, "data directory data: bets.csv: damaged at byte 7");
    assert_string_equal(f->log, ""); /* the caller logs it */
}

/* So it is when it does not say why, and whatever its exit status. */
static void test_no_start_without_reason(void **state)
{
    static const int statuses[] = {1, LEDGER_EXIT_UNCERTAIN, LEDGER_EXIT_NO_START};

    for (unsigned i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct fixture *f = *state;
        char expected[64];
        assert_false(ended(f, EXITED(statuses[i])));
        (void)snprintf(expected, sizeof(expected),
                       "data directory data: the ledger ended with status %d", statuses[i]);
        assert_string_equal(f->ledger.reason.text, expected);
        assert_int_equal(end(state), 0);
        assert_int_equal(begin(state), 0);
    }
}

/* A ledger that is killed while it recovers is started again, as often as that happens. */
static void test_killed(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 10; i++)
        assert_true(ended(f, KILLED));
    assert_true(ended(f, EXITED(0))); /* somebody has sent it SIGTERM */
    tell_ready(f, DRAW_OPEN, 0);
    hear(f);
    for (unsigned i = 0; i < 10; i++)
        assert_true(ended(f, KILLED));
    assert_string_equal(f->log, "");
}

/* After a failed sync it is started again; that is no recovery that ended in an error. */
static void test_uncertain(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 10; i++) {
        tell_ready(f, DRAW_OPEN, 0);
        tell_reason(f, "bets.journal: sync failed");
        assert_true(ended(f, EXITED(LEDGER_EXIT_UNCERTAIN)));
        assert_non_null(strstr(f->log, "ERROR    action: ledger | result: fail | "
                                       "reason: bets.journal: sync failed\n"));
    }
    assert_true(ended(f, EXITED(LEDGER_EXIT_NO_START)));
    assert_true(ended(f, EXITED(LEDGER_EXIT_NO_START)));
    assert_false(ended(f, EXITED(LEDGER_EXIT_NO_START)));
}

/* Once the server runs, three recoveries in a row that end in an error end it. Kills in between do
 * not count and do not reset; a recovery does. */
static void test_three_in_a_row(void **state)
{
    struct fixture *f = *state;

    tell_ready(f, DRAW_OPEN, 0);
    assert_true(ended(f, KILLED));
    assert_true(ended(f, EXITED(LEDGER_EXIT_NO_START)));
    assert_true(ended(f, EXITED(LEDGER_EXIT_UNCERTAIN)));
    assert_non_null(strstr(f->log, "the ledger ended with status 74"));
    tell_ready(f, DRAW_OPEN, 0);
    assert_true(ended(f, KILLED));
    assert_true(ended(f, EXITED(LEDGER_EXIT_NO_START)));
    assert_true(ended(f, KILLED));
    tell_reason(f, "first");
    assert_true(ended(f, EXITED(LEDGER_EXIT_NO_START)));
    assert_true(ended(f, KILLED));
    tell_reason(f, "second");
    assert_false(ended(f, EXITED(LEDGER_EXIT_NO_START)));
    assert_string_equal(f->ledger.reason.text, "data directory data: second");
}

/* When the folder is gone, the server stops at once, and the reason names the folder once. */
static void test_gone(void **state)
{
    struct fixture *f = *state;

    tell_ready(f, DRAW_OPEN, 0);
    tell_reason(f, "data directory data: it was moved");
    assert_false(ended(f, EXITED(LEDGER_EXIT_GONE)));
    assert_string_equal(f->ledger.reason.text, "data directory data: it was moved");
}

/* While the server stops: a clean end and a kill are fine, an error is not. */
static void test_stopping(void **state)
{
    struct fixture *f = *state;

    tell_ready(f, DRAW_OPEN, 0);
    assert_true(ended_while(f, EXITED(0), true));
    assert_true(ended_while(f, KILLED, true));
    tell_ready(f, DRAW_OPEN, 0);
    tell_reason(f, "bets.csv: sync failed");
    assert_false(ended_while(f, EXITED(LEDGER_EXIT_UNCERTAIN), true));
    assert_string_equal(f->ledger.reason.text, "data directory data: bets.csv: sync failed");
}

/* What does not come from a ledger of ours is not taken for a message. */
static void test_foreign(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(send(f->ledger.far_fd, "READY", 5, MSG_DONTWAIT), 5);
    hear(f);
    assert_false(f->ledger.was_ready);
    tell(f, &(struct ledger_tells){.kind = (enum ledger_tells_kind)99});
    tell_ready(f, DRAW_OPEN, 0);
    hear(f);
    assert_true(f->ledger.was_ready);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_ready),
        CASE(test_sorteo_once),
        CASE(test_dies_before_it_tells),
        CASE(test_last_words),
        CASE(test_drawn_before),
        CASE(test_continues),
        CASE(test_forgiven),
        CASE(test_names_the_draws_folder),
        CASE(test_no_start),
        CASE(test_no_start_without_reason),
        CASE(test_killed),
        CASE(test_uncertain),
        CASE(test_three_in_a_row),
        CASE(test_gone),
        CASE(test_stopping),
        CASE(test_foreign),
    };

    return cmocka_run_group_tests_name("ledger_child", tests, NULL, NULL);
}
