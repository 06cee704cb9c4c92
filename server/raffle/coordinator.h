/* coordinator.h - the coordinator: the one process that holds the draw. */
#ifndef LOTTERY_COORDINATOR_H
#define LOTTERY_COORDINATOR_H

#include "server_settings.h"
#include "store_csv.h"

/* What coordinator_run() needs; all of it is borrowed. */
struct coordinator_config {
    const struct server_settings *settings;
    struct data_dir *data_dir;
    int listen_fd; /* where the workers connect: a Unix socket, non-blocking */
};

/* Runs the coordinator in this (freshly forked, single-threaded) process until SIGTERM or SIGINT.
 * Returns the process's exit status: 0 after a clean stop, 1 when it could not start. */
int coordinator_run(const struct coordinator_config *config);

#endif
