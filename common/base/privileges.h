/* privileges.h - what a process gives up because it does not need it.
 *
 * Whoever takes such a process over, by a bug that nobody knows yet, gets no more than it has.
 */
#ifndef LOTTERY_PRIVILEGES_H
#define LOTTERY_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>

/* This process, and whatever it forks or executes from now on, gets no rights by execve(2) that it
 * does not have: no set-user-ID, no file capabilities (PR_SET_NO_NEW_PRIVS). It cannot be undone.
 * Returns false when the kernel does not know that; the program must not go on then. May be called
 * again. */
bool privileges_give_up(void);

/* Closes all descriptors except 0 to 2, those that the log needs, and these; negative ones count
 * for nothing. */
void privileges_keep_fds(const int *fds, size_t count);

/* From now on neither this process nor what it forks leaves a core file: it is about to have a
 * private key in its memory. Only the soft limit changes, so that whoever looks for a bug can raise
 * it again with prlimit(1). PR_SET_DUMPABLE would also hide /proc/PID/fd, and keep debuggers out.
 */
void privileges_leave_no_core(void);

#endif
