#include "clock.h"
#include "cmocka_all.h"

#include <stdlib.h>

static uint64_t fake_monotonic;
static time_t fake_wall;
static uint32_t fake_random;

static uint64_t monotonic(void)
{
    return fake_monotonic;
}

static time_t wall(void)
{
    return fake_wall;
}

static uint32_t random_bits(void)
{
    return fake_random;
}

static const struct clock_source fake = {monotonic, wall, random_bits};

static int restore(void **state)
{
    (void)state;
    clock_replace(NULL);
    return 0;
}

static void set_zone(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

/* The new source is used for everything; NULL restores the system's. */
static void test_replace(void **state)
{
    (void)state;
    clock_replace(&fake);
    fake_monotonic = 42;
    fake_wall = 1724278275;
    fake_random = 7;
    assert_int_equal(clock_monotonic_ms(), 42);
    assert_int_equal(clock_wall_s(), 1724278275);
    assert_int_equal(clock_random(), 7);
    clock_replace(NULL);
    assert_true(clock_wall_s() >= 1724278275);
}

/* The monotonic clock never goes back, and the wall clock is the system's. */
static void test_system(void **state)
{
    (void)state;
    uint64_t before = clock_monotonic_ms();
    time_t wall_before = time(NULL);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_monotonic_ms();
        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_wall_s() >= wall_before);
    assert_true(clock_wall_s() <= time(NULL));
}

/* The system's random numbers use all 32 bits and differ. */
static void test_system_random(void **state)
{
    uint32_t any = 0;
    uint32_t all = UINT32_MAX;

    (void)state;
    for (int i = 0; i < 200; i++) {
        uint32_t bits = clock_random();
        any |= bits;
        all &= bits;
    }
    assert_int_equal(any, UINT32_MAX);
    assert_int_equal(all, 0);
}

/* Today is the latest date anywhere on earth, the same in every time zone: on both sides of
 * midnight at UTC+14, of a leap day and of a new year. */
static void test_today(void **state)
{
    static const char *const zones[] = {"UTC0", "ART3", "XXX-14", "YYY12"};
    static const struct {
        time_t wall;
        uint32_t today;
    } cases[] = {
        {0, 19700101},          {1724234399, 20240821}, /* 2024-08-21 09:59:59 UTC */
        {1724234400, 20240822},                         /* 10:00:00 UTC */
        {1709114399, 20240228}, {1709114400, 20240229}, {1709200799, 20240229},
        {1709200800, 20240301}, {1735639199, 20241231}, {1735639200, 20250101},
    };

    (void)state;
    clock_replace(&fake);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) * 4; i++) {
        set_zone(zones[i % 4]);
        fake_wall = cases[i / 4].wall;
        assert_int_equal(clock_today(), cases[i / 4].today);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_replace, restore),
        cmocka_unit_test_teardown(test_system, restore),
        cmocka_unit_test_teardown(test_system_random, restore),
        cmocka_unit_test_teardown(test_today, restore),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
