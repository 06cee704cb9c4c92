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
#include "ledger_child.h"
#include "log.h"
#include "scoreboard.h"
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

/* What roles_init() needs; what it points to is borrowed. */
struct roles_config {
    const struct server_settings *settings;
    const struct data_dir *data_dir; /* NULL in mode echo, and so is the ledger */
    struct ledger_child *ledger;
    int signal_fd; /* the supervisor's, which no other process uses */
};

struct worker_slot {
    struct roles *roles;
    struct worker_config config;
};

struct roles {
    struct roles_config config;
    int listen_fd;                 /* borrowed: where agencies connect; -1 = not yet */
    struct scoreboard *scoreboard; /* owned */
    struct worker_slot *slots;     /* owned; one per worker */
    struct coordinator_config coordinator;
    struct children all;          /* owns the items; the others are parts of it */
    struct children ledgers;      /* one, or none in mode echo */
    struct children coordinators; /* one, or none in mode echo */
    struct children workers;      /* as many as the settings say, or one per core */
};

/* In a child: closes what only the supervisor uses. */
static void roles_close_supervisors(const struct roles *roles)
{
    (void)close(roles->config.signal_fd);
    if (roles->config.ledger != NULL)
        (void)close(roles->config.ledger->control_fd);
}

/* In a child that is not the ledger: closes what only the ledger uses. */
static void roles_close_ledgers(const struct roles *roles)
{
    if (roles->config.ledger == NULL)
        return;
    (void)close(roles->config.ledger->listen_fd);
    (void)close(roles->config.ledger->far_fd);
}

/* In a child that is not a worker: closes what only the workers use. */
static void roles_close_workers(const struct roles *roles)
{
    if (roles->listen_fd >= 0)
        (void)close(roles->listen_fd);
}

static int roles_run_ledger(void *context)
{
    const struct roles *roles = context;

    roles_close_supervisors(roles);
    roles_close_workers(roles);
    return ledger_child_run(roles->config.ledger);
}

static int roles_run_coordinator(void *context)
{
    const struct roles *roles = context;

    roles_close_supervisors(roles);
    roles_close_ledgers(roles);
    roles_close_workers(roles);
    return coordinator_run(&roles->coordinator);
}

static int roles_run_worker(void *context)
{
    const struct worker_slot *slot = context;

    roles_close_supervisors(slot->roles);
    roles_close_ledgers(slot->roles);
    return worker_run(&slot->config);
}

static bool roles_on_ledger_end(void *context, int status, bool is_stopping)
{
    const struct roles *roles = context;

    return ledger_child_end(roles->config.ledger, status, is_stopping);
}

/* A dead worker's connections are gone; its row still counts them. */
static bool roles_on_worker_end(void *context, int status, bool is_stopping)
{
    const struct worker_slot *slot = context;

    (void)status;
    (void)is_stopping;
    scoreboard_clear(slot->config.scoreboard, slot->config.index);
    return true;
}

/* Adds a child to one of the parts. All children get the same waits before restarts. */
static void roles_add(struct roles *roles, struct children *part, struct child_config config)
{
    struct child *child = &roles->all.items[roles->all.count++];

    config.first_restart_ms = FIRST_RESTART_MS;
    config.max_restart_ms = MAX_RESTART_MS;
    child_init(child, &config);
    if (part->count++ == 0)
        part->items = child;
}

static void roles_add_ledger(struct roles *roles)
{
    roles_add(roles, &roles->ledgers,
              (struct child_config){
                  .role = "ledger",
                  .run = roles_run_ledger,
                  .on_end = roles_on_ledger_end,
                  .context = roles,
              });
}

static void roles_add_coordinator(struct roles *roles, uint32_t cpus)
{
    roles->coordinator =
        (struct coordinator_config){.data_dir = roles->config.data_dir,
                                    .ledger = roles->config.ledger->address,
                                    .ledger_size = roles->config.ledger->address_size,
                                    .scanners = cpus};
    roles_add(roles, &roles->coordinators,
              (struct child_config){
                  .role = "coordinator",
                  .run = roles_run_coordinator,
                  .context = roles,
              });
}

