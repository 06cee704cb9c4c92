/* The supervisor.
 *
 * Happy path: lock the data directory; fork the ledger and wait until it has recovered; listen, and
 * fork the coordinator and the workers; wait for signals, and for what the ledger tells; on SIGTERM
 * or SIGINT stop the workers, then the coordinator, then the ledger, and close what is left. In
 * mode echo there are only workers.
 *
 * Failure modes: something cannot be opened, or the first recovery ends in an error: logged, exit
 * status 1. A child dies: children.c. Recoveries keep ending in errors, or the data directory is
 * gone: ledger_child.c; the server stops, with status 1. A stop is asked for while the ledger
 * recovers or waits for its restart: no other ledger is started, and the workers end with what they
 * have. A child does not stop in time: it is killed.
 */
#include "supervisor.h"

#include "children.h"
#include "clock.h"
#include "coordinator.h"
#include "cpu_count.h"
#include "data_dir.h"
#include "ledger_child.h"
#include "log.h"
#include "signals.h"
#include "sockets.h"
#include "worker.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FIRST_RESTART_MS 50
#define MAX_RESTART_MS 5000

/* How long after the beginning of a stop each kind of child may take to end by itself. Those that
 * stop later also have the time that the earlier ones have not used. */
#define WORKERS_STOP_MS 3000
#define COORDINATOR_STOP_MS 4000
#define LEDGER_STOP_MS 5000

struct supervisor;

struct worker_slot {
    struct supervisor *supervisor;
    struct worker_config config;
};

struct supervisor {
    const struct server_settings *settings;
    bool is_lottery;  /* mode lottery; in mode echo there is no ledger, coordinator or folder */
    bool is_serving;  /* listens; coordinator and workers are started */
    bool is_stopping; /* asked for by a signal, or because of a failure */
    bool has_failed;  /* that was logged; the exit status is 1 */
    uint64_t stop_ms; /* monotonic: when the stop began */
    bool is_data_open;
    struct data_dir data_dir; /* locked, if is_data_open */
    char data_path[PATH_MAX]; /* of data_dir, resolved */
    struct ledger_child ledger;
    int signal_fd; /* where our signals arrive */
    int listen_fd; /* where agencies connect; -1 = not yet */
    uint16_t port; /* of listen_fd */
    struct scoreboard *scoreboard;
    uint32_t worker_count;
    struct worker_slot *workers; /* one per worker */
    struct coordinator_config coordinator_config;
    struct children all;          /* ledger, coordinator, workers; the others are parts of it */
    struct children ledgers;      /* one, or none in mode echo */
    struct children coordinators; /* one, or none in mode echo */
    struct children worker_children;
};

/* In a child: closes what only the supervisor uses. */
static void supervisor_close_own(const struct supervisor *self)
{
    (void)close(self->signal_fd);
    if (self->is_lottery)
        (void)close(self->ledger.control_fd);
}

/* In a child that is not the ledger: closes what only the ledger uses. */
static void supervisor_close_ledgers(const struct supervisor *self)
{
    if (!self->is_lottery)
        return;
    (void)close(self->ledger.listen_fd);
    (void)close(self->ledger.far_fd);
}

static void supervisor_close_listener(const struct supervisor *self)
{
    if (self->listen_fd >= 0)
        (void)close(self->listen_fd);
}

static int supervisor_run_ledger(void *context)
{
    struct supervisor *self = context;

    supervisor_close_own(self);
    supervisor_close_listener(self);
    return ledger_child_run(&self->ledger);
}

static int supervisor_run_coordinator(void *context)
{
    const struct supervisor *self = context;

    supervisor_close_own(self);
    supervisor_close_ledgers(self);
    supervisor_close_listener(self);
    return coordinator_run(&self->coordinator_config);
}

static int supervisor_run_worker(void *context)
{
    const struct worker_slot *slot = context;

    supervisor_close_own(slot->supervisor);
    supervisor_close_ledgers(slot->supervisor);
    return worker_run(&slot->config);
}

