/* worker.h - one worker process: its loop and its connections. */
#ifndef LOTTERY_WORKER_H
#define LOTTERY_WORKER_H

#include "scoreboard.h"
#include "server_settings.h"
#include "store_csv.h"

#include <sys/un.h>

/* What worker_run() needs; what it points to is borrowed. */
struct worker_config {
    const struct server_settings *settings;
    struct scoreboard *scoreboard;
    uint32_t index;                 /* which worker this is */
    int listen_fd;                  /* the supervisor's listening socket, non-blocking */
    struct data_dir *data_dir;      /* NULL in mode echo */
    struct sockaddr_un coordinator; /* where the coordinator listens */
    socklen_t coordinator_size;
};

/* Runs a worker in this (freshly forked, single-threaded) process until SIGTERM or SIGINT. Returns
 * the process's exit status: 0 after a clean stop, 1 when it could not start. */
int worker_run(const struct worker_config *config);

#endif
