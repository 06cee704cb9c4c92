/* The coordinator's decisions: one by one, and over random histories of a model of the ledger. */
#include "cmocka_all.h"
#include "coordinator_core.h"
#include "prng.h"

#include <string.h>

#define AGENCIES 3
#define NUMBER 7574

static const struct draw_drawn outcome = {.time_s = 1000,
                                          .winner_number = NUMBER,
                                          .winners = 5,
                                          .winners_size = 40,
                                          .winners_crc = 0xabcd};

static const struct scan_outcome found = {.drawn = {.time_s = 1000,
                                                    .winner_number = NUMBER,
                                                    .winners = 5,
                                                    .winners_size = 40,
                                                    .winners_crc = 0xabcd}};

struct fixture {
    struct coordinator_core core;
    struct ledger_news news;
};

static void begin(struct fixture *f, enum draw_phase phase)
{
    coordinator_core_init(&f->core);
    f->news = (struct ledger_news){
        .phase = phase, .agencies = AGENCIES, .finished = AGENCIES, .winner_number = NUMBER};
    if (phase == DRAW_DRAWN)
        f->news.drawn = outcome;
}

static void expect(struct coordinator_decision decision, enum coordinator_step step,
                   enum coordinator_note note)
{
    assert_int_equal(decision.step, step);
    assert_int_equal(decision.note, note);
}

static struct coordinator_decision news(struct fixture *f)
{
    return coordinator_core_on_news(&f->core, &f->news);
}

static struct coordinator_decision ends(struct fixture *f, enum status status)
{
    return coordinator_core_on_end(&f->core, &f->news, status, &found);
}

static struct coordinator_decision pause_ends(struct fixture *f)
{
    return coordinator_core_on_pause_end(&f->core, &f->news);
}

#define NONE COORDINATOR_NOTE_NONE

/* From the last Finished to the winners, without trouble. */
static void test_held(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, DRAW_OPEN);
    f.news.finished = AGENCIES - 1;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    f.news.finished = AGENCIES;
    expect(news(&f), COORDINATOR_CLOSE, NONE);
    expect(news(&f), COORDINATOR_WAIT, NONE);
    expect(ends(&f, STATUS_OK), COORDINATOR_WAIT, NONE); /* the news is still on its way */
    f.news.phase = DRAW_CLOSED;
    expect(news(&f), COORDINATOR_MAKE, NONE);
    struct coordinator_decision decision = ends(&f, STATUS_OK);
    expect(decision, COORDINATOR_SUBMIT, NONE);
    assert_false(decision.has_succeeded);
    assert_memory_equal(&f.core.outcome.drawn, &outcome, sizeof(outcome));
    decision = ends(&f, STATUS_OK);
    expect(decision, COORDINATOR_PAUSE, NONE);
    assert_true(decision.has_succeeded);
    f.news.phase = DRAW_DRAWN;
    f.news.drawn = outcome;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    f.news.has_winners = true;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    expect(pause_ends(&f), COORDINATOR_WAIT, NONE);
    expect(news(&f), COORDINATOR_WAIT, NONE);
}

/* The news overtakes the outcome of an operation. */
static void test_news_comes_first(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, DRAW_OPEN);
    expect(news(&f), COORDINATOR_CLOSE, NONE);
    f.news.phase = DRAW_CLOSED;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    expect(ends(&f, STATUS_OK), COORDINATOR_MAKE, NONE);
    expect(ends(&f, STATUS_OK), COORDINATOR_SUBMIT, NONE);
    f.news.phase = DRAW_DRAWN;
    f.news.drawn = outcome;
    f.news.has_winners = true;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    struct coordinator_decision decision = ends(&f, STATUS_OK);
    expect(decision, COORDINATOR_WAIT, NONE);
    assert_true(decision.has_succeeded);
}

/* Nothing to do: nobody has told anything, or there are no agencies. */
static void test_nothing_known(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, DRAW_NEW);
    f.news.agencies = 0;
    f.news.finished = 0;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    f.news.phase = DRAW_OPEN;
    expect(news(&f), COORDINATOR_WAIT, NONE);
}

/* Whatever fails before the draw was held is a failed attempt, and is begun again. */
static void test_attempts_fail(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, DRAW_OPEN);
    expect(news(&f), COORDINATOR_CLOSE, NONE);
    expect(ends(&f, STATUS_NOSPACE), COORDINATOR_PAUSE, COORDINATOR_NOTE_FAILED);
    expect(news(&f), COORDINATOR_WAIT, NONE); /* news does not shorten the pause */
    expect(pause_ends(&f), COORDINATOR_CLOSE, NONE);
    f.news.phase = DRAW_CLOSED;
    expect(ends(&f, STATUS_OK), COORDINATOR_MAKE, NONE);
    expect(ends(&f, STATUS_DAMAGED), COORDINATOR_PAUSE, COORDINATOR_NOTE_FAILED);
    expect(pause_ends(&f), COORDINATOR_MAKE, NONE);
    expect(ends(&f, STATUS_OK), COORDINATOR_SUBMIT, NONE);
    expect(ends(&f, STATUS_NOSPACE), COORDINATOR_PAUSE, COORDINATOR_NOTE_FAILED);
    expect(pause_ends(&f), COORDINATOR_MAKE, NONE);
}

