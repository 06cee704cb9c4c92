/* store.h - where bets are kept: the interface that the service and the coordinator use.
 *
 * Asynchronous: each operation has a callback, which runs once, on the loop's thread, after the
 * outcome is durable. Operations of one store object end in the order they were submitted. The
 * embedded backend is store_csv.h; another one only has to provide a struct store_backend.
 */
#ifndef LOTTERY_STORE_H
#define LOTTERY_STORE_H

#include "bet.h"
#include "errbuf.h"
#include "status.h"
#include "winners.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_op;

typedef void (*store_done_cb)(struct store_op *op);

/* One operation in flight. Owned by the caller, who sets `done` and does not touch the struct until
 * `done` runs. */
struct store_op {
    store_done_cb done;

    /* The outcome, for done():
     * OK              stored (now or earlier) and on disk
     * GAP             append: offset is beyond what was received; nothing stored
     * CLOSED          append: the agency has finished or the draw took place; nothing stored
     * INCOMPLETE      finish: total differs from what was received
     * UNKNOWN_AGENCY  id outside 1..N
     * NOSPACE, IO, NOMEM
     *                 nothing stored; the caller may try again */
    enum status status;
    uint64_t received; /* bets of the agency that are stored now */
    uint32_t stored;   /* bets that this append added; fewer than given if some were known */

    /* Private to the backend. */
    struct store_op *next;
    uint64_t offset; /* append: bets before this batch; finish: the total */
    size_t bytes_at; /* where the formatted lines start in their group's buffer */
    uint32_t bytes;  /* size of the lines */
    size_t cost;     /* bytes that it adds to the backlog */
    uint32_t crc;    /* checksum of the lines */
    uint32_t agency;
    uint32_t count; /* bets in the batch */
    bool is_finish;
};

/* The outcome of the draw, as every process can read it. */
struct draw {
    uint32_t winner_number;
    struct winner_list winners; /* in the order of their bets, over all agencies */
};

/* Receives whole lines of bets.csv and may change them in place. A status other than OK stops the
 * scan and becomes its result. With STATUS_DAMAGED, *bad_at is the offset within `lines`. */
typedef enum status (*store_lines_cb)(void *context, char *lines, size_t size, size_t *bad_at);

struct store_backend {
    enum status (*append)(struct store *store, struct store_op *op, uint32_t agency,
                          uint64_t offset, const struct bet *bets, size_t count);
    void (*finish)(struct store *store, struct store_op *op, uint32_t agency, uint64_t total);
    size_t (*backlog)(const struct store *store);
    uint32_t (*agencies)(const struct store *store);
    uint32_t (*finished)(const struct store *store);
    bool (*has_draw)(const struct store *store);
    enum status (*scan)(struct store *store, unsigned part, unsigned parts, store_lines_cb on_lines,
                        void *context, struct errbuf *err);
    enum status (*save_draw)(struct store *store, const struct draw *draw, struct errbuf *err);
    enum status (*read_draw)(struct store *store, struct draw *out, struct errbuf *err);
};

/* The first member of every backend's object. */
struct store {
    const struct store_backend *backend;
};

/* Submits a batch: `count` valid bets that follow the agency's first `offset` ones. The bets are
 * borrowed during the call only. With no bets it asks how many were received. Returns STATUS_OK if
 * op->done will run, or STATUS_NOMEM if it will not. Does not block on the disk. */
static inline enum status store_append(struct store *store, struct store_op *op, uint32_t agency,
                                       uint64_t offset, const struct bet *bets, size_t count)
{
    return store->backend->append(store, op, agency, offset, bets, count);
}

/* Records that the agency has sent `total` bets and will send no more. Repeating it succeeds. */
static inline void store_finish(struct store *store, struct store_op *op, uint32_t agency,
                                uint64_t total)
{
    store->backend->finish(store, op, agency, total);
}

/* Bytes of the operations that have not ended. The caller keeps them limited: it stops reading
 * messages while they are many. */
static inline size_t store_backlog(const struct store *store)
{
    return store->backend->backlog(store);
}

/* N: agency ids are 1..N. */
static inline uint32_t store_agencies(const struct store *store)
{
    return store->backend->agencies(store);
}

/* How many agencies have finished; the last ones may not be on disk yet. */
static inline uint32_t store_finished(const struct store *store)
{
    return store->backend->finished(store);
}

/* Has the draw taken place, and is that on disk? */
static inline bool store_has_draw(const struct store *store)
{
    return store->backend->has_draw(store);
}

/* Reads part `part` (from 0) of `parts` of all bets, in order, in pieces of whole lines. Blocks on
 * the file. Safe from any thread, also from several at once. May miss bets that are submitted in
 * the meantime. */
static inline enum status store_scan(struct store *store, unsigned part, unsigned parts,
                                     store_lines_cb on_lines, void *context, struct errbuf *err)
{
    return store->backend->scan(store, part, parts, on_lines, context, err);
}

/* Makes the outcome of the draw durable, once: when there is one already, returns STATUS_CLOSED and
 * keeps the first. One process at a time. Blocks for syncs. Safe from any thread. */
static inline enum status store_save_draw(struct store *store, const struct draw *draw,
                                          struct errbuf *err)
{
    return store->backend->save_draw(store, draw, err);
}

/* Reads the outcome, which the caller frees with winner_list_fini(&out->winners). STATUS_NOTFOUND
 * before the draw. Blocks on the file. */
static inline enum status store_read_draw(struct store *store, struct draw *out, struct errbuf *err)
{
    return store->backend->read_draw(store, out, err);
}

#endif
