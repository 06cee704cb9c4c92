/* ledger_child.h - the supervisor's side of the ledger, over all of the ledger's lives.
 *
 * The ledger may die at any moment and is started again; what has to outlive it is here: the socket
 * where the others reach it, the socket over which it talks to the supervisor, whether the outcome
 * of the draw was logged, and how many recoveries in a row have ended in an error.
 */
#ifndef LOTTERY_LEDGER_CHILD_H
#define LOTTERY_LEDGER_CHILD_H

#include "data_dir.h"
#include "errbuf.h"
#include "ledger_process.h"
#include "scoreboard.h"
#include "server_settings.h"
#include "status.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

/* After so many recoveries in a row that ended in an error, the next would end like them. */
#define LEDGER_FAILURES_MAX 3

/* What ledger_child_init() needs; copied, and what it points to is borrowed. */
struct ledger_child_config {
    const struct server_settings *settings;
    const struct data_dir *data_dir; /* the draw's */
    struct draw_terms terms;         /* for a draw that begins */
    bool must_exist;                 /* the draw has begun: an empty folder is not its own */
};

struct ledger_child {
    struct ledger_child_config config;
    struct data_dir timed_dir;  /* in the ledger's process: config.data_dir, whose syncs count */
    int listen_fd;              /* where workers and coordinator connect */
    struct sockaddr_un address; /* of listen_fd */
    socklen_t address_size;     /* of address */
    int control_fd;        /* our end of the socket between ledger and supervisor; readable when the
                              ledger has told something */
    int far_fd;            /* the ledger's end; open here as well, for the next ledger */
    bool is_ready;         /* the one that runs has recovered, and decides */
    bool was_ready;        /* some ledger of this server has */
    bool is_continued;     /* this server has had other ledgers in this folder, see below */
    enum draw_phase phase; /* as the last one that recovered has told, or others have since */
    bool is_draw_told;     /* the `sorteo` line is written, or was another server's to write */
    uint32_t failures;     /* recoveries in a row that ended in an error */
    bool has_failed;       /* the server has to stop, because of `reason` */
    struct errbuf reason;  /* what the ledger has told about its end; "" = nothing */
};

/* Opens the sockets. STATUS_IO with a reason in *err; ledger_child_fini() is due all the same. */
enum status ledger_child_init(struct ledger_child *self, const struct ledger_child_config *config,
                              struct errbuf *err);
void ledger_child_fini(struct ledger_child *self);

/* Before the first ledger: goes on where `before`, whose ledgers have worked in the same folder and
 * have ended, has stopped. */
void ledger_child_continue(struct ledger_child *self, const struct ledger_child *before);

/* None of its ledgers runs: forgets their failures. */
void ledger_child_forgive(struct ledger_child *self);

/* In the forked process: runs the ledger, which counts on the scoreboard, and returns its exit
 * status. */
int ledger_child_run(struct ledger_child *self, struct scoreboard_ledger *scoreboard);

/* Hears what the ledger has told since the last call: logs the outcome of the draw, once, and
 * acknowledges. Does not block. */
void ledger_child_hear(struct ledger_child *self);

/* When the ledger has ended: hears its last words and judges its end by `status` of waitpid(2).
 * Returns whether to start it again, unless the server is stopping; if not, has_failed is set. Does
 * not block. */
bool ledger_child_end(struct ledger_child *self, int status, bool is_stopping);

#endif
