/* observer.h - the process that only looks: what people and their programs see of the server, over
 * HTTP.
 *
 * It knows what the ledger tells everybody with a link, and what the scoreboard counts. It changes
 * nothing, and nobody waits for it.
 */
#ifndef LOTTERY_OBSERVER_H
#define LOTTERY_OBSERVER_H

#include "server_settings.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct scoreboard;

/* What observer_run() needs; borrowed. */
struct observer_config {
    const struct server_settings *settings;
    const struct scoreboard *scoreboard; /* mapped for reading only */
    int http_fd;               /* where it listens, non-blocking; belongs to the supervisor */
    int stop_fd;               /* readable from when the supervisor begins to stop the others */
    uint64_t started_s;        /* when the server started, seconds since 1970 */
    struct sockaddr_un ledger; /* where the ledger listens */
    socklen_t ledger_size;     /* 0: there is none, in mode echo */
};

/* Runs until a signal to stop. Returns the process's exit status. */
int observer_run(const struct observer_config *config);

#endif
