/* supervisor_state.h - what the supervisor's files share. Not for others. */
#ifndef LOTTERY_SUPERVISOR_STATE_H
#define LOTTERY_SUPERVISOR_STATE_H

#include "data_dir.h"
#include "generation.h"
#include "sockets.h"
#include "supervisor.h"
#include "supervisor_link.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* What the children of the generation that runs are at. */
enum supervisor_step {
    SUPERVISOR_RUNS,  /* they are kept running */
    SUPERVISOR_HALTS, /* they are stopped, for a movement or for good */
    SUPERVISOR_STARTS /* a movement waits for the ledger */
};

/* The movement that is prepared; see supervisor_link.h. */
struct supervisor_movement {
    struct generation *generation; /* owned; NULL: there is none */
    struct movement what;
    uint32_t number; /* of the coordinator's PREPARE; 0: a signal has asked for it */
    bool is_committed;
};

struct supervisor {
    const struct supervisor_config *config;
    bool is_lottery;  /* mode lottery; in mode echo there is no ledger, coordinator or folder */
    bool is_serving;  /* listens; coordinator and workers are started */
    bool is_stopping; /* asked for by a signal, or because of a failure */
    bool has_failed;  /* that was logged; the exit status is 1 */
    struct tls_context *tls; /* owned until the first generation takes it over; then NULL */
    uint64_t stop_ms;        /* monotonic: when the children were told to stop */
    bool is_base_open;
    struct data_dir base_dir;      /* the data directory itself, locked, if is_base_open */
    char base_path[PATH_MAX];      /* of base_dir, resolved */
    struct generation *generation; /* owned: the one that runs; NULL: none was made yet */
    struct generation *kept;       /* owned: the one before, while a movement may still go back */
    enum supervisor_step step;
    struct supervisor_movement movement;
    bool is_reload_due; /* SIGHUP has asked for it */
    uint32_t reload_uid;
    int signal_fd;                      /* where our signals arrive */
    uint64_t started_s;                 /* when the server started, seconds since 1970 */
    int http_fd;                        /* where the observer answers; -1: it is off */
    struct listen_address http_address; /* of http_fd */
    int listen_fd;                      /* where agencies connect; -1 = not yet */
    struct listen_address address;      /* of listen_fd */
};

/* In supervisor_children.c. */

/* The server stops, or does not start, because of an error. */
void supervisor_fail(struct supervisor *self, const char *reason);

/* Waits for something to happen, up to wait_ms (-1: no limit), and deals with it. */
void supervisor_turn(struct supervisor *self, int wait_ms);

/* Stops the children in the order in which they need each other, and waits until none runs. */
void supervisor_halt(struct supervisor *self);

/* Tells the service manager that agencies can connect, and what for. */
void supervisor_tell_ready(const struct supervisor *self);

/* Starts the ledger, and again if it dies, until one has recovered, cannot, or a stop is asked for.
 */
void supervisor_start_ledger(struct supervisor *self);

/* In every process that is forked: leaves the generations that are not its own. */
void supervisor_on_fork(void *context);

/* In supervisor_movement.c. */

/* Hears what the coordinator asks for, and answers; undoes what it had prepared if it has ended.
 * Then does what is due: a movement that was committed, a reload that a signal asks for. To be
 * called after each turn, while the children are kept running. */
void supervisor_move_due(struct supervisor *self);

/* Undoes what is prepared, at the end. */
void supervisor_drop_movement(struct supervisor *self);

#endif
