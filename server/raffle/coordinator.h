/* coordinator.h - the coordinator: the one process that closes the draw and finds its winners. */
#ifndef LOTTERY_COORDINATOR_H
#define LOTTERY_COORDINATOR_H

#include "data_dir.h"

#include <sys/socket.h>
#include <sys/un.h>

/* What coordinator_run() needs; what it points to is borrowed. */
struct coordinator_config {
    const struct data_dir *data_dir; /* the draw's */
    const struct data_dir
        *base_dir;             /* the data directory itself: the same, if the draw has no id */
    const char *seal_key;      /* the setting; empty: in the data directory itself */
    int supervisor_fd;         /* our end of the pair, for supervisor_link.h */
    struct sockaddr_un ledger; /* where the ledger listens */
    socklen_t ledger_size;     /* bytes of the address */
    unsigned scanners;         /* how many processes scan the bets, at most; at least 1 */
};

/* Runs the coordinator in this (freshly forked, single-threaded) process until SIGTERM or SIGINT.
 * Returns the process's exit status: 0 after a clean stop, 1 when it could not start. */
int coordinator_run(const struct coordinator_config *config);

#endif
