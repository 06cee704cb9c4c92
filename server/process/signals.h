/* signals.h - which signals the server's processes get, and how.
 *
 * A program inherits from its parent which signals are ignored and which are blocked, and a server
 * whose parent ignored SIGCHLD could neither restart its workers nor see them stop. So all of it is
 * set at the start, whatever it was:
 *
 * | signal                   | in every process of the server                                   |
 * |--------------------------|------------------------------------------------------------------|
 * | SIGTERM, SIGINT          | blocked, and read from a descriptor: they ask for a stop         |
 * | SIGCHLD                  | the supervisor reads it in the same way; the others get it as    |
 * |                          | usual, so that nothing happens                                   |
 * | SIGPIPE, SIGXFSZ         | ignored: write returns an error                                  |
 * | SIGHUP                   | ignored if it was, as under nohup; otherwise it is blocked, and    |
 * |                          | the supervisor reads it: it asks for new settings. The others do   |
 * |                          | not read it, so that one to the whole group does not end them     |
 * | all others               | their defaults, not blocked                                      |
 */
#ifndef LOTTERY_SIGNALS_H
#define LOTTERY_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

/* Sets the table above for this process and those that it forks. Call it first thing: a signal that
 * arrives from then on waits until somebody reads it. */
void signals_init(void);

/* In a process that the supervisor forked: the row of SIGCHLD for the others. */
void signals_init_child(void);

/* A new descriptor from which the supervisor's signals are read, non-blocking and close-on-exec, or
 * -1 and errno. */
int signals_open(void);

/* What signals that have arrived ask for. */
struct signals_taken {
    bool is_stop;
    bool is_reload;
    uint32_t uid; /* is_reload: of whoever has sent the last one */
};

/* Reads all signals that have arrived. */
struct signals_taken signals_take(int fd);

#endif