/* The ledger goes away: no failure, and no pause, as the next link's news has come before. */
static void test_ledger_ends(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, DRAW_CLOSED);
    expect(news(&f), COORDINATOR_MAKE, NONE);
    expect(news(&f), COORDINATOR_WAIT, NONE);
    expect(ends(&f, STATUS_STOPPED), COORDINATOR_MAKE, NONE);
    expect(pause_ends(&f), COORDINATOR_WAIT, NONE); /* there is none */
    expect(ends(&f, STATUS_OK), COORDINATOR_SUBMIT, NONE);
    expect(ends(&f, STATUS_STOPPED), COORDINATOR_MAKE, NONE); /* it was not recorded */
    expect(ends(&f, STATUS_OK), COORDINATOR_SUBMIT, NONE);
    f.news.phase = DRAW_DRAWN; /* it was */
    f.news.drawn = outcome;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    expect(ends(&f, STATUS_STOPPED), COORDINATOR_CHECK, NONE);
}

/* The ledger does not think that all have finished: wait for its news. */
static void test_not_due(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, DRAW_OPEN);
    expect(news(&f), COORDINATOR_CLOSE, NONE);
    expect(ends(&f, STATUS_INVALID), COORDINATOR_PAUSE, NONE);
    f.news.agencies = AGENCIES + 1;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    expect(pause_ends(&f), COORDINATOR_WAIT, NONE); /* of the pause that the news has ended */
    f.news.finished = AGENCIES + 1;
    expect(news(&f), COORDINATOR_CLOSE, NONE);
}

/* A draw that was held before this coordinator began: its files are right. */
static void test_held_before(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, DRAW_DRAWN);
    expect(news(&f), COORDINATOR_CHECK, NONE);
    expect(ends(&f, STATUS_OK), COORDINATOR_CONFIRM, NONE);
    assert_memory_equal(&f.core.outcome.drawn, &outcome, sizeof(outcome));
    expect(ends(&f, STATUS_OK), COORDINATOR_PAUSE, NONE);
    expect(pause_ends(&f), COORDINATOR_CHECK, NONE); /* the ledger ended before it told anybody */
}

/* Its files are lost: they are made again, with the outcome as it was recorded, also after failed
 * attempts, none of which is a failed draw. */
static void test_files_lost(void **state)
{
    static const enum status statuses[] = {STATUS_NOTFOUND, STATUS_DAMAGED};
    struct fixture f;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        begin(&f, DRAW_DRAWN);
        f.news.drawn.time_s = 7;
        expect(news(&f), COORDINATOR_CHECK, NONE);
        expect(ends(&f, statuses[i]), COORDINATOR_MAKE, COORDINATOR_NOTE_LOST);
        expect(ends(&f, STATUS_NOSPACE), COORDINATOR_PAUSE, COORDINATOR_NOTE_TROUBLE);
        expect(pause_ends(&f), COORDINATOR_MAKE, NONE);
        expect(ends(&f, STATUS_OK), COORDINATOR_SUBMIT, NONE);
        assert_int_equal(f.core.outcome.drawn.time_s, 7);
        expect(ends(&f, STATUS_IO), COORDINATOR_PAUSE, COORDINATOR_NOTE_TROUBLE);
        expect(pause_ends(&f), COORDINATOR_MAKE, NONE);
        expect(ends(&f, STATUS_OK), COORDINATOR_SUBMIT, NONE);
        expect(ends(&f, STATUS_OK), COORDINATOR_PAUSE, NONE);
        expect(pause_ends(&f), COORDINATOR_CHECK, NONE);
    }
}

/* A worker has found the files lost after everybody was told: they are looked at again. */
static void test_files_lost_later(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, DRAW_DRAWN);
    f.news.has_winners = true;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    f.news.has_winners = false;
    expect(news(&f), COORDINATOR_CHECK, NONE);
    expect(ends(&f, STATUS_NOTFOUND), COORDINATOR_MAKE, COORDINATOR_NOTE_LOST);
    expect(ends(&f, STATUS_OK), COORDINATOR_SUBMIT, NONE);
    f.news.has_winners = true;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    expect(ends(&f, STATUS_OK), COORDINATOR_WAIT, NONE);
    f.news.has_winners = false;
    expect(news(&f), COORDINATOR_CHECK, NONE);
    expect(ends(&f, STATUS_OK), COORDINATOR_CONFIRM, NONE);
}

/* The check itself fails: that says nothing about the files. */
static void test_check_fails(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, DRAW_DRAWN);
    expect(news(&f), COORDINATOR_CHECK, NONE);
    expect(ends(&f, STATUS_IO), COORDINATOR_PAUSE, COORDINATOR_NOTE_TROUBLE);
    expect(pause_ends(&f), COORDINATOR_CHECK, NONE);
}

/* What a new scan finds is not what was drawn: nothing is published. */
static void test_different(void **state)
{
    struct fixture f;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        begin(&f, DRAW_DRAWN);
        f.news.drawn.winner_number += i == 0;
        f.news.drawn.winners += i == 1;
        f.news.drawn.winners_size += i == 2;
        f.news.drawn.winners_crc += i == 3;
        expect(news(&f), COORDINATOR_CHECK, NONE);
        expect(ends(&f, STATUS_DAMAGED), COORDINATOR_MAKE, COORDINATOR_NOTE_LOST);
        expect(ends(&f, STATUS_OK), COORDINATOR_PAUSE, COORDINATOR_NOTE_DIFFERENT);
        expect(pause_ends(&f), COORDINATOR_MAKE, NONE);
    }
}

