/* sim_v1.h - a data directory that a server of the first release has left: some bets are in it,
 * some agencies have finished, perhaps the draw was held; the last group may be torn.
 *
 * Written from docs/disk-format.md, without the code under test but for its checksum.
 */
#ifndef LOTTERY_SIM_V1_H
#define LOTTERY_SIM_V1_H

#include <stdint.h>

/* Makes it in the empty data directory, and notes in the model agencies what they were promised.
 * `bets_size`: how many bytes of bets at least; 0: a few batches, or none. */
void sim_v1_make(uint64_t bets_size);

#endif
