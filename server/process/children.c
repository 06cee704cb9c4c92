/* Keeping processes alive.
 *
 * Happy path: fork, and the child runs its role and exits with its status.
 *
 * Failure modes: a child dies: it is logged and started again, soon if it had lived for a while,
 * otherwise with backoff, so that a child that dies at once does not keep the machine busy. fork
 * fails: the same. The supervisor dies: the kernel kills its children, and the next start recovers.
 */
#include "children.h"

#include "assertion.h"
#include "clock.h"
#include "forked.h"
#include "log.h"
#include "log_limit.h"
#include "log_output.h"
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEALTHY_MS 5000 /* a child that lived that long is started again soon */

void child_init(struct child *child, const struct child_config *config)
{
    ASSERT(config->role != NULL && config->run != NULL);
    *child = (struct child){
        .config = *config,
        .backoff = {config->first_restart_ms, config->max_restart_ms, 0},
    };
}

/* In the child, where SIGTERM and SIGINT stay blocked. Never returns. */
static void child_become(const struct child *child, pid_t parent)
{
    forked_end_with(parent);
    signals_init_child();
    int status = child->config.run(child->config.context);
    log_limits_tell();
    log_output_finish(LOG_NO_LIMIT);
    exit(status);
}

static void child_start(struct child *child)
{
    ASSERT(child->pid == 0);
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0)
        child_become(child, parent);
    if (pid < 0) {
        LOG(ERROR, "start_process", FAIL, LOG_TEXT("process", child->config.role),
            LOG_UINT("index", child->config.index), LOG_TEXT("reason", strerror(errno)));
        child->restart_ms = clock_monotonic_ms() + backoff_next_ms(&child->backoff);
        return;
    }
    child->pid = pid;
    child->last_pid = pid;
    child->started_ms = clock_monotonic_ms();
    LOG(DEBUG, "start_process", SUCCESS, LOG_TEXT("process", child->config.role),
        LOG_UINT("index", child->config.index), LOG_INT("pid", pid));
}

int children_start_due(struct children *children)
{
    uint64_t now = clock_monotonic_ms();
    uint64_t wait = UINT64_MAX;

    for (size_t i = 0; i < children->count; i++) {
        struct child *child = &children->items[i];
        if (child->pid == 0 && child->restart_ms <= now)
            child_start(child);
        if (child->pid == 0 && child->restart_ms - now < wait)
            wait = child->restart_ms > now ? child->restart_ms - now : 0;
    }
    return wait == UINT64_MAX ? -1 : (int)wait;
}

static struct child *children_find(struct children *children, pid_t pid)
{
    for (size_t i = 0; i < children->count; i++) {
        if (children->items[i].pid == pid)
            return &children->items[i];
    }
    return NULL;
}

static void child_log_end(const struct child *child, int status, bool is_stopping)
{
    char reason[96];

    forked_describe_end(status, reason, sizeof(reason));
    if (is_stopping && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        LOG(INFO, "close_process", SUCCESS, LOG_TEXT("process", child->config.role),
            LOG_UINT("index", child->config.index), LOG_INT("pid", child->last_pid));
    else
        LOG(ERROR, "close_process", FAIL, LOG_TEXT("process", child->config.role),
            LOG_UINT("index", child->config.index), LOG_INT("pid", child->last_pid),
            LOG_TEXT("reason", reason));
}

static void child_plan_restart(struct child *child)
{
    uint64_t now = clock_monotonic_ms();

    if (now - child->started_ms >= HEALTHY_MS)
        backoff_reset(&child->backoff);
    child->restart_ms = now + backoff_next_ms(&child->backoff);
    LOG(INFO, "restart_process", IN_PROGRESS, LOG_TEXT("process", child->config.role),
        LOG_UINT("index", child->config.index), LOG_UINT("wait_ms", child->restart_ms - now));
}

struct child *children_reap(struct children *children, int *out_status)
{
    pid_t pid;

    /* As process 1 of a container we also inherit orphans, which are not in `children`. */
    while ((pid = waitpid(-1, out_status, WNOHANG)) > 0) {
        struct child *child = children_find(children, pid);
        if (child == NULL)
            continue;
        child->pid = 0;
        return child;
    }
    return NULL;
}

void child_end(struct child *child, int status, bool is_stopping)
{
    ASSERT(child->pid == 0);
    child_log_end(child, status, is_stopping);
    bool is_wanted = child->config.on_end == NULL ||
                     child->config.on_end(child->config.context, status, is_stopping);
    if (is_wanted && !is_stopping)
        child_plan_restart(child);
}

void children_start_over(struct children *children)
{
    for (size_t i = 0; i < children->count; i++) {
        ASSERT(children->items[i].pid == 0);
        children->items[i].restart_ms = 0;
        backoff_reset(&children->items[i].backoff);
    }
}

void children_signal(const struct children *children, int number)
{
    for (size_t i = 0; i < children->count; i++) {
        if (children->items[i].pid > 0)
            (void)kill(children->items[i].pid, number);
    }
}

size_t children_running(const struct children *children)
{
    size_t count = 0;

    for (size_t i = 0; i < children->count; i++)
        count += children->items[i].pid > 0;
    return count;
}