static bool supervisor_on_ledger_end(void *context, int status)
{
    struct supervisor *self = context;

    return ledger_child_end(&self->ledger, status, self->is_stopping);
}

/* A dead worker's connections are gone; its row still counts them. */
static bool supervisor_on_worker_end(void *context, int status)
{
    const struct worker_slot *slot = context;

    (void)status;
    scoreboard_clear(slot->config.scoreboard, slot->config.index);
    return true;
}

/* Adds a child. All children get the same waits before restarts. */
static void supervisor_add_child(struct supervisor *self, struct children *part,
                                 struct child_config config)
{
    struct child *child = &self->all.items[self->all.count++];

    config.first_restart_ms = FIRST_RESTART_MS;
    config.max_restart_ms = MAX_RESTART_MS;
    child_init(child, &config);
    if (part->count++ == 0)
        part->items = child;
}

static void supervisor_add_worker(struct supervisor *self, uint32_t index)
{
    struct worker_slot *slot = &self->workers[index];

    *slot = (struct worker_slot){
        .supervisor = self,
        .config = {.settings = self->settings,
                   .scoreboard = self->scoreboard,
                   .index = index,
                   .listen_fd = -1, /* not open yet */
                   .data_dir = self->is_lottery ? &self->data_dir : NULL,
                   .ledger = self->ledger.address,
                   .ledger_size = self->ledger.address_size},
    };
    supervisor_add_child(self, &self->worker_children,
                         (struct child_config){
                             .role = "worker",
                             .index = index,
                             .run = supervisor_run_worker,
                             .on_end = supervisor_on_worker_end,
                             .context = slot,
                         });
}

static void supervisor_add_children(struct supervisor *self, uint32_t cpus)
{
    if (self->is_lottery) {
        self->coordinator_config =
            (struct coordinator_config){.data_dir = &self->data_dir,
                                        .ledger = self->ledger.address,
                                        .ledger_size = self->ledger.address_size,
                                        .scanners = cpus};
        supervisor_add_child(self, &self->ledgers,
                             (struct child_config){
                                 .role = "ledger",
                                 .run = supervisor_run_ledger,
                                 .on_end = supervisor_on_ledger_end,
                                 .context = self,
                             });
        supervisor_add_child(self, &self->coordinators,
                             (struct child_config){
                                 .role = "coordinator",
                                 .run = supervisor_run_coordinator,
                                 .context = self,
                             });
    }
    for (uint32_t i = 0; i < self->worker_count; i++)
        supervisor_add_worker(self, i);
}

static enum status supervisor_prepare_children(struct supervisor *self)
{
    const uint32_t cpus = cpu_count("");

    self->worker_count = self->settings->workers > 0 ? self->settings->workers : cpus;
    self->workers = calloc(self->worker_count, sizeof(*self->workers));
    self->all.items = calloc((size_t)self->worker_count + 2, sizeof(*self->all.items));
    if (self->workers == NULL || self->all.items == NULL)
        return STATUS_NOMEM;
    enum status status = scoreboard_create(self->worker_count, &self->scoreboard);
    if (status == STATUS_OK)
        supervisor_add_children(self, cpus);
    return status;
}

static enum status supervisor_open_data(struct supervisor *self, struct errbuf *err)
{
    const char *path = self->settings->data_dir;

    /* A relative path would follow the folder wherever it is moved. */
    if (realpath(path, self->data_path) != NULL)
        path = self->data_path;
    enum status status = data_dir_open(path, &file_ops_system, &self->data_dir, err);
    if (status != STATUS_OK)
        return status;
    self->is_data_open = true;
    return ledger_child_init(&self->ledger, self->settings, &self->data_dir, err);
}

/* What is needed before the first fork. */
static enum status supervisor_open(struct supervisor *self, struct errbuf *err)
{
    enum status status = STATUS_OK;

    self->signal_fd = signals_open();
    if (self->signal_fd < 0) {
        errbuf_set(err, "signalfd: %s", strerror(errno));
        return STATUS_IO;
    }
    if (self->is_lottery)
        status = supervisor_open_data(self, err);
    if (status != STATUS_OK)
        return status;
    status = supervisor_prepare_children(self);
    if (status != STATUS_OK)
        errbuf_set(err, "%s", status_text(status));
    return status;
}