/* The outcome that a killed coordinator had handed in is recorded while its successor scans. */
static void test_predecessor(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, DRAW_CLOSED);
    expect(news(&f), COORDINATOR_MAKE, NONE);
    expect(ends(&f, STATUS_OK), COORDINATOR_SUBMIT, NONE);
    f.news.phase = DRAW_DRAWN;
    f.news.drawn = outcome;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    expect(ends(&f, STATUS_CLOSED), COORDINATOR_CHECK, NONE);

    begin(&f, DRAW_CLOSED);
    expect(news(&f), COORDINATOR_MAKE, NONE);
    f.news.phase = DRAW_DRAWN;
    f.news.drawn = outcome;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    expect(ends(&f, STATUS_IO), COORDINATOR_PAUSE, COORDINATOR_NOTE_TROUBLE);

    begin(&f, DRAW_CLOSED);
    expect(news(&f), COORDINATOR_MAKE, NONE);
    f.news.phase = DRAW_DRAWN;
    f.news.drawn = outcome;
    f.news.has_winners = true;
    expect(ends(&f, STATUS_OK), COORDINATOR_WAIT, NONE);
}

/* ------------------------------------------------------------------ sealed and manual draws */

static const struct draw_sealed sealed = {.time_s = 900, .root = {7, 7}};

static const struct scan_outcome sealed_found = {.sealed = {.time_s = 900, .root = {7, 7}}};

static const struct draw_order order = {
    .number = NUMBER, .uid = 1000, .source_size = 4, .source = "drum"};

/* What is found for the order. */
static const struct scan_outcome ordered = {.drawn = {.time_s = 1000,
                                                      .winner_number = NUMBER,
                                                      .winners = 5,
                                                      .winners_size = 40,
                                                      .winners_crc = 0xabcd,
                                                      .uid = 1000,
                                                      .source = {"drum", 4}}};

static void begin_run(struct fixture *f, enum draw_phase phase, enum draw_mode mode, bool has_seal)
{
    begin(f, phase);
    f->news.terms = (struct draw_terms){.mode = mode, .has_seal = has_seal};
    f->news.winner_number = mode == DRAW_AUTO ? NUMBER : 0;
    if (phase == DRAW_DRAWN && mode == DRAW_MANUAL)
        f->news.drawn = ordered.drawn;
}

static void set_sealed(struct fixture *f, bool can_be_read)
{
    f->news.is_sealed = true;
    f->news.sealed = sealed;
    f->news.has_seal = can_be_read;
}

static struct coordinator_decision give(struct fixture *f)
{
    assert_null(coordinator_core_refusal(&f->core, &f->news));
    return coordinator_core_on_order(&f->core, &f->news, &order);
}

static struct coordinator_decision ends_with(struct fixture *f, enum status status,
                                             const struct scan_outcome *made)
{
    return coordinator_core_on_end(&f->core, &f->news, status, made);
}

static void expect_files(struct coordinator_decision decision, enum coordinator_step step,
                         enum store_files files, enum coordinator_note note,
                         enum coordinator_order end)
{
    expect(decision, step, note);
    assert_int_equal(decision.files, files);
    assert_int_equal(decision.order, end);
}

#define NO_ORDER COORDINATOR_ORDER_NONE

/* From the closing to the winners of a draw that runs by itself, with a seal. */
static void test_auto_sealed(void **state)
{
    struct fixture f;

    (void)state;
    begin_run(&f, DRAW_CLOSED, DRAW_AUTO, true);
    expect_files(news(&f), COORDINATOR_MAKE, STORE_SEAL, NONE, NO_ORDER);
    expect_files(ends_with(&f, STATUS_OK, &sealed_found), COORDINATOR_SUBMIT, STORE_SEAL, NONE,
                 NO_ORDER);
    assert_memory_equal(&f.core.outcome.sealed, &sealed, sizeof(sealed));
    expect(ends(&f, STATUS_OK), COORDINATOR_PAUSE, NONE);
    set_sealed(&f, true);
    expect_files(news(&f), COORDINATOR_MAKE, STORE_WINNERS, NONE, NO_ORDER); /* ends the pause */
    expect_files(ends(&f, STATUS_OK), COORDINATOR_SUBMIT, STORE_WINNERS, NONE, NO_ORDER);
    f.news.phase = DRAW_DRAWN;
    f.news.drawn = outcome;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    expect(ends(&f, STATUS_OK), COORDINATOR_PAUSE, NONE);
    f.news.needs_result = true;
    /* It was never there: it is made, and nobody says that it is lost. */
    expect_files(news(&f), COORDINATOR_MAKE, STORE_RESULT, NONE, NO_ORDER);
    expect_files(ends(&f, STATUS_OK), COORDINATOR_SUBMIT, STORE_RESULT, NONE, NO_ORDER);
    f.news.needs_result = false;
    f.news.has_winners = true;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    assert_true(ends(&f, STATUS_OK).has_succeeded);
    expect(news(&f), COORDINATOR_WAIT, NONE);
}

