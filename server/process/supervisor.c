/* The supervisor.
 *
 * Happy path: lock the data directory; fork the ledger and wait until it has recovered; listen, and
 * fork the coordinator and the workers; wait for signals, and for what the ledger tells; on SIGTERM
 * or SIGINT stop the workers, then the coordinator, then the ledger, and close what is left. In
 * mode echo there are only workers. The next draw, and new settings: supervisor_movement.c.
 *
 * Failure modes: something cannot be opened, or the first recovery ends in an error: logged, exit
 * status 1. A child dies: children.c. Recoveries keep ending in errors, or the data directory is
 * gone: ledger_child.c; the server stops, with status 1. A stop is asked for while the ledger
 * recovers or waits for its restart: no other ledger is started, and the workers end with what they
 * have. A child does not stop in time: it is killed.
 */
#include "supervisor.h"

#include "clock.h"
#include "draws.h"
#include "log.h"
#include "log_output.h"
#include "signals.h"
#include "supervisor_state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* How long after the beginning of a stop each kind of child may take to end by itself. Those that
 * stop later also have the time that the earlier ones have not used. */
#define WORKERS_STOP_MS 3000
#define COORDINATOR_STOP_MS 4000
#define LEDGER_STOP_MS 5000

static enum status supervisor_open_base(struct supervisor *self, struct errbuf *err)
{
    const char *path = self->config->settings->data_dir;

    /* A relative path would follow the folder wherever it is moved. */
    if (realpath(path, self->base_path) != NULL)
        path = self->base_path;
    enum status status = data_dir_open(path, &file_ops_system, &self->base_dir, err);
    self->is_base_open = status == STATUS_OK;
    return status;
}

/* The draw in force: the one that `current` names, or, in a data directory that has no `current`
 * yet, the one of the settings. */
static enum status supervisor_find_draw(const struct supervisor *self, char id[DRAW_ID_MAX + 1],
                                        bool *out_has_begun, struct errbuf *err)
{
    const char *set = self->config->settings->draw_id;

    enum status status = draws_read_current(&self->base_dir, id, err);
    if (status != STATUS_OK) {
        errbuf_wrap(err, "data directory %s", self->config->settings->data_dir);
        return status;
    }
    *out_has_begun = id[0] != '\0';
    if (!*out_has_begun)
        memcpy(id, set, DRAW_ID_MAX + 1);
    else if (strcmp(id, set) != 0)
        LOG(WARNING, "config", SUCCESS,
            LOG_TEXT("reason", "the file " DRAWS_CURRENT " goes before LOTTERY_DRAW_ID"),
            LOG_TEXT("setting", set), LOG_TEXT("current", id));
    return STATUS_OK;
}

static enum status supervisor_open_generation(struct supervisor *self, struct errbuf *err)
{
    char id[DRAW_ID_MAX + 1] = "";
    struct generation_config config = {
        .settings = self->config->settings,
        .id = id,
        .on_fork = supervisor_on_fork,
        .context = self,
    };

    if (self->is_lottery) {
        enum status status = supervisor_open_base(self, err);
        if (status == STATUS_OK)
            status = supervisor_find_draw(self, id, &config.must_exist, err);
        if (status != STATUS_OK)
            return status;
        config.base_dir = &self->base_dir;
        /* Others have their own, which is recorded. */
        if (strcmp(id, self->config->settings->draw_id) == 0)
            config.close_at_s = self->config->settings->close_at_s;
    }
    return generation_create(&config, &self->generation, err);
}

/* What is needed before the first fork. */
static enum status supervisor_open(struct supervisor *self, struct errbuf *err)
{
    self->signal_fd = signals_open();
    if (self->signal_fd < 0) {
        errbuf_set(err, "signalfd: %s", strerror(errno));
        return STATUS_IO;
    }
    return supervisor_open_generation(self, err);
}

void supervisor_on_fork(void *context)
{
    const struct supervisor *self = context;

    (void)close(self->signal_fd);
    if (self->movement.generation != NULL)
        generation_close_fds(self->movement.generation);
    if (self->kept != NULL)
        generation_close_fds(self->kept);
}

static void supervisor_close(struct supervisor *self)
{
    if (self->listen_fd >= 0) {
        (void)close(self->listen_fd);
        LOG(INFO, "close_listener", SUCCESS, LOG_UINT("port", self->address.port));
    }
    supervisor_drop_movement(self);
    generation_destroy(self->kept);
    generation_destroy(self->generation);
    if (self->is_base_open)
        data_dir_close(&self->base_dir);
    if (self->signal_fd >= 0)
        (void)close(self->signal_fd);
}

