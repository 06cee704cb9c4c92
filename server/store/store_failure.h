/* store_failure.h - how a process ends when it can no longer trust the store. */
#ifndef LOTTERY_STORE_FAILURE_H
#define LOTTERY_STORE_FAILURE_H

/* The exit status of such a process, after which the supervisor stops all others. EX_IOERR of
 * sysexits.h. */
#define STORE_FAILURE_EXIT 74

/* The store_fatal_cb of all processes: logs the reason and ends the process with status
 * STORE_FAILURE_EXIT. Does not return. Safe from any thread. */
void store_failed(const char *reason) __attribute__((noreturn));

#endif
