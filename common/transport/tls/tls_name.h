/* tls_name.h - the name in a certificate: which agency it is for. */
#ifndef LOTTERY_TLS_NAME_H
#define LOTTERY_TLS_NAME_H

#include "text.h"
#include "tls_peer.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

enum tls_name_result {
    TLS_NAME_OK,
    TLS_NAME_NONE,   /* there is none, or it is not written as tls_peer.h says */
    TLS_NAME_SEVERAL /* more than one that begins with `lottery:` */
};

/* Reads one URI. Returns whether it is a name that tls_peer.h describes; otherwise *peer is
 * unchanged. */
bool tls_name_parse(struct text uri, struct tls_peer *peer);

/* Looks for the name among the alternative names of the certificate's subject. */
enum tls_name_result tls_name_find(const X509 *cert, struct tls_peer *peer);

/* Writes the name for people, with a NUL: the URI that begins with `lottery:`, or another one, or
 * the subject; cut to `size` bytes, printable ASCII only (anything else becomes '?'). */
void tls_name_print(const X509 *cert, char *out, size_t size);

#endif
