/* Patience, told the time by the test. */
#include "cmocka_all.h"
#include "patience.h"

#define LIMIT_MS 3000
#define ANSWER_MS 2000
#define START_MS 5000

static struct patience patience_of(uint64_t limit_ms, uint64_t answer_ms)
{
    struct patience patience;

    patience_init(&patience, limit_ms, answer_ms, START_MS);
    return patience;
}

/* Lets this much time pass, in steps of a tick. */
static void pass(struct patience *patience, uint64_t ms)
{
    for (; ms > PATIENCE_TICK_MS; ms -= PATIENCE_TICK_MS)
        assert_true(patience_count(patience, patience->counted_ms + PATIENCE_TICK_MS) ==
                    PATIENCE_TICK_MS);
    (void)patience_count(patience, patience->counted_ms + ms);
}

/* It is over after limit_ms without progress, and progress lets it begin again. */
static void test_limit(void **state)
{
    struct patience patience = patience_of(LIMIT_MS, 0);

    (void)state;
    patience_expect(&patience, PATIENCE_RUNS, START_MS);
    pass(&patience, LIMIT_MS - 1);
    assert_false(patience_is_over(&patience));
    patience_progress(&patience, patience.counted_ms);
    pass(&patience, LIMIT_MS - 1);
    assert_false(patience_is_over(&patience));
    pass(&patience, 1);
    assert_true(patience_is_over(&patience));
    assert_false(patience_is_silent(&patience));
}

/* While held no time counts, and what was spent before is forgotten bit by bit, not at once. */
static void test_held(void **state)
{
    struct patience patience = patience_of(LIMIT_MS, ANSWER_MS);

    (void)state;
    pass(&patience, 10 * LIMIT_MS);
    assert_true(patience.spent_ms == 0);
    patience_expect(&patience, PATIENCE_RUNS, patience.counted_ms);
    pass(&patience, LIMIT_MS - 1);
    patience_expect(&patience, PATIENCE_HELD, patience.counted_ms);
    pass(&patience, 1000);
    assert_true(patience.spent_ms == LIMIT_MS - 1 - 1000);
    patience_expect(&patience, PATIENCE_RUNS, patience.counted_ms);
    pass(&patience, 1000);
    assert_false(patience_is_over(&patience));
    pass(&patience, 1);
    assert_true(patience_is_over(&patience));
    patience_expect(&patience, PATIENCE_HELD, patience.counted_ms);
    assert_false(patience_is_over(&patience));
    (void)patience_count(&patience, patience.counted_ms + 1000000); /* in one step */
    assert_true(patience.spent_ms == 0);
}

/* The owner's own work costs no patience, and gives none back: a central that makes it work again
 * and again, without progress, is given up. */
static void test_own_work(void **state)
{
    struct patience patience = patience_of(LIMIT_MS, ANSWER_MS);

    (void)state;
    for (uint64_t ms = 0; ms < LIMIT_MS; ms += 100) {
        assert_false(patience_is_over(&patience));
        patience_expect(&patience, PATIENCE_OWN, patience.counted_ms);
        assert_true(patience_next_ms(&patience) == 0);
        pass(&patience, 10 * LIMIT_MS);
        assert_false(patience_is_over(&patience) || patience_is_silent(&patience));
        patience_expect(&patience, PATIENCE_ANSWER, patience.counted_ms);
        pass(&patience, 100);
    }
    assert_true(patience_is_over(&patience));
    patience_expect(&patience, PATIENCE_OWN, patience.counted_ms);
    assert_false(patience_is_over(&patience));
}

/* Silence counts only while an answer is due, from when it became due or from the last byte. */
static void test_silence(void **state)
{
    struct patience patience = patience_of(0, ANSWER_MS);

    (void)state;
    patience_expect(&patience, PATIENCE_RUNS, START_MS);
    pass(&patience, 10 * ANSWER_MS);
    assert_false(patience_is_silent(&patience));
    patience_expect(&patience, PATIENCE_ANSWER, patience.counted_ms);
    pass(&patience, ANSWER_MS - 1);
    patience_expect(&patience, PATIENCE_ANSWER, patience.counted_ms); /* still the same wait */
    assert_false(patience_is_silent(&patience));
    pass(&patience, 1);
    assert_true(patience_is_silent(&patience));
    patience_heard(&patience);
    assert_false(patience_is_silent(&patience));
    pass(&patience, ANSWER_MS);
    assert_true(patience_is_silent(&patience));
    assert_false(patience_is_over(&patience)); /* it has no limit */
}

/* An hour in which the program did not run counts as one step of at most a second. */
static void test_a_frozen_program(void **state)
{
    struct patience patience = patience_of(LIMIT_MS, ANSWER_MS);

    (void)state;
    patience_expect(&patience, PATIENCE_ANSWER, START_MS);
    assert_true(patience_count(&patience, START_MS + 3600000) == PATIENCE_STEP_MS);
    assert_true(patience.spent_ms == PATIENCE_STEP_MS);
    assert_true(patience.silent_ms == PATIENCE_STEP_MS);
    assert_false(patience_is_over(&patience) || patience_is_silent(&patience));
}

/* The next count is due when the nearest limit may be reached; without a limit, never. */
static void test_next(void **state)
{
    struct patience patience = patience_of(LIMIT_MS, ANSWER_MS);

    (void)state;
    assert_true(patience_next_ms(&patience) == 0);
    patience_expect(&patience, PATIENCE_RUNS, START_MS);
    assert_true(patience_next_ms(&patience) == PATIENCE_TICK_MS);
    pass(&patience, LIMIT_MS - 7);
    assert_true(patience_next_ms(&patience) == 7);
    pass(&patience, 100);
    assert_true(patience_next_ms(&patience) == 1);
    patience_progress(&patience, patience.counted_ms);
    patience_expect(&patience, PATIENCE_ANSWER, patience.counted_ms);
    pass(&patience, ANSWER_MS - 9);
    assert_true(patience_next_ms(&patience) == 9);
    patience = patience_of(0, ANSWER_MS);
    patience_expect(&patience, PATIENCE_RUNS, START_MS);
    assert_true(patience_next_ms(&patience) == 0);
    patience = patience_of(0, 0);
    patience_expect(&patience, PATIENCE_ANSWER, START_MS);
    assert_true(patience_next_ms(&patience) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),   cmocka_unit_test(test_held),
        cmocka_unit_test(test_silence), cmocka_unit_test(test_a_frozen_program),
        cmocka_unit_test(test_next),    cmocka_unit_test(test_own_work),
    };

    return cmocka_run_group_tests_name("patience", tests, NULL, NULL);
}
