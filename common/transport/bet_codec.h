/* bet_codec.h - encodes and decodes the bets of NewBets, without copying them.
 *
 * protobuf-c defines the encoding; this is a fast path for the one message that comes by the
 * million. It writes what protobuf-c writes, and reads exactly that: fields in the order of their
 * numbers, each at most once. Anything else it leaves to protobuf-c. The tests compare the two with
 * each other, and with the schema. Pure: no allocation, no I/O.
 *
 * The format: https://protobuf.dev/programming-guides/encoding/
 */
#ifndef LOTTERY_BET_CODEC_H
#define LOTTERY_BET_CODEC_H

#include "bet.h"
#include "bets_checksum.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NewBets without its bets. */
struct new_bets {
    uint64_t offset;
    uint32_t agency;
    size_t count;                  /* bets */
    struct bets_checksum checksum; /* of the `offset` bets before them */
    struct text draw;              /* the draw's id; points into the message */
};

#define NEW_BETS_CHECKSUM_SIZE (2 + BETS_CHECKSUM_SIZE) /* bytes of the encoded field */

/* Bytes of a valid bet as an item of NewBets.bets: key, length, message. */
size_t bet_encoded_size(const struct bet *bet);

/* Writes a valid bet as an item of NewBets.bets: bet_encoded_size() bytes. Returns their end. */
uint8_t *bet_encode(const struct bet *bet, uint8_t *out);

/* Writes NewBets.checksum, which comes after the bets: NEW_BETS_CHECKSUM_SIZE bytes. Returns their
 * end. */
uint8_t *new_bets_checksum_encode(uint32_t checksum, uint8_t *out);

/* Bytes of NewBets.draw; an empty one, of which there is no field, takes none. */
static inline size_t new_bets_draw_size(struct text draw)
{
    return draw.size > 0 ? 2 + draw.size : 0;
}

/* Writes NewBets.draw, of at most 127 bytes, which comes after the checksum: new_bets_draw_size()
 * bytes. Returns their end. */
uint8_t *new_bets_draw_encode(struct text draw, uint8_t *out);

/* Reads a NewBets. All texts point into `body`; `bets` has space for size / 2 bets, as an
 * empty one takes two bytes. Returns false when it is not encoded as bet_encode and protobuf-c
 * encode it; the caller then uses protobuf-c. Does not check the rules for bets. */
bool new_bets_decode(const uint8_t *body, size_t size, struct new_bets *out, struct bet *bets);

#endif
