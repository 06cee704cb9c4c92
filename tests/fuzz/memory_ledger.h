/* memory_ledger.h - a ledger without a process or files, which ends an operation when the caller
 * says so. It decides by the rules of draw.h, and stands in for the index of winner_files.h: that
 * has the winners of the ledger that was initialised last, or those of memory_ledger_load().
 */
#ifndef LOTTERY_MEMORY_LEDGER_H
#define LOTTERY_MEMORY_LEDGER_H

#include "ledger.h"
#include "past_draws.h"

#define MEMORY_AGENCIES 2

struct memory_ledger {
    struct ledger ledger; /* first */
    struct list ops;      /* submitted and not ended, in order */
    struct draw draw;
    struct ledger_news news;
    char *lines; /* of the stored bets, then of the bets of operations in `ops` */
    size_t size; /* bytes of lines of stored bets */
    size_t used; /* bytes of all lines */
    size_t capacity;
    bool is_full; /* an operation that would have to write ends with NOSPACE */
};

/* One that nobody runs. */
void memory_ledger_init(struct memory_ledger *self, uint32_t winner_number);

/* One with these terms; if that is DRAW_MANUAL, it is drawn by memory_ledger_give_number(). */
void memory_ledger_init_run(struct memory_ledger *self, const struct draw_terms *terms,
                            uint32_t winner_number);
void memory_ledger_fini(struct memory_ledger *self);

/* Decides the outcome of the oldest operation and returns it; NULL when there is none. */
const struct ledger_op *memory_ledger_decide(struct memory_ledger *self);

/* Ends the operation that memory_ledger_decide returned: calls its callback. With `is_lost` it is
 * told STOPPED instead of the outcome. */
void memory_ledger_end(struct memory_ledger *self, bool is_lost);

/* Closes and holds the draw if it is due and was not held. */
void memory_ledger_draw(struct memory_ledger *self);

/* What an operator does, if it is its turn: closes it, and gives the number. A draw that is to be
 * sealed is sealed in between, with this root. */
void memory_ledger_close_early(struct memory_ledger *self);
void memory_ledger_seal(struct memory_ledger *self, const uint8_t root[DRAW_ROOT_SIZE]);
void memory_ledger_give_number(struct memory_ledger *self, uint32_t number, const char *source);

/* What is loaded of the draw once it is over, as of past_draw_load_cb. The index is a copy. */
enum status memory_ledger_load(const struct memory_ledger *self, struct past_draw *out);

#endif
