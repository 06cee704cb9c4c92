/* samples.h - times of single round trips, and their percentiles. */
#ifndef LOTTERY_BENCH_SAMPLES_H
#define LOTTERY_BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
    uint64_t *ns; /* one per round trip */
    size_t count;
    size_t capacity;
};

/* Allocates memory for `capacity` round trips; ends the program when there is none. */
void samples_init(struct samples *samples, size_t capacity);
void samples_fini(struct samples *samples);

/* Adds a round trip; at most `capacity` may be added. */
void samples_add(struct samples *samples, uint64_t ns);

/* Sorts them and prints one line of JSON: p50_us, p99_us, p999_us, per_s. `total_ns` is how long
 * all of them took, one after another or at the same time. */
void samples_print(struct samples *samples, uint64_t total_ns);

/* Nanoseconds of the monotonic clock. */
uint64_t now_ns(void);

#endif
