/* How the supervisor deals with the children of the generation that runs: waits, reaps, stops. */
#include "clock.h"
#include "log.h"
#include "log_output.h"
#include "notifier.h"
#include "signals.h"
#include "supervisor_state.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>

/* How long after the beginning of a stop each kind of child may take to end by itself. Those that
 * stop later also have the time that the earlier ones have not used. */
#define WORKERS_STOP_MS 3000
#define COORDINATOR_STOP_MS 4000
#define LEDGER_STOP_MS 5000
#define OBSERVER_STOP_MS 6000

void supervisor_on_fork(void *context)
{
    const struct supervisor *self = context;

    if (self->movement.generation != NULL)
        generation_leave(self->movement.generation);
    if (self->kept != NULL)
        generation_leave(self->kept);
}

void supervisor_fail(struct supervisor *self, const char *reason)
{
    if (self->is_serving)
        LOG(CRITICAL, "store", FAIL, LOG_TEXT("reason", reason));
    else
        LOG(CRITICAL, "start", FAIL, LOG_TEXT("reason", reason));
    notifier_tell(self->config->notifier, NOTIFIER_STOPPING, reason);
    self->has_failed = true;
    self->is_stopping = true;
}

static void supervisor_look_at_signals(struct supervisor *self)
{
    const struct signals_taken taken = signals_take(self->signal_fd);

    if (taken.is_reload) {
        self->is_reload_due = true;
        self->reload_uid = taken.uid;
    }
    if (!taken.is_stop)
        return;
    self->is_stopping = true;
    notifier_tell(self->config->notifier, NOTIFIER_STOPPING, "stopping");
    log_output_stop_all(); /* at once: the next line may have to wait for room */
}

/* A signal to a whole group of processes may end a child before we have seen the signal ourselves;
 * when the child has ended, it has arrived here, too. */
static void supervisor_reap(struct supervisor *self)
{
    struct generation *generation = self->generation;
    struct child *child;
    int status;

    while ((child = children_reap(&generation->roles.all, &status)) != NULL) {
        supervisor_look_at_signals(self);
        child_end(child, status, self->is_stopping || self->step == SUPERVISOR_HALTS);
        /* In a movement there may be a way back. */
        if (generation->ledger.has_failed && !self->has_failed &&
            (self->step == SUPERVISOR_RUNS || self->is_stopping))
            supervisor_fail(self, generation->ledger.reason.text);
    }
}

void supervisor_turn(struct supervisor *self, int wait_ms)
{
    struct generation *generation = self->generation;
    struct pollfd fds[] = {
        {.fd = self->signal_fd, .events = POLLIN},
        {.fd = generation->ledger.control_fd, .events = POLLIN},
        /* In a movement nobody hears it. */
        {.fd = self->step == SUPERVISOR_RUNS ? generation->coordinator.near_fd : -1,
         .events = POLLIN},
        {.fd = log_output_fd(), .events = POLLIN},
    };

    (void)poll(fds, sizeof(fds) / sizeof(fds[0]), notifier_wait(self->config->notifier, wait_ms));
    notifier_turn(self->config->notifier);
    log_output_on_ready();
    supervisor_look_at_signals(self);
    if (self->is_lottery)
        ledger_child_hear(&generation->ledger);
    supervisor_reap(self);
}

void supervisor_tell_ready(const struct supervisor *self)
{
    const char *id = self->generation->id;
    char text[DRAW_ID_MAX + 64];

    (void)snprintf(text, sizeof(text), "listening on port %u%s%s", self->address.port,
                   id[0] != '\0' ? ", draw " : "", id);
    notifier_tell(self->config->notifier, NOTIFIER_READY, text);
}

void supervisor_start_ledger(struct supervisor *self)
{
    struct generation *generation = self->generation;

    while (!self->is_stopping && !generation->ledger.was_ready && !generation->ledger.has_failed)
        supervisor_turn(self, children_start_due(&generation->roles.first));
}

/* Stops some of the children; `until_ms` is counted from the beginning of the stop. */
static void supervisor_stop_part(struct supervisor *self, const struct children *part,
                                 uint64_t until_ms)
{
    const uint64_t deadline = self->stop_ms + until_ms;

    children_signal(part, SIGTERM);
    while (children_running(part) > 0) {
        uint64_t now = clock_monotonic_ms();
        if (now >= deadline)
            children_signal(part, SIGKILL);
        supervisor_turn(self, now < deadline ? (int)(deadline - now) : 100);
    }
}

void supervisor_halt(struct supervisor *self)
{
    const struct roles *roles = &self->generation->roles;

    self->step = SUPERVISOR_HALTS;
    self->stop_ms = clock_monotonic_ms();
    /* A child that was stopped, by SIGSTOP for example, has to run again to end. */
    children_signal(&roles->all, SIGCONT);
    roles_tell_stop(roles, true);
    supervisor_stop_part(self, &roles->workers, WORKERS_STOP_MS);
    supervisor_stop_part(self, &roles->coordinators, COORDINATOR_STOP_MS);
    supervisor_stop_part(self, &roles->ledgers, LEDGER_STOP_MS);
    supervisor_stop_part(self, &roles->observers, OBSERVER_STOP_MS);
}
