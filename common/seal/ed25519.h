/* ed25519.h - signatures with Ed25519 (RFC 8032), and its key pairs as PEM. No files here.
 *
 * Nothing of a private key gets into a text for people.
 */
#ifndef LOTTERY_ED25519_H
#define LOTTERY_ED25519_H

#include "buffer.h"
#include "errbuf.h"
#include "status.h"
#include "text.h"

#include <stdint.h>

#define ED25519_PUBLIC_SIZE 32    /* bytes of a public key */
#define ED25519_SIGNATURE_SIZE 64 /* bytes of a signature */

struct evp_pkey_st; /* libcrypto's: a key pair */

/* A new pair, by libcrypto's random numbers. The caller frees it. NOMEM; IO: it has none. */
enum status ed25519_generate(struct evp_pkey_st **out, struct errbuf *err);

/* Reads a private key as PEM: PKCS#8 (RFC 8410), not encrypted. The caller frees the pair. INVALID:
 * it is not one, or of another algorithm, and *err says which; NOMEM. */
enum status ed25519_read_pem(struct text pem, struct evp_pkey_st **out, struct errbuf *err);

/* Appends the private key as PEM. The caller wipes the buffer. NOMEM. */
enum status ed25519_write_pem(struct evp_pkey_st *pair, struct buffer *out);

/* The public half. NOMEM. */
enum status ed25519_public(struct evp_pkey_st *pair, uint8_t out[ED25519_PUBLIC_SIZE]);

/* Signs a text: the same text gives the same signature. NOMEM. */
enum status ed25519_sign(struct evp_pkey_st *pair, struct text text,
                         uint8_t out[ED25519_SIGNATURE_SIZE]);

/* Is it the signature of this text by this key? OK, MISMATCH, NOMEM. Where libcrypto runs out of
 * memory without saying so, a right signature is a MISMATCH, too; a wrong one is never OK. */
enum status ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_SIZE], struct text text,
                           const uint8_t signature[ED25519_SIGNATURE_SIZE]);

/* Wipes the pair and frees it; NULL is fine. */
void ed25519_free(struct evp_pkey_st *pair);

#endif
