/* fake_clock.h - a clock that stands still until the test moves it, without randomness. */
#ifndef LOTTERY_FAKE_CLOCK_H
#define LOTTERY_FAKE_CLOCK_H

#include <stdint.h>
#include <time.h>

struct fake_clock {
    uint64_t now_ms;  /* the monotonic clock */
    uint64_t step_ms; /* how far it moves on each time it is read */
    unsigned reads;   /* how often it was read */
    time_t wall_s;    /* the wall clock; at first noon of 2024-06-15, UTC */
};

/* The test may change all of it. */
extern struct fake_clock fake_clock;

/* Takes the place of the system's clock, at `now_ms`. */
void fake_clock_begin(uint64_t now_ms);

/* Brings the system's clock back. */
void fake_clock_end(void);

#endif
