/* log_watch.h - lets a loop write the log's lines that stdout has not taken (log_output.h). */
#ifndef LOTTERY_LOG_WATCH_H
#define LOTTERY_LOG_WATCH_H

#include "status.h"

#include <stdbool.h>
#include <uv.h>

/* What log_watch_start() needs; copied. */
struct log_watch_config {
    uv_loop_t *loop;                /* borrowed until the close */
    void (*on_room)(void *context); /* log_output_is_full() is false again; NULL: not needed */
    void *context;                  /* handed to on_room */
};

struct log_watch {
    struct log_watch_config config;
    uv_poll_t poll; /* of log_output_fd(); does not keep the loop alive */
    bool is_open;   /* false also when there is nothing to watch */
};

/* Begins to watch. Where the output was not opened, there is nothing to watch. STATUS_IO when the
 * loop refuses: nothing is open then. */
enum status log_watch_start(struct log_watch *watch, const struct log_watch_config *config);

/* Closes what start has opened. May be called again, and on a zeroed struct. Its memory may be
 * freed when the loop has ended. */
void log_watch_close(struct log_watch *watch);

#endif
