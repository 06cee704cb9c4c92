/* bets_checksum.h - what is said about the content of an agency's first bets.
 *
 * It is the CRC-32C over the lines that bets.csv has of them (bet_line.h), one after the other, as
 * if the agency were alone in the file. It does not depend on where batches begin and end. It is
 * there to find mistakes, such as two files under one agency's id; it keeps nobody out who wants to
 * deceive.
 */
#ifndef LOTTERY_BETS_CHECKSUM_H
#define LOTTERY_BETS_CHECKSUM_H

#include "little_endian.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BETS_CHECKSUM_SIZE ((size_t)4) /* bytes in a message, little endian */

struct bets_checksum {
    uint32_t value;
    bool is_given; /* else nothing is said */
};

/* Reads the field of a message: empty, or BETS_CHECKSUM_SIZE bytes. False, without *out, when it
 * has another size. `bytes` may be NULL when it is empty. */
static inline bool bets_checksum_read(const uint8_t *bytes, size_t size, struct bets_checksum *out)
{
    if (size != 0 && size != BETS_CHECKSUM_SIZE)
        return false;
    *out = (struct bets_checksum){size > 0 ? little_get32(bytes) : 0, size > 0};
    return true;
}

#endif
