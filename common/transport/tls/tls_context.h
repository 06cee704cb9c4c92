/* tls_context.h - what a program proves itself with, and whom it trusts: certificate, key,
 * authority.
 *
 * TLS 1.3 (RFC 8446) with certificates on both sides, without tickets or resumption: each
 * connection is proven by itself. This module is the only one that uses libssl. It keeps keys out
 * of every text: errors name files and reasons, never their contents.
 *
 * A context may be used by processes that were forked after it was made.
 */
#ifndef LOTTERY_TLS_CONTEXT_H
#define LOTTERY_TLS_CONTEXT_H

#include "errbuf.h"
#include "status.h"

#include <stdint.h>

enum tls_side {
    TLS_SERVER, /* asks each peer for a certificate; it has to be an agency's, or the server's own
                 */
    TLS_CLIENT
};

/* The files, in PEM. */
struct tls_files {
    const char *cert; /* our certificate; after it those between it and the authority, if any */
    const char *key;  /* its private key, not encrypted */
    const char *ca;   /* the authority (or several) that the peer's certificate has to come from */
    const char *crl;  /* certificates that it has revoked; NULL or "" = no list. TLS_SERVER only */
};

struct tls_context;

/* Reads the files and checks them: that all can be read, that the key is the certificate's, that
 * others cannot read it. Allowed is mode 0600 or less for a key of our own user, and 0640 or less
 * for one of root (as PostgreSQL has it, so that Debian's group ssl-cert can be used). INVALID,
 * NOTFOUND, IO, NOMEM: *err has the file and the reason. Blocks for the disk. */
enum status tls_context_create(enum tls_side side, const struct tls_files *files,
                               struct tls_context **out, struct errbuf *err);

/* Wipes the key and frees everything. NULL is fine. */
void tls_context_destroy(struct tls_context *context);

/* Are our certificate and the list of revoked ones in force at `now_s` (UTC, seconds since 1970)?
 * Otherwise INVALID, and *err says which file, and since when not. They may still be used: the peer
 * decides. */
enum status tls_context_check_dates(const struct tls_context *context, int64_t now_s,
                                    struct errbuf *err);

/* When our certificate ends: UTC, seconds since 1970. */
int64_t tls_context_end_s(const struct tls_context *context);

#endif
