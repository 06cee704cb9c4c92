/* ledger_process.h - the ledger: the one process that decides, writes and syncs. */
#ifndef LOTTERY_LEDGER_PROCESS_H
#define LOTTERY_LEDGER_PROCESS_H

#include "draw.h"
#include "errbuf.h"
#include "scoreboard.h"
#include "store.h"

/* Exit statuses that tell the supervisor what to do. */
#define LEDGER_EXIT_UNCERTAIN 74 /* a sync failed: start it again, and let it recover */
#define LEDGER_EXIT_NO_START 75  /* the recovery ended in an error */
#define LEDGER_EXIT_GONE 76      /* the data directory is gone: stop the server */

/* What ledger_run() needs; all of it is borrowed. */
struct ledger_config {
    int listen_fd;     /* where workers and coordinator connect: a Unix socket, non-blocking */
    int control_fd;    /* to the supervisor: SOCK_SEQPACKET, non-blocking; carries ledger_tells */
    uint32_t agencies; /* as the settings say */
    uint32_t winner_number;               /* as the settings say; counts in DRAW_AUTO */
    struct draw_terms terms;              /* as the settings say */
    struct scoreboard_ledger *scoreboard; /* where it counts what is stored */
    /* Opens the store and recovers `draw`, an initialised state that stays valid until
     * store_close(). `must_stop` is asked now and then: when it returns true, gives up with
     * STATUS_STOPPED. STATUS_GONE: the data directory is. */
    enum status (*open_store)(void *context, struct draw *draw, bool (*must_stop)(void),
                              struct store **out, struct errbuf *err);
    void *context; /* handed to open_store */
};

/* What the ledger tells the supervisor, one message each; the supervisor answers each
 * LEDGER_TELLS_DRAWN by sending it back, and only then does the ledger tell the workers. */
enum ledger_tells_kind {
    LEDGER_TELLS_READY = 1, /* recovered; listens. First message of each ledger */
    LEDGER_TELLS_DRAWN = 2, /* the draw was held, and that is durable */
    LEDGER_TELLS_REASON = 3 /* why it ends: `text`; an exit status of the above follows */
};

struct ledger_tells {
    enum ledger_tells_kind kind;
    enum draw_phase phase; /* READY */
    uint64_t winners;      /* READY in DRAW_DRAWN, DRAWN: how many */
    struct errbuf text;    /* REASON */
};

/* Runs the ledger in this (freshly forked, single-threaded) process until SIGTERM or SIGINT.
 * Returns the process's exit status: 0 after a clean stop, or one of those above. */
int ledger_run(const struct ledger_config *config);

#endif
