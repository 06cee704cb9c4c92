/* supervisor.h - the first process of the server: it recovers the store, holds the sockets, forks,
 * restarts. */
#ifndef LOTTERY_SUPERVISOR_H
#define LOTTERY_SUPERVISOR_H

#include "server_settings.h"

/* Runs the server until SIGTERM or SIGINT. Returns the program's exit status: 0 after a clean stop,
 * 1 when it could not start or the store failed. Must be called before any thread or loop exists.
 */
int supervisor_run(const struct server_settings *settings);

#endif
