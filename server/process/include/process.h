/* process.h - what every process of the server does alike: be told to stop, and end in an
 * emergency.
 */
#ifndef LOTTERY_PROCESS_H
#define LOTTERY_PROCESS_H

#include <stdbool.h>
#include <uv.h>

/* How a process ends when the store can not be trusted any more; the supervisor then stops all. */
#define PROCESS_EXIT_STORE 74

/* Watches SIGTERM and SIGINT on a loop. */
struct process_signals {
    uv_signal_t term;
    uv_signal_t interrupt;
    void (*on_stop)(void *context); /* for each signal that comes */
    void *context;
};

/* Begins to watch; on_stop and context are filled in by the caller. -1 when the loop refuses. */
int process_signals_start(struct process_signals *signals, uv_loop_t *loop);

/* Closes the handles. */
void process_signals_close(struct process_signals *signals);

/* Does the other end of this Unix socket belong to a process of our own user? An abstract socket
 * name is open to everybody on the machine. */
bool process_is_own_socket(int fd);

/* The store_fatal_cb of all processes: logs the reason and ends the process with
 * PROCESS_EXIT_STORE. Does not return; from any thread. */
void process_store_failed(const char *reason);

#endif
