#include "fake_clock.h"

#include "clock.h"

#define NOON_S 1718452800 /* 2024-06-15T12:00:00Z */

struct fake_clock fake_clock;

static uint64_t monotonic(void)
{
    fake_clock.reads++;
    fake_clock.now_ms += fake_clock.step_ms;
    return fake_clock.now_ms;
}

static time_t wall(void)
{
    return fake_clock.wall_s;
}

/* The smallest number: the shortest wait, where it is one. */
static uint32_t random_bits(void)
{
    return 0;
}

void fake_clock_begin(uint64_t now_ms)
{
    static const struct clock_source source = {monotonic, wall, random_bits};

    fake_clock = (struct fake_clock){.now_ms = now_ms, .wall_s = NOON_S};
    clock_replace(&source);
}

void fake_clock_end(void)
{
    clock_replace(NULL);
}
