#include "roles.h"

#include "cpu_count.h"
#include "log.h"
#include "privileges.h"
#include "scoreboard.h"
#include "tls_context.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FIRST_RESTART_MS 50
#define MAX_RESTART_MS 5000

/* In a child, first thing: of all that the supervisor has open it keeps these two, and the
 * directories, with which it holds the locks until it ends. -1: none. */
static void roles_keep_fds(const struct roles *roles, int first, int second)
{
    const struct data_dir *const dirs[] = {roles->config.base_dir, roles->config.data_dir};
    int fds[6] = {first, second};
    size_t count = 2;

    roles->config.on_fork(roles->config.context);
    for (size_t i = 0; i < 2; i++) {
        if (dirs[i] == NULL)
            continue;
        fds[count++] = dirs[i]->fd;
        fds[count++] = dirs[i]->old_lock_fd;
    }
    privileges_keep_fds(fds, count);
}

/* It looks, and shows to whoever asks: it has no directory and no key. */
static int roles_run_observer(void *context)
{
    const struct roles *roles = context;
    struct observer_config config = roles->observer_config;
    const int fds[] = {roles->config.http_fd, roles->stop_fd};

    roles->config.on_fork(roles->config.context);
    tls_context_destroy(roles->config.tls);
    enum status status = scoreboard_view(scoreboard_fd(roles->scoreboard), &config.scoreboard);
    if (status != STATUS_OK) {
        LOG(ERROR, "observer", FAIL, LOG_TEXT("reason", status_text(status)));
        return 1;
    }
    scoreboard_destroy(roles->scoreboard); /* what was inherited can be written to */
    privileges_keep_fds(fds, 2);
    return observer_run(&config);
}

static int roles_run_ledger(void *context)
{
    const struct roles *roles = context;
    const struct ledger_child *ledger = roles->config.ledger;

    roles_keep_fds(roles, ledger->listen_fd, ledger->far_fd);
    tls_context_destroy(roles->config.tls); /* wipes the key, which only workers use */
    return ledger_child_run(roles->config.ledger, roles->scoreboard->ledger);
}

static int roles_run_coordinator(void *context)
{
    const struct roles *roles = context;

    roles_keep_fds(roles, roles->config.coordinator->far_fd, -1);
    tls_context_destroy(roles->config.tls);
    return coordinator_run(&roles->coordinator_config);
}

static int roles_run_worker(void *context)
{
    const struct worker_slot *slot = context;

    roles_keep_fds(slot->roles, slot->roles->listen_fd, -1);
    return worker_run(&slot->config);
}

static bool roles_on_ledger_end(void *context, int status, bool is_stopping)
{
    const struct roles *roles = context;

    return ledger_child_end(roles->config.ledger, status, is_stopping);
}

/* The supervisor hears what it had said before the next one starts. */
static bool roles_on_coordinator_end(void *context, int status, bool is_stopping)
{
    const struct roles *roles = context;

    (void)status;
    (void)is_stopping;
    roles->config.coordinator->has_ended = true;
    return true;
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

static enum status roles_add_observer(struct roles *roles)
{
    const struct roles_config *config = &roles->config;

    roles->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (roles->stop_fd < 0)
        return STATUS_IO;
    roles->observer_config = (struct observer_config){.settings = config->settings,
                                                      .http_fd = config->http_fd,
                                                      .stop_fd = roles->stop_fd,
                                                      .started_s = config->started_s};
    if (config->ledger != NULL) {
        roles->observer_config.ledger = config->ledger->address;
        roles->observer_config.ledger_size = config->ledger->address_size;
    }
    roles_add(roles, &roles->observers,
              (struct child_config){
                  .role = "observer",
                  .run = roles_run_observer,
                  .context = roles,
              });
    return STATUS_OK;
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
    roles->coordinator_config =
        (struct coordinator_config){.data_dir = roles->config.data_dir,
                                    .base_dir = roles->config.base_dir,
                                    .seal_key = roles->config.settings->seal_key,
                                    .supervisor_fd = roles->config.coordinator->far_fd,
                                    .ledger = roles->config.ledger->address,
                                    .ledger_size = roles->config.ledger->address_size,
                                    .scanners = cpus};
    roles_add(roles, &roles->coordinators,
              (struct child_config){
                  .role = "coordinator",
                  .run = roles_run_coordinator,
                  .on_end = roles_on_coordinator_end,
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
                   .tls = roles->config.tls,
                   .scoreboard = roles->scoreboard,
                   .index = index,
                   .listen_fd = -1, /* not open yet */
                   .data_dir = roles->config.data_dir,
                   .base_dir = roles->config.base_dir},
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

enum status roles_init(struct roles *roles, const struct roles_config *config)
{
    const uint32_t cpus = cpu_count("");
    const uint32_t workers = config->settings->workers > 0 ? config->settings->workers : cpus;

    *roles = (struct roles){.config = *config, .listen_fd = -1, .stop_fd = -1};
    roles->slots = calloc(workers, sizeof(*roles->slots));
    roles->all.items = calloc((size_t)workers + 3, sizeof(*roles->all.items));
    if (roles->slots == NULL || roles->all.items == NULL)
        return STATUS_NOMEM;
    enum status status = scoreboard_create(workers, &roles->scoreboard);
    if (status == STATUS_OK && config->http_fd >= 0)
        status = roles_add_observer(roles);
    if (status != STATUS_OK)
        return status;
    if (config->ledger != NULL)
        roles_add_ledger(roles);
    roles->first = roles->all;
    if (config->ledger != NULL)
        roles_add_coordinator(roles, cpus);
    for (uint32_t i = 0; i < workers; i++)
        roles_add_worker(roles, i);
    return STATUS_OK;
}

void roles_fini(struct roles *roles)
{
    if (roles->stop_fd >= 0)
        (void)close(roles->stop_fd);
    scoreboard_destroy(roles->scoreboard);
    free(roles->slots);
    free(roles->all.items);
}

void roles_tell_stop(const struct roles *roles, bool is_stopping)
{
    eventfd_t ignored;

    if (roles->stop_fd < 0)
        return;
    if (is_stopping)
        (void)eventfd_write(roles->stop_fd, 1);
    else
        (void)eventfd_read(roles->stop_fd, &ignored);
}

void roles_listen(struct roles *roles, int listen_fd)
{
    roles->listen_fd = listen_fd;
    for (size_t i = 0; i < roles->workers.count; i++)
        roles->slots[i].config.listen_fd = listen_fd;
}