/* When the operator may give the number. */
static void test_refusals(void **state)
{
    struct fixture f;

    (void)state;
    begin_run(&f, DRAW_NEW, DRAW_AUTO, false);
    assert_non_null(coordinator_core_refusal(&f.core, &f.news));
    begin_run(&f, DRAW_CLOSED, DRAW_AUTO, false);
    assert_non_null(coordinator_core_refusal(&f.core, &f.news));
    begin_run(&f, DRAW_OPEN, DRAW_MANUAL, false);
    assert_non_null(coordinator_core_refusal(&f.core, &f.news));
    begin_run(&f, DRAW_DRAWN, DRAW_MANUAL, false);
    assert_non_null(coordinator_core_refusal(&f.core, &f.news));
    begin_run(&f, DRAW_CLOSED, DRAW_MANUAL, true);
    assert_non_null(coordinator_core_refusal(&f.core, &f.news));
    set_sealed(&f, false); /* its files are being looked at */
    assert_non_null(coordinator_core_refusal(&f.core, &f.news));
    set_sealed(&f, true);
    assert_null(coordinator_core_refusal(&f.core, &f.news));
    (void)give(&f);
    assert_non_null(coordinator_core_refusal(&f.core, &f.news)); /* another command's */
    begin_run(&f, DRAW_CLOSED, DRAW_MANUAL, false);
    assert_null(coordinator_core_refusal(&f.core, &f.news));
}

/* A manual draw waits for its number; who gave it is told the end with the news of the winners, not
 * later. */
static void test_manual(void **state)
{
    struct fixture f;

    (void)state;
    for (unsigned has_seal = 0; has_seal < 2; has_seal++) {
        begin_run(&f, DRAW_CLOSED, DRAW_MANUAL, has_seal);
        if (has_seal)
            set_sealed(&f, true);
        expect(news(&f), COORDINATOR_WAIT, NONE);
        expect_files(give(&f), COORDINATOR_MAKE, STORE_WINNERS, NONE, NO_ORDER);
        assert_string_equal(f.core.order.source, "drum");
        expect_files(ends_with(&f, STATUS_OK, &ordered), COORDINATOR_SUBMIT, STORE_WINNERS, NONE,
                     NO_ORDER);
        assert_int_equal(f.core.outcome.drawn.uid, 1000);
        assert_memory_equal(f.core.outcome.drawn.source.data, "drum", 4);
        f.news.phase = DRAW_DRAWN;
        f.news.drawn = ordered.drawn;
        expect_files(news(&f), COORDINATOR_WAIT, 0, NONE, NO_ORDER); /* nobody can read them yet */
        assert_int_equal(ends(&f, STATUS_OK).order, NO_ORDER);
        if (has_seal) {
            f.news.needs_result = true;
            expect_files(news(&f), COORDINATOR_MAKE, STORE_RESULT, NONE, NO_ORDER);
            expect_files(ends(&f, STATUS_OK), COORDINATOR_SUBMIT, STORE_RESULT, NONE, NO_ORDER);
            f.news.needs_result = false;
        }
        f.news.has_winners = true;
        expect_files(news(&f), COORDINATOR_WAIT, 0, NONE, COORDINATOR_ORDER_DONE);
        assert_int_equal(news(&f).order, NO_ORDER); /* once */
        if (has_seal)
            assert_int_equal(ends(&f, STATUS_OK).order, NO_ORDER);
        assert_int_equal(pause_ends(&f).order, NO_ORDER);
    }
}

/* Whatever fails, the operator is told, and nobody tries again until he does. */
static void test_order_fails(void **state)
{
    static const enum status statuses[] = {STATUS_IO, STATUS_DAMAGED, STATUS_NOSPACE,
                                           STATUS_INVALID};
    struct fixture f;

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        begin_run(&f, DRAW_CLOSED, DRAW_MANUAL, false);
        expect(give(&f), COORDINATOR_MAKE, NONE);
        if (i >= 4)
            expect(ends_with(&f, STATUS_OK, &ordered), COORDINATOR_SUBMIT, NONE);
        expect_files(ends(&f, statuses[i % 4]), COORDINATOR_PAUSE, STORE_WINNERS,
                     COORDINATOR_NOTE_FAILED, COORDINATOR_ORDER_FAILED);
        expect_files(news(&f), COORDINATOR_WAIT, 0, NONE, NO_ORDER);
        if (i % 2 == 0)
            expect_files(pause_ends(&f), COORDINATOR_WAIT, 0, NONE, NO_ORDER);
        expect(give(&f), COORDINATOR_MAKE, NONE); /* also within the pause */
        expect(pause_ends(&f), COORDINATOR_WAIT, NONE);
        expect(ends_with(&f, STATUS_OK, &ordered), COORDINATOR_SUBMIT, NONE);
    }
}

/* A lost link does not lose the number: it is drawn when the seal was looked at on the next one. If
 * that fails, the operator is told. */
