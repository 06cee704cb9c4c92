/* seal_leaf.h - the leaves of a seal's tree: what was fixed when a draw was closed. Pure texts.
 *
 * Leaf 0 is about the draw, leaf a (1..N) about agency a:
 *
 *     draw <id> <agencies> <bets> <time of closing>
 *     agency <a> <bets> <digest> <nonce>
 *
 * without a line end; numbers in decimal, digests in lower-case hex, the time as in rfc3339.h, in
 * UTC and whole seconds. A draw without an id has `-` for it.
 *
 * The nonce is what makes a leaf impossible to guess: who sees a leaf's hash in somebody's proof
 * cannot find out by trying how many bets the other agency has, or which.
 */
#ifndef LOTTERY_SEAL_LEAF_H
#define LOTTERY_SEAL_LEAF_H

#include "draw_id.h"
#include "sha256.h"
#include "status.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

#define SEAL_LEAF_MAX 192  /* bytes that suffice for any leaf */
#define SEAL_SALT_SIZE 32  /* bytes of the closing's salt */
#define SEAL_NONCE_SIZE 32 /* bytes of a nonce */

/* Leaf 0. */
struct seal_draw {
    char id[DRAW_ID_MAX + 1]; /* a string; empty: none */
    uint32_t agencies;        /* N */
    uint64_t bets;            /* of all of them */
    uint64_t closed_s;        /* seconds since 1970; at most RFC3339_LAST_S */
};

/* Leaf `agency`. */
struct seal_agency {
    uint32_t agency; /* 1..N */
    uint64_t bets;   /* of it that are in the draw */
    uint8_t digest[SHA256_SIZE];
    uint8_t nonce[SEAL_NONCE_SIZE];
};

/* Write a leaf, without a NUL. Return its size. The draw's id is one that it may have. */
size_t seal_leaf_put_draw(const struct seal_draw *draw, char out[SEAL_LEAF_MAX]);
size_t seal_leaf_put_agency(const struct seal_agency *agency, char out[SEAL_LEAF_MAX]);

/* Read a leaf. False: it is not one, or not written as above; *out may have been changed. */
bool seal_leaf_read_draw(struct text leaf, struct seal_draw *out);
bool seal_leaf_read_agency(struct text leaf, struct seal_agency *out);

/* The nonce of an agency: HMAC-SHA256 with the closing's salt as key, of the agency's id in
 * decimal. NOMEM. */
enum status seal_nonce(const uint8_t salt[SEAL_SALT_SIZE], uint32_t agency,
                       uint8_t out[SEAL_NONCE_SIZE]);

#endif
