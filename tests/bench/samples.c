#include "samples.h"

#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_S 1e9
#define NS_PER_US 1e3

void samples_init(struct samples *samples, size_t capacity)
{
    samples->ns = calloc(capacity, sizeof(*samples->ns));
    samples->count = 0;
    samples->capacity = capacity;
    if (samples->ns == NULL)
        die("samples");
}

void samples_fini(struct samples *samples)
{
    free(samples->ns);
}

void samples_add(struct samples *samples, uint64_t ns)
{
    samples->ns[samples->count++] = ns;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* The shortest time that `permille` of all samples do not exceed, in microseconds. */
static double percentile_us(const struct samples *samples, size_t permille)
{
    size_t rank = (samples->count * permille + 999) / 1000;

    return (double)samples->ns[rank - 1] / NS_PER_US;
}

void samples_print(struct samples *samples, uint64_t total_ns)
{
    qsort(samples->ns, samples->count, sizeof(*samples->ns), compare);
    (void)printf("{\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"per_s\": %.1f}\n",
                 percentile_us(samples, 500), percentile_us(samples, 990),
                 percentile_us(samples, 999), (double)samples->count * NS_PER_S / (double)total_ns);
}

uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * (uint64_t)NS_PER_S + (uint64_t)now.tv_nsec;
}
