/* tls_verify.h - decides within the handshake whether a peer's certificate is good. */
#ifndef LOTTERY_TLS_VERIFY_H
#define LOTTERY_TLS_VERIFY_H

#include <openssl/x509_vfy.h>

/* For SSL_CTX_set_cert_verify_callback(); `context` is the struct tls_context. Checks chain, dates
 * by the clock of clock.h, purpose, name or revocation, and in a server which agency it is for. The
 * outcome goes into the struct tls_verdict that is the SSL's app data. */
int tls_verify_chain(X509_STORE_CTX *chain, void *context);

#endif