static void test_order_and_lost_link(void **state)
{
    struct fixture f;

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        begin_run(&f, DRAW_CLOSED, DRAW_MANUAL, true);
        set_sealed(&f, true);
        expect_files(give(&f), COORDINATOR_MAKE, STORE_WINNERS, NONE, NO_ORDER);
        set_sealed(&f, false); /* the next ledger has not looked at it */
        expect_files(news(&f), COORDINATOR_WAIT, 0, NONE, NO_ORDER);
        expect_files(ends(&f, STATUS_STOPPED), COORDINATOR_CHECK, STORE_SEAL, NONE, NO_ORDER);
        if (round == 1) {
            expect_files(ends(&f, STATUS_IO), COORDINATOR_PAUSE, STORE_SEAL,
                         COORDINATOR_NOTE_TROUBLE, COORDINATOR_ORDER_FAILED);
            set_sealed(&f, true);
            expect(pause_ends(&f), COORDINATOR_WAIT, NONE);
            continue;
        }
        if (round == 2) { /* the bets have changed since the seal */
            struct scan_outcome other = sealed_found;
            other.sealed.root[31]++;
            expect_files(ends(&f, STATUS_NOTFOUND), COORDINATOR_MAKE, STORE_SEAL,
                         COORDINATOR_NOTE_LOST, NO_ORDER);
            expect_files(ends_with(&f, STATUS_OK, &other), COORDINATOR_PAUSE, STORE_SEAL,
                         COORDINATOR_NOTE_DIFFERENT, COORDINATOR_ORDER_FAILED);
            continue;
        }
        expect_files(ends(&f, STATUS_OK), COORDINATOR_CONFIRM, STORE_SEAL, NONE, NO_ORDER);
        expect(ends(&f, STATUS_OK), COORDINATOR_PAUSE, NONE);
        set_sealed(&f, true);
        expect_files(news(&f), COORDINATOR_MAKE, STORE_WINNERS, NONE, NO_ORDER);
        expect(ends_with(&f, STATUS_OK, &ordered), COORDINATOR_SUBMIT, NONE);
        /* And once more, after it was recorded: then it is done when its files are right. */
        f.news.phase = DRAW_DRAWN;
        f.news.drawn = ordered.drawn;
        f.news.has_seal = false;
        expect(news(&f), COORDINATOR_WAIT, NONE);
        expect_files(ends(&f, STATUS_STOPPED), COORDINATOR_CHECK, STORE_SEAL, NONE, NO_ORDER);
        expect_files(ends(&f, STATUS_IO), COORDINATOR_PAUSE, STORE_SEAL, COORDINATOR_NOTE_TROUBLE,
                     NO_ORDER);
        f.news.has_seal = true;
        f.news.has_winners = true;
        assert_int_equal(news(&f).order, COORDINATOR_ORDER_DONE);
    }
}

/* Another number is on record: of a coordinator that was killed, whose outcome came late. */
static void test_order_late(void **state)
{
    struct fixture f;

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        begin_run(&f, DRAW_CLOSED, DRAW_MANUAL, false);
        expect(give(&f), COORDINATOR_MAKE, NONE);
        if (round > 0)
            expect(ends_with(&f, STATUS_OK, &ordered), COORDINATOR_SUBMIT, NONE);
        f.news.phase = DRAW_DRAWN;
        f.news.drawn = ordered.drawn;
        if (round < 2)
            f.news.drawn.winner_number--;
        else
            f.news.drawn.uid++;
        expect_files(news(&f), COORDINATOR_WAIT, 0, NONE, COORDINATOR_ORDER_LATE);
        /* Nobody says that the bets have changed. */
        if (round == 0)
            expect_files(ends_with(&f, STATUS_OK, &ordered), COORDINATOR_CHECK, STORE_WINNERS, NONE,
                         NO_ORDER);
        else
            expect_files(ends(&f, STATUS_CLOSED), COORDINATOR_CHECK, STORE_WINNERS, NONE, NO_ORDER);
    }
}

/* A coordinator begins in every phase. */
static void test_restarts(void **state)
{
    struct fixture f;

    (void)state;
    begin_run(&f, DRAW_OPEN, DRAW_MANUAL, true);
    expect(news(&f), COORDINATOR_CLOSE, NONE); /* all have finished */
    begin_run(&f, DRAW_OPEN, DRAW_MANUAL, true);
    f.news.finished = 0;
    expect(news(&f), COORDINATOR_WAIT, NONE);
    f.news.phase = DRAW_CLOSED; /* by its time, or the operator */
    expect_files(news(&f), COORDINATOR_MAKE, STORE_SEAL, NONE, NO_ORDER);
    begin_run(&f, DRAW_CLOSED, DRAW_MANUAL, true);
    set_sealed(&f, false);
    expect_files(news(&f), COORDINATOR_CHECK, STORE_SEAL, NONE, NO_ORDER);
    expect_files(ends(&f, STATUS_DAMAGED), COORDINATOR_MAKE, STORE_SEAL, COORDINATOR_NOTE_LOST,
                 NO_ORDER);
    expect(ends(&f, STATUS_NOSPACE), COORDINATOR_PAUSE, COORDINATOR_NOTE_TROUBLE);
    expect_files(pause_ends(&f), COORDINATOR_MAKE, STORE_SEAL, NONE, NO_ORDER);
    struct scan_outcome later = sealed_found;
    later.sealed.time_s += 50;
    expect(ends_with(&f, STATUS_OK, &later), COORDINATOR_SUBMIT, NONE);
    assert_int_equal(f.core.outcome.sealed.time_s, 900); /* as it is on record */
    begin_run(&f, DRAW_CLOSED, DRAW_MANUAL, true);
    set_sealed(&f, true);
    expect(news(&f), COORDINATOR_WAIT, NONE);
    begin_run(&f, DRAW_DRAWN, DRAW_MANUAL, true);
    set_sealed(&f, false); /* the seal comes first: agencies wait for it */
    expect_files(news(&f), COORDINATOR_CHECK, STORE_SEAL, NONE, NO_ORDER);
    begin_run(&f, DRAW_DRAWN, DRAW_MANUAL, true);
    set_sealed(&f, true);
    expect_files(news(&f), COORDINATOR_CHECK, STORE_WINNERS, NONE, NO_ORDER);
    expect_files(ends(&f, STATUS_OK), COORDINATOR_CONFIRM, STORE_WINNERS, NONE, NO_ORDER);
    assert_memory_equal(f.core.outcome.drawn.source.data, "drum", 4);
    expect(ends(&f, STATUS_OK), COORDINATOR_PAUSE, NONE);
    f.news.needs_result = true;
    /* It may be there, and is not signed once more for nothing. */
    expect_files(news(&f), COORDINATOR_CHECK, STORE_RESULT, NONE, NO_ORDER);
    expect_files(ends(&f, STATUS_OK), COORDINATOR_CONFIRM, STORE_RESULT, NONE, NO_ORDER);
    begin_run(&f, DRAW_DRAWN, DRAW_MANUAL, true);
    set_sealed(&f, true);
    f.news.needs_result = true;
    expect_files(news(&f), COORDINATOR_CHECK, STORE_RESULT, NONE, NO_ORDER);
    expect_files(ends(&f, STATUS_NOTFOUND), COORDINATOR_MAKE, STORE_RESULT, COORDINATOR_NOTE_LOST,
                 NO_ORDER);
    begin_run(&f, DRAW_DRAWN, DRAW_MANUAL, true);
    set_sealed(&f, true);
    f.news.has_winners = true;
    expect(news(&f), COORDINATOR_WAIT, NONE);
}

