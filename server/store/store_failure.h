/* process.h - what every process of the server does alike: know its own, and end in an emergency.
 */
#ifndef LOTTERY_PROCESS_H
#define LOTTERY_PROCESS_H

#include <stdbool.h>

/* How a process ends when the store can not be trusted any more; the supervisor then stops all. */
#define PROCESS_EXIT_STORE 74

/* Does the other end of this Unix socket belong to a process of our own user? An abstract socket
 * name is open to everybody on the machine. */
bool process_is_own_socket(int fd);

/* The store_fatal_cb of all processes: logs the reason and ends the process with
 * PROCESS_EXIT_STORE. Does not return; from any thread. */
void process_store_failed(const char *reason);

#endif
