/* children.h - the processes that the supervisor keeps alive. */
#ifndef LOTTERY_CHILDREN_H
#define LOTTERY_CHILDREN_H

#include "backoff.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What child_init() needs; copied. */
struct child_config {
    const char *role;          /* "ledger", "worker", ...; static */
    uint32_t index;            /* among those of its role */
    int (*run)(void *context); /* the child's main function; returns its exit status */
    /* In the supervisor, when it has ended; `status` is that of waitpid(2), and `is_stopping` that
     * of child_end(). Returns whether it is to be started again; if not, the server is about to
     * stop. NULL: always. */
    bool (*on_end)(void *context, int status, bool is_stopping);
    void *context;             /* borrowed; handed to both */
    uint32_t first_restart_ms; /* first and longest wait before a restart, see backoff.h */
    uint32_t max_restart_ms;
};

struct child {
    struct child_config config;
    pid_t pid;              /* 0 = not running: it was reaped, and may be another's by now */
    pid_t last_pid;         /* for the log; never signalled */
    uint64_t started_ms;    /* monotonic */
    uint64_t restart_ms;    /* monotonic: when to start it again, if it is not running */
    struct backoff backoff; /* of the restarts */
};

/* Some of them, or all: whoever needs a part points into the same items. */
struct children {
    struct child *items; /* owned by the caller */
    size_t count;
};

/* Prepares a child that is to be started at once. */
void child_init(struct child *child, const struct child_config *config);

/* Forks those that are not running and are due. Returns in how many ms the next one is due, or -1
 * when all run. */
int children_start_due(struct children *children);

/* Reaps processes that have ended, up to the first one that is one of `children`, and returns it
 * with its status of waitpid(2); it no longer has a pid. NULL when no more have ended. */
struct child *children_reap(struct children *children, int *out_status);

/* What follows for a child that was reaped: logs its end, tells its owner, and plans its restart.
 * With `is_stopping` it is not started again, whatever the owner says, and exit status 0 is not a
 * failure. */
void child_end(struct child *child, int status, bool is_stopping);

/* None of them runs: all are due at once, as at first. */
void children_start_over(struct children *children);

/* Sends a signal to all that run. */
void children_signal(const struct children *children, int number);

/* How many run. */
size_t children_running(const struct children *children);

#endif
