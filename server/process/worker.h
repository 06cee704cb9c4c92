/* worker.h - one worker process: its loop and its connections. */
#ifndef LOTTERY_WORKER_H
#define LOTTERY_WORKER_H

#include "data_dir.h"
#include "scoreboard.h"
#include "server_settings.h"

#include <sys/socket.h>
#include <sys/un.h>

struct tls_context; /* tls_context.h */

/* What worker_run() needs; what it points to is borrowed. */
struct worker_config {
    const struct server_settings *settings;
    const struct tls_context *tls; /* NULL: agencies' connections are plain */
    struct scoreboard *scoreboard;
    uint32_t index;                  /* which worker this is */
    int listen_fd;                   /* the supervisor's listening socket, non-blocking */
    const struct data_dir *data_dir; /* NULL in mode echo; the draw's, where the winners are read */
    const struct data_dir *base_dir; /* NULL in mode echo; the data directory itself, which has the
                                        folders of earlier draws */
    struct sockaddr_un ledger;       /* where the ledger listens */
    socklen_t ledger_size;
};

/* Runs a worker in this (freshly forked, single-threaded) process until SIGTERM or SIGINT. Returns
 * the process's exit status: 0 after a clean stop, 1 when it could not start. It accepts no
 * connection before the ledger has told its news. */
int worker_run(const struct worker_config *config);

#endif
