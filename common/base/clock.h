/* clock.h - time and random numbers, from a source that tests can replace.
 *
 * Elapsed time is measured with the monotonic clock only; the wall clock is for log lines and
 * "today".
 */
#ifndef LOTTERY_CLOCK_H
#define LOTTERY_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* A duration in whole milliseconds, rounded up: a short time does not become 0, which often means
 * none or never. */
static inline uint64_t ms_of_ns(int64_t ns)
{
    return (uint64_t)ns / NS_PER_MS + ((uint64_t)ns % NS_PER_MS > 0);
}

struct clock_source {
    uint64_t (*monotonic_ms)(void); /* milliseconds since a fixed point */
    time_t (*wall_s)(void);         /* seconds since 1970 */
    uint32_t (*random)(void);       /* 32 uniform bits */
};

/* Replaces the source; NULL restores the system's. The source must outlive its use. Not
 * thread-safe: for tests, before they start threads. */
void clock_replace(const struct clock_source *source);

/* Milliseconds of the monotonic clock. */
uint64_t clock_monotonic_ms(void);

/* Nanoseconds of the system's monotonic clock, for what is measured and decides nothing: tests
 * cannot replace it. */
uint64_t clock_monotonic_ns(void);

/* Seconds since 1970 by the wall clock. */
time_t clock_wall_s(void);

/* 32 uniformly random bits; not for secrets. */
uint32_t clock_random(void);

/* The latest date that is today anywhere on earth (UTC+14), as the number YYYYMMDD; 0 if the system
 * cannot tell. It does not depend on the machine's time zone: agency and server, wherever they are,
 * say the same about a birthdate. */
uint32_t clock_today(void);

#endif
