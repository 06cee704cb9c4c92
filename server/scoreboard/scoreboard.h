/* scoreboard.h - what the processes of one generation count, each in its own place, where all of
 * them can read it: how many connections each worker has, what it has done since, and what the
 * ledger has made durable.
 *
 * It is shared memory that is inherited through fork(). Every place has one writer: each worker
 * writes its own row only, the ledger its own, and the supervisor what earlier generations had
 * counted. So there are no locks: a writer loads, adds and stores, and a reader may see a number a
 * moment before or after another one that belongs to it. (Connections are added atomically all the
 * same: that is rare.) Counts never go backwards, also when a process dies and the next one goes on
 * in its place.
 *
 * Workers read each other's connections to see whose turn it is to accept. Whoever only looks, as
 * the observer does, maps it from the descriptor, by which nobody can write.
 */
#ifndef LOTTERY_SCOREBOARD_H
#define LOTTERY_SCOREBOARD_H

#include "status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses, each a number (peer_ip_key), are counted in this many buckets; those in the same
 * bucket share the limit. */
#define SCOREBOARD_BUCKETS 4096

#define SCOREBOARD_AGENCIES_MAX 10000 /* agencies with larger ids are not counted one by one */
#define SCOREBOARD_CODES 16           /* codes of answers: 0 up to this */
#define SCOREBOARD_SYNC_BOUNDS 14     /* of the histogram; see scoreboard_sync_bounds_ns */

/* What a worker counts. */
enum scoreboard_count {
    SCOREBOARD_ACCEPTED,          /* connections */
    SCOREBOARD_REFUSED_SERVER,    /* connections: the server has as many as it may have */
    SCOREBOARD_REFUSED_ADDRESS,   /* connections: their address has */
    SCOREBOARD_REFUSED_RESOURCES, /* connections: no descriptor, or no memory, for them */
    SCOREBOARD_HANDSHAKES_FAILED, /* of TLS: one side refused the other, or it took too long */
    SCOREBOARD_NEW_BETS,          /* messages, with bets */
    SCOREBOARD_QUESTIONS,         /* messages: NewBets without bets */
    SCOREBOARD_FINISHED,          /* messages */
    SCOREBOARD_MALFORMED,         /* what was no message */
    SCOREBOARD_ANSWERS,           /* with code 0; those with code c are at SCOREBOARD_ANSWERS + c */
    SCOREBOARD_BETS = SCOREBOARD_ANSWERS + SCOREBOARD_CODES, /* that answers said were stored */
    SCOREBOARD_WINNERS,                                      /* messages, to agencies */
    SCOREBOARD_SEALS,                                        /* messages, to agencies */
    SCOREBOARD_RECEIVED_BYTES,                               /* from agencies, without TLS's own */
    SCOREBOARD_SENT_BYTES,                                   /* to agencies, without TLS's own */
    SCOREBOARD_COUNTS                                        /* how many there are */
};

/* A worker's row: written by it alone. */
struct scoreboard_row {
    _Alignas(64) _Atomic uint32_t is_alive; /* bool: takes part in sharing the connections */
    _Atomic uint32_t connections;           /* that the worker holds */
    _Atomic uint32_t claims[SCOREBOARD_AGENCIES_MAX + 1]; /* connections by agency; [0] is unused */
    _Alignas(64) _Atomic uint64_t count[SCOREBOARD_COUNTS];
    _Alignas(64) _Atomic uint32_t from_bucket[SCOREBOARD_BUCKETS];
};

/* The ledger's: written by it alone. */
struct scoreboard_ledger {
    _Alignas(64) _Atomic uint64_t draw_bets; /* stored bets of the draw */
    _Atomic uint64_t first_bets; /* what draw_bets was when this server first knew the draw */
    _Atomic uint32_t is_known;   /* bool: both are set */
    _Atomic uint32_t status;     /* enum status of the last commit group */
    _Atomic uint64_t groups;     /* that were committed, or failed */
    _Atomic uint64_t sync_ns;    /* the time of all syncs together */
    _Atomic uint64_t syncs[SCOREBOARD_SYNC_BOUNDS + 1]; /* by bound, not cumulative; the last one:
                                                           those above all bounds */
    _Atomic uint64_t bets[SCOREBOARD_AGENCIES_MAX + 1]; /* stored, by agency; [0] is unused */
    _Atomic uint8_t has_finished[SCOREBOARD_AGENCIES_MAX + 1]; /* bool */
};

struct scoreboard_shared;

/* A process's own handle. */
struct scoreboard {
    uint32_t workers;
    int fd;                           /* owned; -1: none, as in what scoreboard_view() gives */
    struct scoreboard_shared *shared; /* owned: the mapping; the next two are parts of it */
    struct scoreboard_ledger *ledger;
    struct scoreboard_row *row; /* [0..workers-1] */
};

/* Maps an empty scoreboard. STATUS_NOMEM, or STATUS_IO, when there is no memory for it, or no
 * descriptor. */
enum status scoreboard_create(uint32_t workers, struct scoreboard **out);

/* Unmaps it from this process, and closes its descriptor. NULL is fine. */
void scoreboard_destroy(struct scoreboard *scoreboard);

/* Before any child of `to` starts, or starts again, and when none of `from` runs any more: counts
 * in `to` go on where those in `from` have ended. In the same draw, what the ledger has said about
 * it also holds until the next ledger says it. */
