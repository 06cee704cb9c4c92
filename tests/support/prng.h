/* prng.h - reproducible random numbers for property tests: the same seed, the same sequence. */
#ifndef LOTTERY_PRNG_H
#define LOTTERY_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state; /* the seed at first */
};

/* The next 32 bits (splitmix64). */
static inline uint32_t prng_next(struct prng *prng)
{
    uint64_t z = (prng->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 32);
}

/* A number of 0..below-1; below > 0. */
static inline uint32_t prng_below(struct prng *prng, uint32_t below)
{
    return prng_next(prng) % below;
}

#endif