/* The result cannot be made of the winners that are there: these are looked at, though somebody
 * once found them right. */
static void test_result_without_winners(void **state)
{
    struct fixture f;

    (void)state;
    for (unsigned is_right = 0; is_right < 2; is_right++) {
        begin_run(&f, DRAW_DRAWN, DRAW_MANUAL, true);
        set_sealed(&f, true);
        f.news.needs_result = true;
        expect_files(news(&f), COORDINATOR_CHECK, STORE_RESULT, NONE, NO_ORDER);
        expect(ends(&f, STATUS_NOTFOUND), COORDINATOR_MAKE, COORDINATOR_NOTE_LOST);
        expect(ends(&f, STATUS_DAMAGED), COORDINATOR_PAUSE, COORDINATOR_NOTE_TROUBLE);
        expect_files(pause_ends(&f), COORDINATOR_CHECK, STORE_WINNERS, NONE, NO_ORDER);
        if (is_right) {
            expect(ends(&f, STATUS_OK), COORDINATOR_CONFIRM, NONE);
        } else {
            expect_files(ends(&f, STATUS_DAMAGED), COORDINATOR_MAKE, STORE_WINNERS,
                         COORDINATOR_NOTE_LOST, NO_ORDER);
            expect(ends_with(&f, STATUS_OK, &ordered), COORDINATOR_SUBMIT, NONE);
        }
        expect(ends(&f, STATUS_OK), COORDINATOR_PAUSE, NONE);
        expect_files(pause_ends(&f), COORDINATOR_MAKE, STORE_RESULT, NONE, NO_ORDER);
        expect(ends(&f, STATUS_IO), COORDINATOR_PAUSE, COORDINATOR_NOTE_TROUBLE);
        expect_files(pause_ends(&f), COORDINATOR_MAKE, STORE_RESULT, NONE, NO_ORDER);
    }
}

/* The ledger of the random histories, and what is begun there. */
struct world {
    struct prng prng;
    struct fixture f;         /* f.news is what the coordinator was told */
    struct ledger_news truth; /* what holds, but for what can be read */
    bool right[STORE_FILES];  /* the ledger takes these files for right */
    bool named[STORE_FILES];  /* those with names are right */
    bool fresh[STORE_FILES];  /* the ledger holds those that are written, without names */
    bool is_pausing;
    enum coordinator_step busy;
    uint32_t number; /* of the job that makes winners */
    uint32_t uid;
    bool is_ordered; /* an operator waits */
    unsigned dones;  /* orders that ended well */
};

/* What the ledger says. */
static struct ledger_news world_news(const struct world *w)
{
    struct ledger_news news = w->truth;
    bool is_drawn = news.phase == DRAW_DRAWN;
    bool has_all = w->right[STORE_WINNERS] && (w->right[STORE_RESULT] || !news.terms.has_seal);

    news.has_seal = news.is_sealed && w->right[STORE_SEAL];
    news.has_winners = is_drawn && has_all;
    news.needs_result = is_drawn && w->right[STORE_WINNERS] && !has_all;
    return news;
}

static void world_end_order(struct world *w, enum coordinator_order end)
{
    const struct draw_order *given = &w->f.core.order;

    if (end == COORDINATOR_ORDER_NONE)
        return;
    assert_true(w->is_ordered);
    w->is_ordered = false;
    assert_false(w->f.core.has_order);
    if (end == COORDINATOR_ORDER_FAILED)
        return;
    bool is_same =
        w->truth.drawn.winner_number == given->number && w->truth.drawn.uid == given->uid;
    assert_int_equal(w->truth.phase, DRAW_DRAWN);
    assert_int_equal(is_same, end == COORDINATOR_ORDER_DONE);
    if (end == COORDINATOR_ORDER_DONE)
        assert_true(w->f.news.has_winners);
    w->dones += is_same;
}

