/* sha256.h - SHA-256 (FIPS 180-4) of bytes that come in pieces, and HMAC-SHA256 (RFC 2104).
 *
 * A running hash can be used after a fork by both processes, each with its own copy. Not for
 * several threads.
 */
#ifndef LOTTERY_SHA256_H
#define LOTTERY_SHA256_H

#include "status.h"
#include "text.h"

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32 /* bytes of a digest */

struct evp_md_ctx_st; /* libcrypto's */

/* A running hash. */
struct sha256 {
    struct evp_md_ctx_st *context; /* owned */
};

/* Begins with no bytes. NOMEM: there is nothing to end. */
enum status sha256_init(struct sha256 *hash);

/* Frees it; a zeroed one is fine, and so is one that has been freed. */
void sha256_fini(struct sha256 *hash);

/* Begins again with no bytes; cheaper than another hash. NOMEM: only the two calls as after
 * sha256_final() are left. */
enum status sha256_restart(struct sha256 *hash);

/* Adds bytes. A call costs some 10 ns besides the hashing: a quarter of the time for a line of 50
 * bytes, next to nothing for a few thousand at once. */
void sha256_update(struct sha256 *hash, const void *bytes, size_t size);

/* Writes the digest of all bytes since the beginning. Then only sha256_restart() and sha256_fini()
 * may be called. */
void sha256_final(struct sha256 *hash, uint8_t out[SHA256_SIZE]);

/* The digest of one run of bytes. NOMEM. */
enum status sha256_of(struct text bytes, uint8_t out[SHA256_SIZE]);

/* HMAC-SHA256 of a text; a key of any size. NOMEM. */
enum status sha256_hmac(struct text key, struct text text, uint8_t out[SHA256_SIZE]);

#endif
