/* ledger.h - operations on the ledger, as the service and the coordinator use them.
 *
 * Asynchronous: each operation has a callback, which runs once, on the loop's thread, after its
 * outcome is durable. Operations of one object end in the order in which they were submitted. While
 * the ledger is away, operations wait. ledger_client.h is the implementation; tests have others.
 */
#ifndef LOTTERY_LEDGER_H
#define LOTTERY_LEDGER_H

#include "bet.h"
#include "draw.h"
#include "list.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger;
struct ledger_op;

typedef void (*ledger_done_cb)(struct ledger_op *op);

/* One operation in flight. Owned by the caller, who sets `done` and does not touch the struct until
 * `done` runs; done() may free it. */
struct ledger_op {
    ledger_done_cb done;
    /* What the agency says of its bets, if anything: append, ask: of those before `offset`; finish:
     * of all `total`. */
    struct bets_checksum claimed;

    /* The outcome, for done(): the statuses of struct draw_outcome, or
     * NOSPACE, IO, NOMEM  nothing was stored; the caller may try again */
    enum status status;
    uint64_t received; /* append, ask, finish: bets of the agency that count now */
    uint32_t checksum; /* append, ask, finish: of these; see bets_checksum.h */
    uint32_t stored;   /* append: bets that it added; fewer than given if some were known */
    bool has_finished; /* append, ask, finish: the agency has */
    uint64_t total;    /* finish: as it was submitted */

    /* Private to the implementation. */
    struct list_node node;
    size_t cost;     /* bytes that it adds to the backlog */
    void *bytes;     /* encoded bets that wait for room, or NULL; owned */
    uint64_t at;     /* where the encoded bets lie in the region */
    uint64_t offset; /* append, ask: as it was submitted */
    uint32_t size;   /* bytes of the encoded bets */
    uint32_t agency;
    uint32_t count; /* bets in the batch */
    uint32_t files; /* which ones, where it is about files; closing: 1: it is handed in again */
    uint32_t kind;
};

/* What the ledger has told everybody. */
struct ledger_news {
    enum draw_phase phase;
    uint32_t agencies;      /* N; 0 as long as nothing was told */
    uint32_t finished;      /* agencies that have finished */
    uint32_t winner_number; /* of the draw, if it was known when it was opened */
    uint64_t bets;          /* that count, from DRAW_CLOSED on */
    bool has_winners;       /* the draw was held, and the files of the winners can be read; false
                               again while files that were lost are made again */
    bool has_seal;          /* is_sealed, and the same for the seal's files */
    bool needs_result;      /* the files of the winners are right, and only result.txt is missing */
    struct draw_drawn drawn; /* in DRAW_DRAWN; its source is the one below */
    /* All zero in a draw that nobody runs. */
    struct draw_terms terms;
    struct draw_closed closed; /* from DRAW_CLOSED on, without extent and salt */
    bool is_sealed;
    struct draw_sealed sealed; /* if is_sealed */
    char source[DRAW_TEXT_MAX];
};

struct ledger_backend {
    enum status (*append)(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                          uint64_t offset, const struct bet *bets, size_t count);
    void (*ask)(struct ledger *ledger, struct ledger_op *op, uint32_t agency, uint64_t offset);
    void (*finish)(struct ledger *ledger, struct ledger_op *op, uint32_t agency, uint64_t total);
    size_t (*backlog)(const struct ledger *ledger);
    const struct ledger_news *(*news)(const struct ledger *ledger);
};

/* The first member of every implementation's object. */
struct ledger {
    const struct ledger_backend *backend;
};

/* Submits a batch: `count` (at least one) valid bets that follow the agency's first `offset` ones.
 * The bets are borrowed during the call only. Returns STATUS_OK if op->done will run, or
 * STATUS_NOMEM if it will not. Does not block. */
static inline enum status ledger_append(struct ledger *ledger, struct ledger_op *op,
                                        uint32_t agency, uint64_t offset, const struct bet *bets,
                                        size_t count)
{
    return ledger->backend->append(ledger, op, agency, offset, bets, count);
}

/* Asks how many bets of the agency count. Of an unknown agency none do: that is OK as well. What
 * the agency says is compared if it is of as many bets, `offset`, as count. */
static inline void ledger_ask(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                              uint64_t offset)
{
    ledger->backend->ask(ledger, op, agency, offset);
}

/* Records that the agency has sent `total` bets and will send no more. Repeating it succeeds. */
static inline void ledger_finish(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                                 uint64_t total)
{
    ledger->backend->finish(ledger, op, agency, total);
}

/* Bytes of the operations that have not ended. The caller keeps them limited: it stops reading
 * messages while they are many. */
static inline size_t ledger_backlog(const struct ledger *ledger)
{
    return ledger->backend->backlog(ledger);
}

/* The news, valid until the next turn of the loop. */
static inline const struct ledger_news *ledger_news(const struct ledger *ledger)
{
    return ledger->backend->news(ledger);
}

#endif
