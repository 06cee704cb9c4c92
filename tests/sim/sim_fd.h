/* sim_fd.h - the descriptors of the simulated processes, and those that are on their way on a link.
 *
 * They have numbers that no real one has, so close() of the code under test, which the linker
 * wraps, can be told from one of a real descriptor.
 */
#ifndef LOTTERY_SIM_FD_H
#define LOTTERY_SIM_FD_H

#include <stdbool.h>

struct sim_fd {
    bool is_open;
    int file;          /* index of a file; SIM_NO_FILE: a directory */
    int dir;           /* index of a directory, if it is one */
    int flags;         /* of openat */
    const void *owner; /* a process, or a link */
};

/* A new one for a file or a directory; returns its number. */
int sim_fd_new(const struct sim_fd *fd);

/* NULL if it is not open. */
struct sim_fd *sim_fd_of(int fd);

/* Another descriptor for the same file, for `owner`: a process, or a link on which it is sent. */
int sim_fd_send(int fd, const void *owner);

/* Closes the descriptors of a process, or those that are on their way on a link. */
void sim_fd_close_all(const void *owner);

/* Closes all. */
void sim_fd_reset(void);

/* Sets used[file] for each file that is open. */
void sim_fd_note_used(bool *used);

#endif
