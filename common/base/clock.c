#include "clock.h"

#include <stddef.h>
#include <sys/random.h>

#define EARLIEST_ZONE_S ((time_t)14 * 60 * 60) /* UTC+14, where each day begins first */

uint64_t clock_monotonic_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t clock_system_monotonic_ms(void)
{
    return clock_monotonic_ns() / NS_PER_MS;
}

static time_t clock_system_wall_s(void)
{
    return time(NULL);
}

static uint32_t clock_system_random(void)
{
    uint32_t bits;

    if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != (ssize_t)sizeof(bits)) {
        /* The kernel's pool is not ready yet. For jitter this is good enough. */
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        bits = (uint32_t)now.tv_nsec * 2654435761u;
    }
    return bits;
}

static const struct clock_source system_source = {clock_system_monotonic_ms, clock_system_wall_s,
                                                  clock_system_random};
static const struct clock_source *current = &system_source;

void clock_replace(const struct clock_source *source)
{
    current = source != NULL ? source : &system_source;
}

uint64_t clock_monotonic_ms(void)
{
    return current->monotonic_ms();
}

time_t clock_wall_s(void)
{
    return current->wall_s();
}

uint32_t clock_random(void)
{
    return current->random();
}

uint32_t clock_today(void)
{
    time_t latest = clock_wall_s() + EARLIEST_ZONE_S;
    struct tm date;

    if (gmtime_r(&latest, &date) == NULL)
        return 0;
    return (uint32_t)(date.tm_year + 1900) * 10000 + (uint32_t)(date.tm_mon + 1) * 100 +
           (uint32_t)date.tm_mday;
}
