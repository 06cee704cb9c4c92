/* past_draws.h - the draws that are over, for agencies that ask about them.
 *
 * They are loaded when somebody asks. A few that nobody uses are kept for the next one, as agencies
 * of one draw tend to come together; of those, the one that was used longest ago goes first.
 *
 * What an agency says about a draw that is over is decided by the rules of draw.h alone: nothing is
 * written, so it needs no ledger.
 */
#ifndef LOTTERY_PAST_DRAWS_H
#define LOTTERY_PAST_DRAWS_H

#include "draw.h"
#include "draw_files.h"
#include "errbuf.h"
#include "ledger.h"
#include "list.h"
#include "status.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAST_DRAWS_KEPT 4 /* that nobody uses */
#define PAST_DRAWS_MAX 16 /* in all: each has a file open */

/* A draw that is over. */
struct past_draw {
    char id[DRAW_ID_MAX + 1]; /* a string; empty: it has none */
    struct draw draw;         /* in DRAW_DRAWN */
    struct draw_files files;  /* its winners, and its seal if it is sealed: all open */

    /* Private to past_draws. */
    struct list_node node; /* in `used` or `unused` */
    size_t users;          /* sessions */
    bool is_damaged;       /* found while its files were sent: not to be used again */
};

/* Reads the draw `id` ("" for the one without id) into `draw` and `files` of *out, which are
 * initialised and which the caller frees in any case. NOTFOUND: there is none, or it is not over;
 * DAMAGED: *err says what; NOMEM, IO: it may be there. Blocks on its files. */
typedef enum status (*past_draw_load_cb)(void *owner, const char *id, struct past_draw *out,
                                         struct errbuf *err);

struct past_draws {
    past_draw_load_cb load; /* NULL: there are none */
    void *owner;            /* handed to it; borrowed */
    struct list used;       /* past_draw.node, in no order */
    struct list unused;     /* the same; the one that was used last comes first */
    size_t count;           /* of both */
    size_t unused_count;
};

void past_draws_init(struct past_draws *all, past_draw_load_cb load, void *owner);

/* Closes those that are kept; nobody uses any. */
void past_draws_fini(struct past_draws *all);

/* Gets the draw `id`, whatever bytes that has, into *out, for use until past_draws_give_back().
 * NOTFOUND: there is none that is over (also if its folder is damaged, which is logged); NOMEM, IO:
 * not now. Blocks on the files of one that is not kept. */
enum status past_draws_take(struct past_draws *all, struct text id, struct past_draw **out);
void past_draws_give_back(struct past_draws *all, struct past_draw *past);

/* Its files turned out to be damaged: it is not handed out again, but read again. */
void past_draw_set_damaged(struct past_draw *past);

/* Decide what has been asked about a draw that is over, as the ledger would: set the outcome of
 * *op, where `claimed` is set. */
void past_draw_append(struct past_draw *past, struct ledger_op *op, uint32_t agency,
                      uint64_t offset, const struct bet *bets, size_t count);
void past_draw_ask(const struct past_draw *past, struct ledger_op *op, uint32_t agency,
                   uint64_t offset);
void past_draw_finish(struct past_draw *past, struct ledger_op *op, uint32_t agency,
                      uint64_t total);

#endif
