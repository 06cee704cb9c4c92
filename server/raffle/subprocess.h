/* subprocess.h - a forked process that does one piece of work, and whose end is an event of a loop.
 *
 * It shares the memory of before the fork as a copy, and results come back in memory that is mapped
 * shared. It must not use the loop nor any handle of it.
 */
#ifndef LOTTERY_SUBPROCESS_H
#define LOTTERY_SUBPROCESS_H

#include "errbuf.h"
#include "status.h"

#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

struct subprocess;

#define SUBPROCESS_FDS_MAX ((size_t)128)

/* What subprocess_start() needs; copied, where nothing else is said. */
struct subprocess_config {
    uv_loop_t *loop;
    int (*run)(void *context); /* in the process; returns its exit status */
    void *context;             /* handed to run */
    const int *fds;            /* descriptors that run needs, besides 0..2; borrowed by the start */
    size_t fds_count;          /* at most SUBPROCESS_FDS_MAX */
    /* It has ended and was reaped; `status` is as of waitpid(2). On the loop's thread, once. */
    void (*on_end)(void *owner, struct subprocess *subprocess, int status);
    void *owner; /* handed to on_end */
};

/* Forks it. It has only those descriptors of ours that it needs. It is killed if this thread ends
 * first; SIGTERM and SIGINT, which the caller has blocked, stay so: whoever sends them to all
 * processes of a server means this one to end it. After on_end it frees itself. STATUS_NOMEM or
 * STATUS_IO with a reason in *err. */
enum status subprocess_start(const struct subprocess_config *config, struct subprocess **out,
                             struct errbuf *err);

/* Kills and reaps it; on_end is not called. It frees itself in a later turn of the loop. NULL is
 * fine. */
void subprocess_kill(struct subprocess *subprocess);

/* Its process id, until on_end or subprocess_kill. */
pid_t subprocess_pid(const struct subprocess *subprocess);

#endif
