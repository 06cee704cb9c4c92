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

/* The ledger of the random histories, and what is begun there. */
struct world {
    struct prng prng;
    struct fixture f;         /* f.news is what the coordinator was told */
    struct ledger_news truth; /* what holds */
    bool are_files_right;     /* those with names */
    bool has_new_files;       /* the ledger holds those that are written, without names */
    bool is_pausing;
    enum coordinator_step busy;
};

static void world_follow(struct world *w, struct coordinator_decision decision)
{
    bool is_known = w->f.news.phase == DRAW_DRAWN;

    if (is_known)
        assert_true(decision.note != COORDINATOR_NOTE_FAILED);
    assert_true(decision.note != COORDINATOR_NOTE_DIFFERENT); /* the bets do not change */
    if (decision.step == COORDINATOR_WAIT)
        return;
    assert_false(w->f.news.has_winners);
    assert_true(w->busy == COORDINATOR_WAIT);
    if (decision.step == COORDINATOR_PAUSE) {
        w->is_pausing = true;
        return;
    }
    if (decision.step == COORDINATOR_MAKE)
        w->has_new_files = true;
    w->busy = decision.step;
}

static void world_tell(struct world *w)
{
    w->f.news = w->truth;
    world_follow(w, coordinator_core_on_news(&w->f.core, &w->f.news));
}

/* What the ledger makes of what is begun. */
static enum status world_submit(struct world *w, bool is_new)
{
    const struct draw_drawn *drawn = &w->f.core.outcome.drawn;

    if (w->truth.phase == DRAW_DRAWN && memcmp(drawn, &w->truth.drawn, sizeof(*drawn)) != 0)
        return STATUS_CLOSED;
    if (is_new && !w->has_new_files)
        return STATUS_STOPPED;
    w->are_files_right = w->are_files_right || is_new;
    assert_true(w->truth.phase != DRAW_OPEN && w->are_files_right);
    w->truth.phase = DRAW_DRAWN;
    w->truth.drawn = *drawn;
    w->truth.has_winners = true;
    return STATUS_OK;
}

/* What comes of what is begun, if nothing fails. */
static enum status world_do(struct world *w)
{
    if (w->busy == COORDINATOR_CHECK)
        return w->are_files_right ? STATUS_OK : STATUS_NOTFOUND;
    if (w->busy == COORDINATOR_MAKE)
        return STATUS_OK;
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
    struct scan_outcome made = found;

    made.drawn.time_s = prng_next(&w->prng);
    w->busy = COORDINATOR_WAIT;
    world_follow(w, coordinator_core_on_end(&w->f.core, &w->f.news, status, &made));
}

/* The coordinator is killed, perhaps after the ledger got what it had handed in. */
static void world_kill_coordinator(struct world *w)
{
    if (w->busy != COORDINATOR_WAIT && prng_below(&w->prng, 2) == 0)
        (void)world_do(w);
    w->busy = COORDINATOR_WAIT;
    w->is_pausing = false;
    w->has_new_files = false;
    coordinator_core_init(&w->f.core);
    memset(&w->f.news, 0, sizeof(w->f.news));
    world_tell(w);
}

/* The ledger is killed, perhaps after it has done what was begun; it knows of no winners then. */
static void world_kill_ledger(struct world *w)
{
    bool is_lost = w->busy == COORDINATOR_SUBMIT;

    if (w->busy != COORDINATOR_WAIT && prng_below(&w->prng, 2) == 0)
        (void)world_do(w);
    w->has_new_files = false;
    w->truth.has_winners = false;
    world_tell(w);
    if (is_lost)
        world_end(w, STATUS_STOPPED);
}

static void world_step(struct world *w, bool is_calm)
{
    uint32_t dice = prng_below(&w->prng, is_calm ? 60 : 100);

    if (dice < 20) {
        world_tell(w);
    } else if (dice < 50) {
        if (w->busy != COORDINATOR_WAIT)
            world_end(w, world_do(w));
        else if (w->truth.finished < AGENCIES)
            w->truth.finished++;
    } else if (dice < 60) {
        if (w->is_pausing) {
            w->is_pausing = false;
            world_follow(w, coordinator_core_on_pause_end(&w->f.core, &w->f.news));
        }
    } else if (dice < 75) {
        if (w->busy != COORDINATOR_WAIT)
            world_end(w, prng_below(&w->prng, 2) == 0 ? STATUS_NOSPACE : STATUS_IO);
    } else if (dice < 80) {
        /* Somebody removes the files; that is found out by a worker, or when the ledger is killed.
         */
        w->are_files_right = w->are_files_right && w->busy == COORDINATOR_CONFIRM;
        if (prng_below(&w->prng, 2) == 0) {
            world_kill_ledger(w);
        } else {
            w->truth.has_winners = false;
            world_tell(w);
        }
    } else if (dice < 90) {
        world_kill_ledger(w);
    } else {
        world_kill_coordinator(w);
    }
}

/* Whatever happens: once it stops happening, the draw is held and the winners can be read; and it
 * is held once. */
static void test_histories(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        struct world w = {
            .prng = {seed},
            .truth = {.phase = DRAW_OPEN, .agencies = AGENCIES, .winner_number = NUMBER}};
        struct draw_drawn held = {0};
        bool was_held = false;
        coordinator_core_init(&w.f.core);
        for (unsigned step = 0; step < 400; step++) {
            world_step(&w, step >= 100);
            if (was_held)
                assert_memory_equal(&w.truth.drawn, &held, sizeof(held));
            was_held = w.truth.phase == DRAW_DRAWN;
            held = w.truth.drawn;
        }
        if (!w.truth.has_winners || !w.are_files_right)
            fail_msg("the draw was not held with seed %u", (unsigned)seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held),          cmocka_unit_test(test_news_comes_first),
        cmocka_unit_test(test_nothing_known), cmocka_unit_test(test_attempts_fail),
        cmocka_unit_test(test_ledger_ends),   cmocka_unit_test(test_not_due),
        cmocka_unit_test(test_held_before),   cmocka_unit_test(test_files_lost),
        cmocka_unit_test(test_check_fails),   cmocka_unit_test(test_files_lost_later),
        cmocka_unit_test(test_different),     cmocka_unit_test(test_predecessor),
        cmocka_unit_test(test_histories),
    };

    return cmocka_run_group_tests_name("coordinator_core", tests, NULL, NULL);
}
