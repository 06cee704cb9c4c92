/* tls_impl.h - what the files of this folder share; for them alone. */
#ifndef LOTTERY_TLS_IMPL_H
#define LOTTERY_TLS_IMPL_H

#include "tls_context.h"
#include "tls_peer.h"
#include "tls_reason.h"

#include <openssl/ssl.h>
#include <stdbool.h>

#define TLS_NAME_SIZE 128 /* bytes of a name for logs, including its NUL */

/* A stretch of time; seconds since 1970, both ends belong to it. */
struct tls_period {
    int64_t from_s;
    int64_t end_s;
};

struct tls_context {
    enum tls_side side;
    SSL_CTX *ssl;            /* owned */
    BIO_METHOD *bio;         /* owned; of the sessions, see tls_bio.h */
    char *cert_path;         /* owned; for errors */
    char *crl_path;          /* owned; NULL without a list of revoked certificates */
    struct tls_period valid; /* of our certificate */
    struct tls_period fresh; /* of the lists, all of them */
};

/* What the check of a peer's certificate leaves in its session. */
struct tls_verdict {
    char name[TLS_NAME_SIZE];       /* of the certificate that was shown; "" = none */
    struct tls_peer peer;           /* in a server's session, once it is trusted */
    const struct tls_reason *cause; /* why it is not; NULL otherwise */
    bool is_trusted;                /* chain, dates, purpose, and the name */
};

#endif