static void supervisor_close(struct supervisor *self)
{
    if (self->listen_fd >= 0) {
        (void)close(self->listen_fd);
        LOG(INFO, "close_listener", SUCCESS, LOG_UINT("port", self->port));
    }
    ledger_child_fini(&self->ledger);
    if (self->is_data_open)
        data_dir_close(&self->data_dir);
    if (self->signal_fd >= 0)
        (void)close(self->signal_fd);
    scoreboard_destroy(self->scoreboard);
    free(self->workers);
    free(self->all.items);
}

/* The server stops, or does not start, because of an error. */
static void supervisor_fail(struct supervisor *self, const char *reason)
{
    if (self->is_serving)
        LOG(CRITICAL, "store", FAIL, LOG_TEXT("reason", reason));
    else
        LOG(CRITICAL, "start", FAIL, LOG_TEXT("reason", reason));
    self->has_failed = true;
    self->is_stopping = true;
}

/* Whatever can be stored from now on can be acknowledged: lets the agencies in. */
static void supervisor_serve(struct supervisor *self)
{
    struct errbuf err = {{0}};

    if (socket_listen(self->settings, &self->listen_fd, &self->port, &err) != STATUS_OK) {
        supervisor_fail(self, err.text);
        return;
    }
    LOG(INFO, "listen", SUCCESS, LOG_UINT("port", self->port));
    for (uint32_t i = 0; i < self->worker_count; i++)
        self->workers[i].config.listen_fd = self->listen_fd;
    self->is_serving = true;
}

static void supervisor_look_for_stop(struct supervisor *self)
{
    if (signals_take_stop(self->signal_fd))
        self->is_stopping = true;
}

/* A signal to a whole group of processes may end a child before we have seen the signal ourselves;
 * when the child has ended, it has arrived here, too. */
static void supervisor_reap(struct supervisor *self)
{
    struct child *child;
    int status;

    while ((child = children_reap(&self->all, &status)) != NULL) {
        supervisor_look_for_stop(self);
        child_end(child, status, self->is_stopping);
        if (self->ledger.has_failed && !self->has_failed)
            supervisor_fail(self, self->ledger.reason.text);
    }
}

/* Waits for something to happen, up to wait_ms (-1: no limit), and deals with it. */
static void supervisor_turn(struct supervisor *self, int wait_ms)
{
    struct pollfd fds[] = {
        {.fd = self->signal_fd, .events = POLLIN},
        {.fd = self->is_lottery ? self->ledger.control_fd : -1, .events = POLLIN},
    };

    (void)poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms);
    supervisor_look_for_stop(self);
    if (self->is_lottery)
        ledger_child_hear(&self->ledger);
    supervisor_reap(self);
}

static void supervisor_keep_running(struct supervisor *self)
{
    while (!self->is_stopping) {
        if (!self->is_serving && (!self->is_lottery || self->ledger.was_ready)) {
            supervisor_serve(self);
            continue;
        }
        supervisor_turn(self, children_start_due(self->is_serving ? &self->all : &self->ledgers));
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

/* In the order in which they need each other. */
static void supervisor_stop(struct supervisor *self)
{
    self->stop_ms = clock_monotonic_ms();
    /* A child that was stopped, by SIGSTOP for example, has to run again to end. */
    children_signal(&self->all, SIGCONT);
    supervisor_stop_part(self, &self->worker_children, WORKERS_STOP_MS);
    supervisor_stop_part(self, &self->coordinators, COORDINATOR_STOP_MS);
    supervisor_stop_part(self, &self->ledgers, LEDGER_STOP_MS);
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

int supervisor_run(const struct server_settings *settings)
{
    struct supervisor self = {
        .settings = settings,
        .is_lottery = settings->mode == SERVER_MODE_LOTTERY,
        .ledger = {.listen_fd = -1, .control_fd = -1, .far_fd = -1},
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
