/* sim_random.h - the simulation's random decisions; the seed determines all of them. */
#ifndef LOTTERY_SIM_RANDOM_H
#define LOTTERY_SIM_RANDOM_H

#include "prng.h"

#include <stdbool.h>

/* True with a chance of `parts` in 1000. */
static inline bool sim_chance(struct prng *prng, uint32_t parts)
{
    return parts > 0 && prng_below(prng, 1000) < parts;
}

/* A number of low..high. */
static inline uint32_t sim_between(struct prng *prng, uint32_t low, uint32_t high)
{
    return low + prng_below(prng, high - low + 1);
}

#endif
