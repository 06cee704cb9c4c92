/* roles.h - the processes of a server besides the supervisor: which there are, and what each runs.
 *
 * In mode lottery these are the ledger, the coordinator and the workers, in mode echo only workers;
 * and in both the observer, if it has a socket.
 * They are forked by the supervisor; each first closes what it has inherited and does not use.
 */
#ifndef LOTTERY_ROLES_H
#define LOTTERY_ROLES_H

#include "children.h"
#include "coordinator.h"
#include "coordinator_child.h"
#include "ledger_child.h"
#include "observer.h"
#include "worker.h"

/* What roles_init() needs; what it points to is borrowed. */
struct roles_config {
    const struct server_settings *settings;
    int http_fd;                     /* where the observer answers; -1: there is none */
    struct tls_context *tls;         /* for the workers; others wipe their copy; NULL: no TLS */
    const struct data_dir *data_dir; /* the draw's; NULL in mode echo, and so are the next three */
    const struct data_dir *base_dir; /* the data directory itself */
    struct ledger_child *ledger;
    struct coordinator_child *coordinator;
    /* In each process that is forked, first thing: gives up what belongs to other generations. */
    void (*on_fork)(void *context);
    void *context;      /* handed to on_fork */
    uint64_t started_s; /* when the server started, seconds since 1970 */
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
    struct coordinator_config coordinator_config;
    struct observer_config observer_config;
    int stop_fd;                  /* owned: eventfd(2), see roles_tell_stop(); -1: none */
    struct children all;          /* owns the items; the others are parts of it */
    struct children first;        /* those that do not need the ledger, and the ledger itself */
    struct children observers;    /* one, or none if it has no socket */
    struct children ledgers;      /* one, or none in mode echo */
    struct children coordinators; /* one, or none in mode echo */
    struct children workers;      /* as many as the settings say, or one per core */
};

/* Prepares the children; none is started. `roles` stays where it is until roles_fini(), which is
 * due also when this fails. STATUS_NOMEM, or what scoreboard_create() returns. */
enum status roles_init(struct roles *roles, const struct roles_config *config);

/* Frees everything; none of the children runs any more. One whose descriptors are
 * -1, and all else zero, is fine. */
void roles_fini(struct roles *roles);

/* Tells the observer that the server stops the others (true), or that they are started again. */
void roles_tell_stop(const struct roles *roles, bool is_stopping);

/* From now on there is a socket where agencies connect. To be called before a worker is started. */
void roles_listen(struct roles *roles, int listen_fd);

#endif
