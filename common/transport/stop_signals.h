/* stop_signals.h - SIGTERM and SIGINT as events of a loop; they never kill the process.
 *
 * They are blocked and read from a descriptor. With signal handlers, a signal could still end the
 * process halfway, before the handlers are set or after they are removed. The latter happens:
 * Ctrl-C reaches a process twice if its parent passes it on.
 */
#ifndef LOTTERY_STOP_SIGNALS_H
#define LOTTERY_STOP_SIGNALS_H

#include "status.h"

#include <uv.h>

/* What stop_signals_start() needs; copied. */
struct stop_signals_config {
    uv_loop_t *loop;                /* borrowed until the close */
    void (*on_stop)(void *context); /* for each signal that arrives */
    void *context;                  /* handed to on_stop */
};

struct stop_signals {
    struct stop_signals_config config;
    uv_poll_t poll;
    int fd; /* of signalfd(2) */
};

/* Blocks both signals until the process ends, in this thread and in those it creates from now on.
 * Call it before there are other threads. Forked processes inherit it. */
void stop_signals_block(void);

/* Begins to report the signals, including any that arrived earlier; the caller has called
 * stop_signals_block. STATUS_IO when the system refuses: nothing is open then. */
enum status stop_signals_start(struct stop_signals *signals,
                               const struct stop_signals_config *config);

/* Closes what start has opened; on_stop is no longer called, and the signals stay blocked. The
 * struct's memory may be freed when the loop has ended. */
void stop_signals_close(struct stop_signals *signals);

#endif