void supervisor_fail(struct supervisor *self, const char *reason)
{
    if (self->is_serving)
        LOG(CRITICAL, "store", FAIL, LOG_TEXT("reason", reason));
    else
        LOG(CRITICAL, "start", FAIL, LOG_TEXT("reason", reason));
    self->has_failed = true;
    self->is_stopping = true;
}

/* A draw that has begun is the one in force from now on. */
static enum status supervisor_keep_current(struct supervisor *self, struct errbuf *err)
{
    const struct generation *generation = self->generation;

    if (!self->is_lottery || generation->id[0] == '\0' || generation->config.must_exist)
        return STATUS_OK;
    return draws_write_current(&self->base_dir, generation->id, err);
}

/* Whatever can be stored from now on can be acknowledged: lets the agencies in. */
static void supervisor_serve(struct supervisor *self)
{
    struct server_settings settings = *self->config->settings;
    struct errbuf err = {{0}};

    (void)snprintf(settings.ip, sizeof(settings.ip), "%s", self->config->listen_ip);
    if (supervisor_keep_current(self, &err) != STATUS_OK ||
        socket_listen(&settings, &self->listen_fd, &self->address, &err) != STATUS_OK) {
        supervisor_fail(self, err.text);
        return;
    }
    LOG(INFO, "listen", SUCCESS, LOG_UINT("port", self->address.port),
        LOG_TEXT("ip", self->address.ip));
    roles_listen(&self->generation->roles, self->listen_fd);
    self->is_serving = true;
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
        if (generation->coordinator.has_ended)
            supervisor_end_coordinator(self);
        /* In a movement there may be a way back. */
        if (generation->ledger.has_failed && !self->has_failed &&
            (self->step == SUPERVISOR_RUNS || self->is_stopping))
            supervisor_fail(self, generation->ledger.reason.text);
    }
}

/* Waits for something to happen, up to wait_ms (-1: no limit), and deals with it. */
static void supervisor_turn(struct supervisor *self, int wait_ms)
{
    struct generation *generation = self->generation;
    struct pollfd fds[] = {
        {.fd = self->signal_fd, .events = POLLIN},
        {.fd = generation->ledger.control_fd, .events = POLLIN},
        {.fd = generation->coordinator.near_fd, .events = POLLIN},
        {.fd = log_output_fd(), .events = POLLIN},
    };

    (void)poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms);
    log_output_on_ready();
    supervisor_look_at_signals(self);
    if (self->is_lottery) {
        ledger_child_hear(&generation->ledger);
        supervisor_hear_coordinator(self);
    }
    supervisor_reap(self);
}

void supervisor_start_ledger(struct supervisor *self)
{
    struct generation *generation = self->generation;

    while (!self->is_stopping && !generation->ledger.was_ready && !generation->ledger.has_failed)
        supervisor_turn(self, children_start_due(&generation->roles.ledgers));
}

static void supervisor_keep_running(struct supervisor *self)
{
    if (self->is_lottery)
        supervisor_start_ledger(self);
    if (!self->is_stopping)
        supervisor_serve(self);
    while (!self->is_stopping) {
        supervisor_turn(self, children_start_due(&self->generation->roles.all));
        supervisor_move_due(self);
    }
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
    supervisor_stop_part(self, &roles->workers, WORKERS_STOP_MS);
    supervisor_stop_part(self, &roles->coordinators, COORDINATOR_STOP_MS);
    supervisor_stop_part(self, &roles->ledgers, LEDGER_STOP_MS);
}

static void supervisor_stop(struct supervisor *self)
{
    log_output_stop_all();
    if (self->generation != NULL)
        supervisor_halt(self);
}

/* Thousands of agencies need thousands of descriptors. */
static void supervisor_raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int supervisor_run(const struct supervisor_config *config)
{
    struct supervisor self = {
        .config = config,
        .is_lottery = config->settings->mode == SERVER_MODE_LOTTERY,
        .signal_fd = -1,
        .listen_fd = -1,
    };
    struct errbuf err = {{0}};

    supervisor_raise_descriptor_limit();
    if (supervisor_open(&self, &err) == STATUS_OK)
        supervisor_keep_running(&self);
    else
        supervisor_fail(&self, err.text);
    supervisor_stop(&self);
    supervisor_close(&self);
    if (self.has_failed)
        return 1;
    LOG(INFO, "exit", SUCCESS);
    return 0;
}
