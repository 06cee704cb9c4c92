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
    const char *role;                /* "worker", "coordinator"; static */
    uint32_t index;                  /* among those of its role */
    int (*run)(void *context);       /* the child's main function; returns its exit status */
    void (*on_death)(void *context); /* in the supervisor, before a restart; NULL: not needed */
    void *context;                   /* borrowed; handed to both */
    uint32_t first_restart_ms;       /* first and longest wait before a restart, see backoff.h */
    uint32_t max_restart_ms;
};

struct child {
    struct child_config config;
    pid_t pid;              /* 0 = not running */
    uint64_t started_ms;    /* monotonic */
    uint64_t restart_ms;    /* monotonic: when to start it again, if it is not running */
    struct backoff backoff; /* of the restarts */
};

/* All of them. */
struct children {
    struct child *items; /* owned by the caller */
    size_t count;
};

/* Prepares a child that is to be started at once. */
void child_init(struct child *child, const struct child_config *config);

/* Forks those that are not running and are due. Returns in how many ms the next one is due, or -1
 * when all run. */
int children_start_due(struct children *children);

/* Reaps every process that has ended. Returns true when one of them ended because the store failed.
 * With `is_stopping` none is started again, and exit status 0 is not a failure. */
bool children_reap(struct children *children, bool is_stopping);

/* Sends a signal to all that run. */
void children_signal(const struct children *children, int number);

/* How many run. */
size_t children_running(const struct children *children);

#endif
