/* server_tls.h - what the server proves itself with to agencies, as its settings say. */
#ifndef LOTTERY_SERVER_TLS_H
#define LOTTERY_SERVER_TLS_H

#include "errbuf.h"
#include "server_settings.h"
#include "status.h"

struct tls_context; /* tls_context.h */

/* Reads the files that the settings name, at the start; *out is NULL if they name none. What is out
 * of its time will do: our clock may be wrong. Otherwise as tls_context_create(). */
enum status server_tls_load(const struct server_settings *settings, struct tls_context **out,
                            struct errbuf *err);

/* The same for settings that are to take the place of others: these work, so what is out of its
 * time is INVALID. */
enum status server_tls_reload(const struct server_settings *settings, struct tls_context **out,
                              struct errbuf *err);

/* Logs which certificate is in force and how long, and whether something is out of its time. NULL:
 * nothing. */
void server_tls_log(const struct server_settings *settings, const struct tls_context *tls);

#endif
