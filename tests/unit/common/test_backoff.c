#include "backoff.h"
#include "clock.h"
#include "cmocka_all.h"
#include "prng.h"

#include <stdbool.h>

static uint32_t next_random;
static struct prng prng;

static uint64_t monotonic(void)
{
    return 0;
}

static time_t wall(void)
{
    return 0;
}

static uint32_t fixed_random(void)
{
    return next_random;
}

static uint32_t any_random(void)
{
    return prng_next(&prng);
}

static const struct clock_source fixed = {monotonic, wall, fixed_random};
static const struct clock_source uniform = {monotonic, wall, any_random};

static int restore(void **state)
{
    (void)state;
    clock_replace(NULL);
    return 0;
}

/* The ceiling doubles from the first wait on, up to the cap, and stays there. */
static void test_ceiling_doubles_up_to_the_cap(void **state)
{
    static const uint32_t min[] = {50, 100, 200, 400, 500, 500, 500};
    static const uint32_t max[] = {100, 200, 400, 800, 1000, 1000, 1000};
    struct backoff low = {.first_ms = 100, .max_ms = 1000};
    struct backoff high = low;

    (void)state;
    clock_replace(&fixed);
    for (size_t i = 0; i < sizeof(min) / sizeof(min[0]); i++) {
        next_random = 0;
        assert_int_equal(backoff_next_ms(&low), min[i]);
        next_random = max[i] - min[i];
        assert_int_equal(backoff_next_ms(&high), max[i]);
    }
}

/* Every wait lies between half its ceiling and the ceiling, whatever the random bits. */
static void test_bounds(void **state)
{
    static const uint32_t firsts[] = {1, 2, 3, 5, 100, 65535, 2147483648u, UINT32_MAX};

    (void)state;
    clock_replace(&uniform);
    prng.state = 1;
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        for (int max_kind = 0; max_kind < 3; max_kind++) {
            uint32_t first = firsts[i];
            uint32_t max = max_kind == 0 ? first : UINT32_MAX;
            if (max_kind == 1 && first < UINT32_MAX / 3)
                max = 3 * first;
            struct backoff backoff = {.first_ms = first, .max_ms = max};
            uint64_t ceiling = first;
            for (int turn = 0; turn < 40; turn++) {
                uint64_t wait = backoff_next_ms(&backoff);
                assert_true(wait >= 1);
                assert_true(2 * wait >= ceiling);
                assert_true(wait <= ceiling);
                ceiling = 2 * ceiling < max ? 2 * ceiling : max;
            }
        }
    }
}

/* The jitter spreads the waits over the whole range, including both ends. */
static void test_jitter_reaches_every_value(void **state)
{
    bool seen[21] = {false};

    (void)state;
    clock_replace(&uniform);
    prng.state = 2;
    for (int i = 0; i < 2000; i++) {
        struct backoff backoff = {.first_ms = 20, .max_ms = 20};
        seen[backoff_next_ms(&backoff)] = true;
    }
    for (int wait = 0; wait <= 20; wait++)
        assert_int_equal(seen[wait], wait >= 10);
}

/* After a reset the waits start from the first one again. */
static void test_reset(void **state)
{
    struct backoff backoff = {.first_ms = 100, .max_ms = 10000};

    (void)state;
    clock_replace(&fixed);
    next_random = 0;
    for (int i = 0; i < 5; i++)
        (void)backoff_next_ms(&backoff);
    assert_int_equal(backoff_next_ms(&backoff), 1600);
    backoff_reset(&backoff);
    assert_int_equal(backoff_next_ms(&backoff), 50);
    assert_int_equal(backoff_next_ms(&backoff), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_ceiling_doubles_up_to_the_cap, restore),
        cmocka_unit_test_teardown(test_bounds, restore),
        cmocka_unit_test_teardown(test_jitter_reaches_every_value, restore),
        cmocka_unit_test_teardown(test_reset, restore),
    };

    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
