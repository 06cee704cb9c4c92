/* store.h - where bets live: the interface that the service and the raffle are written against.
 *
 * Asynchronous: an operation is handed in with a callback that comes once, on the loop's thread,
 * after its outcome is durable. Operations of one store object end in the order they were handed
 * in. The embedded backend is store_csv.h; others only have to fill a struct store_backend.
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

/* One operation in flight. Owned by the caller, who fills in `done` and `context` and leaves the
 * struct alone until `done` runs. */
struct store_op {
    store_done_cb done;
    void *context; /* the caller's */

    /* The outcome, for done():
     * OK              stored (or already there) and on disk
     * GAP             append: offset is beyond what was received; nothing stored
     * CLOSED          append: the agency finished or the raffle was held; nothing stored
     * INCOMPLETE      finish: total differs from what was received
     * UNKNOWN_AGENCY  id outside 1..N
     * NOSPACE, IO, NOMEM
     *                 nothing stored, may be tried again */
    enum status status;
    uint64_t received; /* bets of the agency that are stored now */
    uint32_t stored;   /* bets that this append added: fewer than given when some were known */
    char *lines; /* those bets as lines of bets.csv; valid, and free to change, during done() */
    size_t lines_size; /* bytes */

    /* The backend's own. */
    struct store_op *next;
    uint64_t offset; /* append: bets before this batch; finish: the total */
    size_t bytes_at; /* where the formatted lines start in their group's buffer */
    uint32_t bytes;  /* their size */
    size_t cost;     /* what it counts for in the backlog, bytes */
    uint32_t crc;    /* their checksum */
    uint32_t agency;
    uint32_t count; /* bets in the batch */
    bool is_finish;
};

/* The outcome of the raffle as every process can read it. */
struct draw {
    uint32_t winner_number;
    struct winner_list winners; /* in the order of their bets, over all agencies */
};

/* Takes whole lines of bets.csv; may change them in place. Any status but OK stops the scan and is
 * its result. On STATUS_DAMAGED, *bad_at is the offset within `lines`. */
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

/* Every backend's object begins with this. */
struct store {
    const struct store_backend *backend;
};

/* Hands in a batch: `count` valid bets that come after the agency's first `offset` ones. The bets
 * are borrowed during the call only. Without bets it asks how many were received. Returns
 * STATUS_OK, and op->done will come; or STATUS_NOMEM, and it will not. */
static inline enum status store_append(struct store *store, struct store_op *op, uint32_t agency,
                                       uint64_t offset, const struct bet *bets, size_t count)
{
    return store->backend->append(store, op, agency, offset, bets, count);
}

/* Hands in that the agency has sent `total` bets and will send no more. A repetition succeeds. */
static inline void store_finish(struct store *store, struct store_op *op, uint32_t agency,
                                uint64_t total)
{
    store->backend->finish(store, op, agency, total);
}

/* Bytes handed in whose operations have not ended: what a caller bounds by not reading on. */
static inline size_t store_backlog(const struct store *store)
{
    return store->backend->backlog(store);
}

/* N: agency ids are 1..N. */
static inline uint32_t store_agencies(const struct store *store)
{
    return store->backend->agencies(store);
}

/* How many agencies have finished, durably or about to be. */
static inline uint32_t store_finished(const struct store *store)
{
    return store->backend->finished(store);
}

/* Was the raffle held, durably? */
static inline bool store_has_draw(const struct store *store)
{
    return store->backend->has_draw(store);
}

/* Reads part `part` of `parts` of all bets, in order, in pieces of whole lines. Blocks; from any
 * thread, several at once. Bets handed in meanwhile may be missed. */
static inline enum status store_scan(struct store *store, unsigned part, unsigned parts,
                                     store_lines_cb on_lines, void *context, struct errbuf *err)
{
    return store->backend->scan(store, part, parts, on_lines, context, err);
}

/* Makes the raffle's outcome durable, once and for all: STATUS_CLOSED when it is already, and the
 * first one stays. One process at a time. Blocks; from any thread. */
static inline enum status store_save_draw(struct store *store, const struct draw *draw,
                                          struct errbuf *err)
{
    return store->backend->save_draw(store, draw, err);
}

/* Reads the outcome; the caller frees it with winner_list_fini(&out->winners). STATUS_NOTFOUND
 * before the raffle. Blocks on the file. */
static inline enum status store_read_draw(struct store *store, struct draw *out, struct errbuf *err)
{
    return store->backend->read_draw(store, out, err);
}

#endif
