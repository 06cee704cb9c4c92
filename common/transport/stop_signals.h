/* stop_signals.h - SIGTERM and SIGINT as events of a loop, which never kill.
 *
 * They are blocked and read from a descriptor. With handlers there would be moments, before they
 * are set and after they are removed, in which a signal ends the process halfway; and Ctrl-C comes
 * twice to a process whose parent passes it on.
 */
#ifndef LOTTERY_STOP_SIGNALS_H
#define LOTTERY_STOP_SIGNALS_H

#include "status.h"

#include <uv.h>

/* What stop_signals_start() needs; copied. */
struct stop_signals_config {
    uv_loop_t *loop;                /* borrowed until the close */
    void (*on_stop)(void *context); /* for each signal that comes */
    void *context;                  /* handed to on_stop */
};

struct stop_signals {
    struct stop_signals_config config;
    uv_poll_t poll;
    int fd; /* of signalfd(2) */
};

/* Blocks both signals until the process ends, in this thread and in those it creates from now on.
 * To be called before there are others; forked processes inherit it. */
void stop_signals_block(void);

/* Begins to report them, also those that came before; the caller has called stop_signals_block.
 * STATUS_IO when the system refuses: nothing is open then. */
enum status stop_signals_start(struct stop_signals *signals,
                               const struct stop_signals_config *config);

/* Closes what start has opened; on_stop is no longer called, and the signals stay blocked. The
 * struct's memory may go when the loop has ended. */
void stop_signals_close(struct stop_signals *signals);

#endif
