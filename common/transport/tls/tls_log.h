/* tls_log.h - what the log says of a program's own certificate. */
#ifndef LOTTERY_TLS_LOG_H
#define LOTTERY_TLS_LOG_H

#include "tls_context.h"

/* Logs which certificate is in force and how long; `cert` is its file. A WARNING follows if it, or
 * the list of revoked ones, is out of its time: the peer decides, because our clock may be wrong.
 * A context of NULL: nothing. */
void tls_log_own(const struct tls_context *context, const char *cert);

#endif
