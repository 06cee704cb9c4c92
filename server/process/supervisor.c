/* The supervisor.
 *
 * Happy path: open the data folder (lock, recover), the sockets and the scoreboard; fork the
 * coordinator and the workers; wait for signals; on SIGTERM or SIGINT pass it on, wait until all
 * have ended, close what is left.
 *
 * Failure modes: something cannot be opened: logged, exit status 1. A child dies: children.c. A
 * child's exit status says that the store failed: all are killed and the program ends with status
 * 1, because only a recovery can tell what is on disk. A child does not stop: it is killed after
 * STOP_MS.
 */
#include "supervisor.h"

#include "children.h"
#include "clock.h"
#include "coordinator.h"
#include "cpu_count.h"
#include "log.h"
#include "sockets.h"
#include "store_csv.h"
#include "worker.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define FIRST_RESTART_MS 50
#define MAX_RESTART_MS 5000
#define STOP_MS 5000

struct supervisor {
    const struct server_settings *settings;
    struct data_dir *data_dir; /* NULL in mode echo */
    int listen_fd;
    int raffle_fd; /* the coordinator's listening socket; -1 in mode echo */
    struct scoreboard *scoreboard;
    struct worker_config *worker_configs; /* one per worker */
    struct coordinator_config coordinator;
    struct children children;
    uint32_t workers;
    uint16_t port;    /* where agencies connect */
    sigset_t signals; /* blocked, and waited for */
};

static int supervisor_run_worker(void *context)
{
    return worker_run(context);
}

static int supervisor_run_coordinator(void *context)
{
    return coordinator_run(context);
}

/* A dead worker's connections are gone; its row still counts them. */
static void supervisor_on_worker_death(void *context)
{
    const struct worker_config *config = context;

    scoreboard_clear(config->scoreboard, config->index);
}

static enum status supervisor_open_data_dir(struct supervisor *self, struct errbuf *err)
{
    struct store_report report;

    if (self->settings->mode == SERVER_MODE_ECHO)
        return STATUS_OK;
    enum status status = data_dir_open(self->settings->data_dir, self->settings->agencies,
                                       &file_ops_system, &self->data_dir, &report, err);
    if (status != STATUS_OK)
        return status;
    if (report.bets_cut > 0 || report.journal_cut > 0)
        LOG(WARNING, "recover_store", SUCCESS,
            LOG_TEXT("reason", "a torn tail was cut: nothing of it was ever acknowledged"),
            LOG_UINT("bets_bytes_cut", report.bets_cut),
            LOG_UINT("journal_bytes_cut", report.journal_cut));
    LOG(INFO, "recover_store", SUCCESS, LOG_UINT("bets", report.bets),
        LOG_UINT("finished", report.finished), LOG_TEXT("draw", report.has_draw ? "yes" : "no"));
    return STATUS_OK;
}

static enum status supervisor_open_sockets(struct supervisor *self, struct sockaddr_un *address,
                                           socklen_t *address_size, struct errbuf *err)
{
    enum status status = socket_listen(self->settings, &self->listen_fd, &self->port, err);
    if (status != STATUS_OK)
        return status;
    LOG(INFO, "listen", SUCCESS, LOG_UINT("port", self->port));
    if (self->data_dir == NULL)
        return STATUS_OK;
    return socket_listen_unix(&self->raffle_fd, address, address_size, err);
}

static uint32_t supervisor_worker_count(const struct server_settings *settings)
{
    return settings->workers > 0 ? settings->workers : cpu_count("");
}

/* Adds a child. All children get the same waits before restarts. */
static void supervisor_add_child(struct supervisor *self, struct child_config config)
{
    config.first_restart_ms = FIRST_RESTART_MS;
    config.max_restart_ms = MAX_RESTART_MS;
    child_init(&self->children.items[self->children.count++], &config);
}

static enum status supervisor_prepare_children(struct supervisor *self,
                                               const struct sockaddr_un *address,
                                               socklen_t address_size)
{
    bool has_coordinator = self->data_dir != NULL;

    self->workers = supervisor_worker_count(self->settings);
    self->worker_configs = calloc(self->workers, sizeof(*self->worker_configs));
    self->children.items = calloc(self->workers + 1, sizeof(*self->children.items));
    if (self->worker_configs == NULL || self->children.items == NULL)
        return STATUS_NOMEM;
    enum status status = scoreboard_create(self->workers, &self->scoreboard);
    if (status != STATUS_OK)
        return status;
    if (has_coordinator) {
        self->coordinator =
            (struct coordinator_config){self->settings, self->data_dir, self->raffle_fd};
        supervisor_add_child(self, (struct child_config){
                                       .role = "coordinator",
                                       .run = supervisor_run_coordinator,
                                       .context = &self->coordinator,
                                   });
    }
    for (uint32_t i = 0; i < self->workers; i++) {
        self->worker_configs[i] = (struct worker_config){.settings = self->settings,
                                                         .scoreboard = self->scoreboard,
                                                         .index = i,
                                                         .listen_fd = self->listen_fd,
                                                         .data_dir = self->data_dir,
                                                         .coordinator = *address,
                                                         .coordinator_size = address_size};
        supervisor_add_child(self, (struct child_config){
                                       .role = "worker",
                                       .index = i,
                                       .run = supervisor_run_worker,
                                       .on_death = supervisor_on_worker_death,
                                       .context = &self->worker_configs[i],
                                   });
    }
    return STATUS_OK;
}