void scoreboard_take_over(struct scoreboard *to, const struct scoreboard *from, bool is_same_draw);

/* ------------------------------------------------------------------ for those who only look */

/* The descriptor from which scoreboard_view() maps it: for reading only. It stays the scoreboard's.
 */
int scoreboard_fd(const struct scoreboard *scoreboard);

/* Maps the scoreboard of this descriptor for reading; not even mprotect(2) makes it writable. The
 * descriptor is not needed any more then. NOMEM, IO, or DAMAGED: it is not one. */
enum status scoreboard_view(int fd, const struct scoreboard **out);

/* NULL is fine. */
void scoreboard_unview(const struct scoreboard *view);

/* An agency, as it is now. */
struct scoreboard_agency {
    uint64_t bets;        /* stored */
    bool has_finished;    /* for the ledger */
    uint32_t connections; /* that have sent its bets, or that it has finished */
};

/* Agency `id`; all zero when there is none, or it is larger than SCOREBOARD_AGENCIES_MAX. */
struct scoreboard_agency scoreboard_agency(const struct scoreboard *scoreboard, uint32_t id);

/* Bets of the current draw that are stored, durably. */
uint64_t scoreboard_draw_bets(const struct scoreboard *scoreboard);

/* Bets that were stored since the server started. */
uint64_t scoreboard_bets_stored(const struct scoreboard *scoreboard);

/* What became of the last commit group: OK before the first one, and after a recovery. */
enum status scoreboard_store_status(const struct scoreboard *scoreboard);

/* Commit groups since the server started. */
uint64_t scoreboard_groups(const struct scoreboard *scoreboard);

/* The upper bounds of the histogram of syncs, each included, in nanoseconds, ascending. */
extern const uint64_t scoreboard_sync_bounds_ns[SCOREBOARD_SYNC_BOUNDS];

/* The syncs since the server started. */
struct scoreboard_syncs {
    uint64_t count;
    uint64_t total_ns;                      /* their time, together */
    uint64_t up_to[SCOREBOARD_SYNC_BOUNDS]; /* how many took no longer than the bound */
};

struct scoreboard_syncs scoreboard_syncs(const struct scoreboard *scoreboard);

/* What all workers have counted since the server started. */
uint64_t scoreboard_total(const struct scoreboard *scoreboard, enum scoreboard_count count);

/* A worker, 0..workers-1, as it is now. */
struct scoreboard_worker {
    bool is_alive;        /* it accepts connections */
    uint32_t connections; /* that it has */
};

struct scoreboard_worker scoreboard_worker(const struct scoreboard *scoreboard, uint32_t worker);

/* How many workers are alive. */
uint32_t scoreboard_workers_alive(const struct scoreboard *scoreboard);

/* ------------------------------------------------------------------ for workers */

/* Empties a worker's row, except what it has counted: before it starts, and when it has died. */
void scoreboard_clear(struct scoreboard *scoreboard, uint32_t worker);

/* Count a new connection of `worker`, or one that is gone. */
void scoreboard_add(struct scoreboard *scoreboard, uint32_t worker, uint64_t address);
void scoreboard_remove(struct scoreboard *scoreboard, uint32_t worker, uint64_t address);

/* Connections of all workers; and those from the address. */
uint32_t scoreboard_connections(const struct scoreboard *scoreboard);
uint32_t scoreboard_connections_from(const struct scoreboard *scoreboard, uint64_t address);

/* The fewest connections that any living worker but `worker` has; UINT32_MAX when it is alone. */
uint32_t scoreboard_fewest_of_others(const struct scoreboard *scoreboard, uint32_t worker);

/* Adds to a number that has no other writer: no locked instruction. */
static inline void scoreboard_increase(_Atomic uint64_t *number, uint64_t by)
{
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

/* The worker of this row counts. NULL, as in a test or a tool that has no scoreboard: it does not.
 */
static inline void scoreboard_count(struct scoreboard_row *row, enum scoreboard_count count,
                                    uint64_t by)
{
    if (row != NULL)
        scoreboard_increase(&row->count[count], by);
}

/* A connection of the worker of this row speaks for the agency from now on, or does not any more.
 * NULL, and an id that is not counted, is fine. */
void scoreboard_claim(struct scoreboard_row *row, uint32_t agency);
void scoreboard_unclaim(struct scoreboard_row *row, uint32_t agency);

/* ------------------------------------------------------------------ for the ledger */
/* In all of these NULL is fine, as in a test or a tool that has no scoreboard. */

/* What is stored of agency `id` now: to be said of every one before scoreboard_recovered(), and of
 * those that a commit group has changed. */
void scoreboard_set_agency(struct scoreboard_ledger *ledger, uint32_t id, uint64_t bets,
                           bool has_finished);

/* A ledger has recovered a draw that has this many bets. Those that were durable when the one
 * before it died, but not counted, count as stored now. */
void scoreboard_recovered(struct scoreboard_ledger *ledger, uint64_t draw_bets);

/* A commit group has ended so. If it was stored, the draw has this many bets now. */
void scoreboard_committed(struct scoreboard_ledger *ledger, enum status status, uint64_t draw_bets);

/* A sync took this long. */
void scoreboard_synced(struct scoreboard_ledger *ledger, uint64_t ns);

#endif
