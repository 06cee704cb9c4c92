/* supervisor.h - the first process of the server: it locks the data directory, holds the sockets,
 * forks, restarts, stops. */
#ifndef LOTTERY_SUPERVISOR_H
#define LOTTERY_SUPERVISOR_H

#include "server_settings.h"

/* Runs the server until SIGTERM or SIGINT. Returns the program's exit status: 0 after a clean stop,
 * 1 when it could not start, or could not go on. The caller has called signals_init(); no thread or
 * loop may exist yet. */
int supervisor_run(const struct server_settings *settings);

#endif