static void world_begin_job(struct world *w, enum store_files files)
{
    bool is_drawn = w->f.news.phase == DRAW_DRAWN;
    bool is_manual = w->truth.terms.mode == DRAW_MANUAL;

    w->fresh[files] = true;
    if (files != STORE_WINNERS)
        return;
    if (!is_drawn && is_manual)
        assert_true(w->is_ordered); /* a number that failed is not drawn by itself */
    w->number = is_drawn    ? w->f.news.drawn.winner_number
                : is_manual ? w->f.core.order.number
                            : NUMBER;
    w->uid = is_drawn ? w->f.news.drawn.uid : is_manual ? w->f.core.order.uid : 0;
}

static void world_follow(struct world *w, struct coordinator_decision decision)
{
    world_end_order(w, decision.order);
    if (decision.note == COORDINATOR_NOTE_FAILED)
        assert_true(w->f.news.phase != DRAW_DRAWN || !w->f.news.is_sealed);
    assert_true(decision.note != COORDINATOR_NOTE_DIFFERENT); /* the bets do not change */
    if (decision.step == COORDINATOR_WAIT)
        return;
    assert_false(w->f.news.has_winners &&
                 (w->f.news.has_seal || !w->f.news.terms.has_seal)); /* all is done */
    assert_true(w->busy == COORDINATOR_WAIT);
    if (decision.step == COORDINATOR_PAUSE) {
        w->is_pausing = true;
        return;
    }
    if (decision.step == COORDINATOR_MAKE)
        world_begin_job(w, decision.files);
    w->busy = decision.step;
}

static void world_tell(struct world *w)
{
    w->f.news = world_news(w);
    world_follow(w, coordinator_core_on_news(&w->f.core, &w->f.news));
}

/* May what is handed in be recorded? Then it is. */
static enum status world_record(struct world *w, enum store_files files)
{
    const struct scan_outcome *made = &w->f.core.outcome;

    if (files == STORE_SEAL) {
        assert_true(w->truth.phase >= DRAW_CLOSED && w->truth.terms.has_seal);
        if (w->truth.is_sealed)
            assert_memory_equal(&made->sealed, &w->truth.sealed, sizeof(made->sealed));
        w->truth.is_sealed = true;
        w->truth.sealed = made->sealed;
    } else if (files == STORE_WINNERS) {
        assert_true(w->truth.phase >= DRAW_CLOSED);
        assert_int_equal(w->truth.is_sealed, w->truth.terms.has_seal); /* no number without it */
        w->truth.phase = DRAW_DRAWN;
        w->truth.drawn = made->drawn;
    } else {
        assert_int_equal(w->truth.phase, DRAW_DRAWN);
    }
    return STATUS_OK;
}

/* What the ledger makes of what is begun. */
static enum status world_submit(struct world *w, bool is_new)
{
    enum store_files files = w->f.core.files;
    const struct draw_drawn *drawn = &w->f.core.outcome.drawn;
    enum status status;

    if (files == STORE_WINNERS && w->truth.phase == DRAW_DRAWN &&
        memcmp(drawn, &w->truth.drawn, sizeof(*drawn)) != 0)
        return STATUS_CLOSED;
    if (files == STORE_SEAL && w->truth.is_sealed &&
        w->f.core.outcome.sealed.time_s != w->truth.sealed.time_s)
        return STATUS_CLOSED;
    if (is_new && !w->fresh[files])
        return STATUS_STOPPED;
    w->fresh[files] = w->fresh[files] && !is_new;
    w->named[files] = w->named[files] || is_new;
    assert_true(w->named[files]);
    status = world_record(w, files);
    w->right[files] = true;
    if (files == STORE_WINNERS)
        w->right[STORE_RESULT] = false;
    return status;
}

/* What comes of what is begun, if nothing fails. */
static enum status world_do(struct world *w)
{
    enum store_files files = w->f.core.files;
    bool can_be = files != STORE_RESULT || w->named[STORE_WINNERS]; /* it is made of these */

    if (w->busy == COORDINATOR_CHECK)
        return w->named[files] && can_be ? STATUS_OK : STATUS_NOTFOUND;
    if (w->busy == COORDINATOR_MAKE)
        return can_be ? STATUS_OK : STATUS_NOTFOUND;
    if (w->busy != COORDINATOR_CLOSE)
        return world_submit(w, w->busy == COORDINATOR_SUBMIT);
    if (w->truth.finished < w->truth.agencies)
        return STATUS_INVALID;
    if (w->truth.phase == DRAW_OPEN)
        w->truth.phase = DRAW_CLOSED;
    return STATUS_OK;
}

static void world_end(struct world *w, enum status status)
{
    struct scan_outcome made = {.sealed = {.time_s = prng_next(&w->prng), .root = {7}},
                                .drawn = {.time_s = prng_next(&w->prng),
                                          .winner_number = w->number,
                                          .winners = w->number % 9,
                                          .uid = w->uid}};

    w->busy = COORDINATOR_WAIT;
    world_follow(w, coordinator_core_on_end(&w->f.core, &w->f.news, status, &made));
}

static void world_order(struct world *w)
{
    const struct draw_order given = {.number = prng_below(&w->prng, 3),
                                     .uid = prng_below(&w->prng, 2)};

    if (coordinator_core_refusal(&w->f.core, &w->f.news) != NULL)
        return;
    assert_false(w->is_ordered);
    w->is_ordered = true;
    w->is_pausing = false;
    world_follow(w, coordinator_core_on_order(&w->f.core, &w->f.news, &given));
}

