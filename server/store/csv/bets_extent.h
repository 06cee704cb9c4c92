/* bets_extent.h - how far bets.csv goes, and its checksums.
 *
 * crcs[k] is the CRC32C of its first k + 1 MiB. So each MiB can be verified by itself, with the
 * previous value as the seed, and the writer needs one pass over the bytes.
 */
#ifndef LOTTERY_STORE_BETS_EXTENT_H
#define LOTTERY_STORE_BETS_EXTENT_H

#include "status.h"

#include <stddef.h>
#include <stdint.h>

#define BETS_CHUNK_SIZE ((uint64_t)1024 * 1024)

struct bets_extent {
    uint64_t size;   /* bytes */
    uint32_t crc;    /* CRC32C of all of them */
    uint32_t *crcs;  /* owned; [0..size / BETS_CHUNK_SIZE): of the whole chunks */
    size_t capacity; /* of crcs */
};

void bets_extent_fini(struct bets_extent *extent);

/* Makes room for the checksums of `size` bytes. NOMEM: unchanged. */
enum status bets_extent_reserve(struct bets_extent *extent, uint64_t size);

/* Follows bytes that are appended: updates size, crc and crcs. NOMEM: unchanged. */
enum status bets_extent_append(struct bets_extent *extent, const void *bytes, size_t size);

/* Takes the extent back to an earlier size, whose crc the caller kept. */
void bets_extent_cut(struct bets_extent *extent, uint64_t size, uint32_t crc);

#endif