static enum status supervisor_open_all(struct supervisor *self, struct errbuf *err)
{
    struct sockaddr_un address = {0};
    socklen_t address_size = 0;

    enum status status = supervisor_open_data_dir(self, err);
    if (status == STATUS_OK)
        status = supervisor_open_sockets(self, &address, &address_size, err);
    if (status == STATUS_OK) {
        status = supervisor_prepare_children(self, &address, address_size);
        if (status != STATUS_OK)
            errbuf_set(err, "%s", status_text(status));
    }
    return status;
}

static void supervisor_close_all(struct supervisor *self)
{
    if (self->raffle_fd >= 0)
        (void)close(self->raffle_fd);
    if (self->listen_fd >= 0) {
        (void)close(self->listen_fd);
        LOG(INFO, "close_listener", SUCCESS, LOG_UINT("port", self->port));
    }
    if (self->data_dir != NULL) {
        data_dir_close(self->data_dir);
        LOG(INFO, "close_file", SUCCESS, LOG_TEXT("file", "bets.csv"));
    }
    scoreboard_destroy(self->scoreboard);
    free(self->worker_configs);
    free(self->children.items);
}

/* Waits for one of our signals and returns its number, or 0 after `wait_ms` (-1: no limit). */
static int supervisor_wait_signal(const sigset_t *signals, int wait_ms)
{
    const struct timespec timeout = {wait_ms / 1000, (long)(wait_ms % 1000) * 1000000L};
    int number = wait_ms < 0 ? sigwaitinfo(signals, NULL) : sigtimedwait(signals, NULL, &timeout);

    return number > 0 ? number : 0;
}

/* Returns true when a signal asks for a stop, false when the store failed. */
static bool supervisor_keep_running(struct supervisor *self)
{
    for (;;) {
        int number = supervisor_wait_signal(&self->signals, children_start_due(&self->children));
        if (number == SIGTERM || number == SIGINT)
            return true;
        if (children_reap(&self->children, false))
            return false;
    }
}

/* Returns whether the store is still healthy. */
static bool supervisor_stop_children(struct supervisor *self)
{
    uint64_t deadline = clock_monotonic_ms() + STOP_MS;
    bool is_store_healthy = true;

    children_signal(&self->children, SIGTERM);
    /* A child that was stopped, by SIGSTOP for example, has to run again to end. */
    children_signal(&self->children, SIGCONT);
    while (children_running(&self->children) > 0) {
        uint64_t now = clock_monotonic_ms();
        if (now >= deadline)
            children_signal(&self->children, SIGKILL);
        (void)supervisor_wait_signal(&self->signals, now < deadline ? (int)(deadline - now) : 100);
        if (children_reap(&self->children, true))
            is_store_healthy = false;
    }
    return is_store_healthy;
}

static void supervisor_kill_children(struct supervisor *self)
{
    children_signal(&self->children, SIGKILL);
    while (children_running(&self->children) > 0) {
        (void)supervisor_wait_signal(&self->signals, 100);
        (void)children_reap(&self->children, true);
    }
}

static void supervisor_block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGCHLD);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    (void)sigprocmask(SIG_BLOCK, signals, NULL);
    /* When a peer is gone, write returns an error; the signal would end the process. */
    (void)signal(SIGPIPE, SIG_IGN);
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
    struct supervisor self = {.settings = settings, .listen_fd = -1, .raffle_fd = -1};
    struct errbuf err = {{0}};
    bool is_store_healthy = false;

    supervisor_block_signals(&self.signals);
    supervisor_raise_descriptor_limit();
    if (supervisor_open_all(&self, &err) != STATUS_OK) {
        LOG(CRITICAL, "start", FAIL, LOG_TEXT("reason", err.text));
        supervisor_close_all(&self);
        return 1;
    }
    if (supervisor_keep_running(&self))
        is_store_healthy = supervisor_stop_children(&self);
    else
        supervisor_kill_children(&self);
    if (!is_store_healthy)
        LOG(CRITICAL, "store", FAIL,
            LOG_TEXT("reason", "the store failed: start the server again"));
    supervisor_close_all(&self);
    if (is_store_healthy)
        LOG(INFO, "exit", SUCCESS);
    return is_store_healthy ? 0 : 1;
}
