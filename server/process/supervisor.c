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

#include "clock.h"
#include "log.h"
#include "log_output.h"
#include "roles.h"
#include "signals.h"
#include "sockets.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* How long after the beginning of a stop each kind of child may take to end by itself. Those that
 * stop later also have the time that the earlier ones have not used. */
#define WORKERS_STOP_MS 3000
#define COORDINATOR_STOP_MS 4000
#define LEDGER_STOP_MS 5000

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
    int signal_fd;                 /* where our signals arrive */
    int listen_fd;                 /* where agencies connect; -1 = not yet */
    struct listen_address address; /* of listen_fd */
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
        LOG(INFO, "close_listener", SUCCESS, LOG_UINT("port", self->address.port));
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

    if (socket_listen(self->settings, &self->listen_fd, &self->address, &err) != STATUS_OK) {
        supervisor_fail(self, err.text);
        return;
    }
    LOG(INFO, "listen", SUCCESS, LOG_UINT("port", self->address.port),
        LOG_TEXT("ip", self->address.ip));
    roles_listen(&self->roles, self->listen_fd);
    self->is_serving = true;
}

static void supervisor_look_for_stop(struct supervisor *self)
{
    if (!signals_take_stop(self->signal_fd))
        return;
    self->is_stopping = true;
    log_output_stop_all(); /* at once: the next line may have to wait for room */
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
        {.fd = log_output_fd(), .events = POLLIN},
    };

    (void)poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms);
    log_output_on_ready();
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
    log_output_stop_all();
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
