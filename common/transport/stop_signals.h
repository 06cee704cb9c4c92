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

struct stop_signals {
    uv_poll_t poll;
    int fd;                         /* of signalfd(2) */
    void (*on_stop)(void *context); /* for each signal that comes */
    void *context;
};

/* Holds both signals back until the process ends, in this thread and in those it creates from now
 * on. To be called before there are others; forked processes inherit it. */
void stop_signals_block(void);

/* Begins to tell of them, also of those that came before; on_stop and context are filled in by the
 * caller, who has called stop_signals_block. STATUS_IO when the system refuses: nothing is open
 * then. */
enum status stop_signals_start(struct stop_signals *signals, uv_loop_t *loop);

/* Closes what start has opened; on_stop is not called any more, and the signals stay blocked. The
 * struct's memory may go when the loop has ended. */
void stop_signals_close(struct stop_signals *signals);

#endif
