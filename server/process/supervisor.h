/* supervisor.h - the first process of the server: it locks the data directory, holds the sockets,
 * forks, restarts, goes from one draw to the next, stops. */
#ifndef LOTTERY_SUPERVISOR_H
#define LOTTERY_SUPERVISOR_H

#include "server_settings.h"

struct notifier; /* notifier.h */
struct settings_sources;
struct tls_context; /* tls_context.h */

/* What supervisor_run() needs; borrowed but for `tls`, which is taken over. */
struct supervisor_config {
    const struct server_settings *settings; /* as they were set */
    struct tls_context *tls;                /* what they say of TLS; NULL: it is off */
    const char *listen_ip;                  /* the address that SERVER_IP means, or SERVER_IP_ALL */
    const struct settings_sources *sources; /* where a reload reads the settings again */
    struct notifier *notifier;              /* who waits to hear what becomes of us; or NULL */
};

/* Runs the server until SIGTERM or SIGINT. Returns the program's exit status: 0 after a clean stop,
 * 1 when it could not start, or could not go on. The caller has called signals_init(); no thread or
 * loop may exist yet. */
int supervisor_run(const struct supervisor_config *config);

#endif