/* The coordinator is killed, perhaps after the ledger got what it had handed in. */
static void world_kill_coordinator(struct world *w)
{
    if (w->busy != COORDINATOR_WAIT && prng_below(&w->prng, 2) == 0)
        (void)world_do(w);
    w->busy = COORDINATOR_WAIT;
    w->is_pausing = false;
    w->is_ordered = false;
    memset(w->fresh, 0, sizeof(w->fresh));
    coordinator_core_init(&w->f.core);
    memset(&w->f.news, 0, sizeof(w->f.news));
    world_tell(w);
}

/* The ledger is killed, perhaps after it has done what was begun; it takes no files for right
 * then. */
static void world_kill_ledger(struct world *w)
{
    bool is_lost = w->busy == COORDINATOR_SUBMIT;

    if (w->busy != COORDINATOR_WAIT && prng_below(&w->prng, 2) == 0)
        (void)world_do(w);
    memset(w->fresh, 0, sizeof(w->fresh));
    memset(w->right, 0, sizeof(w->right));
    world_tell(w);
    if (is_lost)
        world_end(w, STATUS_STOPPED);
}

/* Somebody removes files; that is found out by a worker, or when the ledger is killed. */
static void world_remove(struct world *w)
{
    enum store_files files = (enum store_files)prng_below(&w->prng, STORE_FILES);

    if (w->busy != COORDINATOR_CONFIRM)
        w->named[files] = false;
    if (prng_below(&w->prng, 2) == 0) {
        world_kill_ledger(w);
        return;
    }
    w->right[files] = false;
    if (files == STORE_WINNERS)
        w->right[STORE_RESULT] = false;
    world_tell(w);
}

/* Something happens outside. */
static void world_go_on(struct world *w)
{
    bool is_manual = w->truth.terms.mode == DRAW_MANUAL;

    if (w->truth.finished < AGENCIES)
        w->truth.finished++;
    else if (is_manual && w->truth.phase == DRAW_CLOSED)
        world_order(w);
    if (is_manual && w->truth.phase == DRAW_OPEN && prng_below(&w->prng, 4) == 0)
        w->truth.phase = DRAW_CLOSED; /* its time has come, or the operator says so */
}

static void world_step(struct world *w, bool is_calm)
{
    uint32_t dice = prng_below(&w->prng, is_calm ? 60 : 100);

    if (dice < 20) {
        world_tell(w);
    } else if (dice < 50) {
        if (w->busy != COORDINATOR_WAIT)
            world_end(w, world_do(w));
        else
            world_go_on(w);
    } else if (dice < 60) {
        if (w->is_pausing) {
            w->is_pausing = false;
            world_follow(w, coordinator_core_on_pause_end(&w->f.core, &w->f.news));
        }
    } else if (dice < 75) {
        if (w->busy != COORDINATOR_WAIT)
            world_end(w, prng_below(&w->prng, 2) == 0 ? STATUS_NOSPACE : STATUS_IO);
    } else if (dice < 80) {
        world_remove(w);
    } else if (dice < 90) {
        world_kill_ledger(w);
    } else {
        world_kill_coordinator(w);
    }
}

/* Whatever happens: once it stops happening, the draw is sealed and held and all can be read; it is
 * held once; and every operator who waits is told the end. */
static void test_histories(void **state)
{
    unsigned dones = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        bool is_manual = seed % 2 != 0;
        struct world w = {.prng = {seed},
                          .truth = {.phase = DRAW_OPEN,
                                    .agencies = AGENCIES,
                                    .terms = {.mode = is_manual ? DRAW_MANUAL : DRAW_AUTO,
                                              .has_seal = seed / 2 % 2 != 0},
                                    .winner_number = is_manual ? 0 : NUMBER}};
        struct draw_drawn held = {0};
        bool was_held = false;
        coordinator_core_init(&w.f.core);
        for (unsigned step = 0; step < 500; step++) {
            world_step(&w, step >= 100);
            if (was_held)
                assert_memory_equal(&w.truth.drawn, &held, sizeof(held));
            was_held = w.truth.phase == DRAW_DRAWN;
            held = w.truth.drawn;
        }
        struct ledger_news news = world_news(&w);
        bool has_seal = news.terms.has_seal;
        if (!news.has_winners || !w.named[STORE_WINNERS] || news.has_seal != has_seal ||
            w.named[STORE_SEAL] < has_seal || w.named[STORE_RESULT] < has_seal || w.is_ordered)
            fail_msg("the draw was not held with seed %u", (unsigned)seed);
        dones += w.dones;
    }
    assert_true(dones > 1000); /* manual draws were held */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_news_comes_first),
        cmocka_unit_test(test_nothing_known),
        cmocka_unit_test(test_attempts_fail),
        cmocka_unit_test(test_ledger_ends),
        cmocka_unit_test(test_not_due),
        cmocka_unit_test(test_held_before),
        cmocka_unit_test(test_files_lost),
        cmocka_unit_test(test_check_fails),
        cmocka_unit_test(test_files_lost_later),
        cmocka_unit_test(test_different),
        cmocka_unit_test(test_predecessor),
        cmocka_unit_test(test_auto_sealed),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_order_fails),
        cmocka_unit_test(test_order_and_lost_link),
        cmocka_unit_test(test_order_late),
        cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_result_without_winners),
        cmocka_unit_test(test_histories),
    };

    return cmocka_run_group_tests_name("coordinator_core", tests, NULL, NULL);
}
