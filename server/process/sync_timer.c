#include "sync_timer.h"

#include "clock.h"

#include <errno.h>

/* File operations have no context. There is one ledger in a process. */
static struct file_ops timed;
static int (*untimed)(int fd);
static struct scoreboard_ledger *counts;

static int sync_timer_fdatasync(int fd)
{
    const uint64_t begin_ns = clock_monotonic_ns();
    const int result = untimed(fd);
    const int error = errno;

    scoreboard_synced(counts, clock_monotonic_ns() - begin_ns);
    errno = error;
    return result;
}

const struct file_ops *sync_timer_start(const struct file_ops *ops,
                                        struct scoreboard_ledger *scoreboard)
{
    timed = *ops;
    untimed = ops->fdatasync;
    counts = scoreboard;
    timed.fdatasync = sync_timer_fdatasync;
    return &timed;
}
