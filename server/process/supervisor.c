/* The supervisor.
 *
 * Happy path: lock the data directory; fork the ledger, and the observer if HTTP is asked for;
 * wait until the ledger has recovered; listen, and fork the coordinator and the workers; wait for
 * signals, and for what the ledger tells; on SIGTERM or SIGINT stop the workers, then the
 * coordinator, then the ledger, then the observer, and close what is left. In mode echo there are
 * only workers, and the observer. The next draw, and new settings: supervisor_movement.c.
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
#include "notifier.h"
#include "signals.h"
#include "supervisor_state.h"
#include "tls_context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

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

/* Where people and their programs ask how the server is. */
static enum status supervisor_open_http(struct supervisor *self, struct errbuf *err)
{
    const struct listen_address *address = &self->http_address;

    enum status status =
        socket_listen_http(self->config->settings, &self->http_fd, &self->http_address, err);
    if (status == STATUS_OK && self->http_fd >= 0)
        LOG(INFO, "http_listen", SUCCESS, LOG_UINT("port", address->port),
            LOG_TEXT("ip", address->ip));
    return status;
}

static enum status supervisor_open_generation(struct supervisor *self, struct errbuf *err)
{
    char id[DRAW_ID_MAX + 1] = "";
    enum status status;
    struct generation_config config = {
        .settings = self->config->settings,
        .id = id,
        .on_fork = supervisor_on_fork,
        .context = self,
        .started_s = self->started_s,
    };

    if (self->is_lottery) {
        status = supervisor_open_base(self, err);
        if (status == STATUS_OK)
            status = supervisor_find_draw(self, id, &config.must_exist, err);
        if (status != STATUS_OK)
            return status;
        config.base_dir = &self->base_dir;
        /* Others have their own, which is recorded. */
        if (strcmp(id, self->config->settings->draw_id) == 0)
            config.close_at_s = self->config->settings->close_at_s;
    }
    status = supervisor_open_http(self, err);
    if (status != STATUS_OK)
        return status;
    config.http_fd = self->http_fd;
    config.tls = self->tls;
    self->tls = NULL;
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

static void supervisor_close(struct supervisor *self)
{
    if (self->listen_fd >= 0) {
        (void)close(self->listen_fd);
        LOG(INFO, "close_listener", SUCCESS, LOG_UINT("port", self->address.port));
    }
    if (self->http_fd >= 0) {
        (void)close(self->http_fd);
        LOG(INFO, "close_listener", SUCCESS, LOG_UINT("port", self->http_address.port));
    }
    supervisor_drop_movement(self);
    generation_destroy(self->kept);
    generation_destroy(self->generation);
    tls_context_destroy(self->tls);
    if (self->is_base_open)
        data_dir_close(&self->base_dir);
    if (self->signal_fd >= 0)
        (void)close(self->signal_fd);
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
    supervisor_tell_ready(self);
}

static void supervisor_keep_running(struct supervisor *self)
{
    notifier_tell(self->config->notifier, NOTIFIER_STARTING, "reading what is stored");
    if (self->is_lottery)
        supervisor_start_ledger(self);
    if (!self->is_stopping)
        supervisor_serve(self);
    while (!self->is_stopping) {
        int wait_ms = children_start_due(&self->generation->roles.all);
        /* A signal may have come while the last movement was under way. */
        supervisor_turn(self, self->is_reload_due ? 0 : wait_ms);
        supervisor_move_due(self);
    }
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
        .tls = config->tls,
        .signal_fd = -1,
        .http_fd = -1,
        .started_s = (uint64_t)clock_wall_s(),
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