static void roles_add_worker(struct roles *roles, uint32_t index)
{
    const struct ledger_child *ledger = roles->config.ledger;
    struct worker_slot *slot = &roles->slots[index];

    *slot = (struct worker_slot){
        .roles = roles,
        .config = {.settings = roles->config.settings,
                   .scoreboard = roles->scoreboard,
                   .index = index,
                   .listen_fd = -1, /* not open yet */
                   .data_dir = roles->config.data_dir},
    };
    if (ledger != NULL) {
        slot->config.ledger = ledger->address;
        slot->config.ledger_size = ledger->address_size;
    }
    roles_add(roles, &roles->workers,
              (struct child_config){
                  .role = "worker",
                  .index = index,
                  .run = roles_run_worker,
                  .on_end = roles_on_worker_end,
                  .context = slot,
              });
}

/* Prepares the children; none is started. `roles` stays where it is until roles_fini(), which is
 * due also when this fails. STATUS_NOMEM, or what scoreboard_create() returns. */
static enum status roles_init(struct roles *roles, const struct roles_config *config)
{
    const uint32_t cpus = cpu_count("");
    const uint32_t workers = config->settings->workers > 0 ? config->settings->workers : cpus;

    *roles = (struct roles){.config = *config, .listen_fd = -1};
    roles->slots = calloc(workers, sizeof(*roles->slots));
    roles->all.items = calloc((size_t)workers + 2, sizeof(*roles->all.items));
    if (roles->slots == NULL || roles->all.items == NULL)
        return STATUS_NOMEM;
    enum status status = scoreboard_create(workers, &roles->scoreboard);
    if (status != STATUS_OK)
        return status;
    if (config->ledger != NULL) {
        roles_add_ledger(roles);
        roles_add_coordinator(roles, cpus);
    }
    for (uint32_t i = 0; i < workers; i++)
        roles_add_worker(roles, i);
    return STATUS_OK;
}

/* Frees everything; none of the children runs any more. All zero is fine. */
static void roles_fini(struct roles *roles)
{
    scoreboard_destroy(roles->scoreboard);
    free(roles->slots);
    free(roles->all.items);
}

/* From now on there is a socket where agencies connect. To be called before a worker is started. */
static void roles_listen(struct roles *roles, int listen_fd)
{
    roles->listen_fd = listen_fd;
    for (size_t i = 0; i < roles->workers.count; i++)
        roles->slots[i].config.listen_fd = listen_fd;
}

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
    struct roles roles;
};

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
    status = roles_init(&self->roles, &(struct roles_config){
                                          .settings = self->settings,
                                          .data_dir = self->is_lottery ? &self->data_dir : NULL,
                                          .ledger = self->is_lottery ? &self->ledger : NULL,
                                          .signal_fd = self->signal_fd,
                                      });
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
    roles_fini(&self->roles);
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
    roles_listen(&self->roles, self->listen_fd);
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

    while ((child = children_reap(&self->roles.all, &status)) != NULL) {
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
    struct roles *roles = &self->roles;

    while (!self->is_stopping) {
        if (!self->is_serving && (!self->is_lottery || self->ledger.was_ready)) {
            supervisor_serve(self);
            continue;
        }
        supervisor_turn(self, children_start_due(self->is_serving ? &roles->all : &roles->ledgers));
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
    const struct roles *roles = &self->roles;

    self->stop_ms = clock_monotonic_ms();
    /* A child that was stopped, by SIGSTOP for example, has to run again to end. */
    children_signal(&roles->all, SIGCONT);
    supervisor_stop_part(self, &roles->workers, WORKERS_STOP_MS);
    supervisor_stop_part(self, &roles->coordinators, COORDINATOR_STOP_MS);
    supervisor_stop_part(self, &roles->ledgers, LEDGER_STOP_MS);
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
