/* store_encoding.h - how a backend wants the bets of a batch: the workers encode them, the store
 * writes them as they are. The checksum of an agency's bets (bets_checksum.h) is over what is
 * encoded, so every backend wants the lines of bets.csv. */
#ifndef LOTTERY_STORE_ENCODING_H
#define LOTTERY_STORE_ENCODING_H

#include "bet.h"

#include <stddef.h>
#include <stdint.h>

struct store_encoding {
    size_t bet_max; /* bytes of the longest bet */
    /* Encodes `count` valid bets of `agency` to `out`, which has count * bet_max bytes. Returns how
     * many it wrote. */
    size_t (*encode)(uint32_t agency, const struct bet *bets, size_t count, char *out);
};

#endif
