/* memory_store.h - a store without files: what was handed in ends when the caller says so. */
#ifndef LOTTERY_MEMORY_STORE_H
#define LOTTERY_MEMORY_STORE_H

#include "store.h"

#define MEMORY_AGENCIES 2

struct memory_agency {
    uint64_t received;
    bool has_finished;
};

struct memory_store {
    struct store store;     /* first */
    struct store_op *first; /* handed in, in order */
    struct store_op **end;
    struct memory_agency agencies[MEMORY_AGENCIES + 1]; /* [1..] */
    char *lines; /* of all bets; those of operations on their way lie behind them */
    size_t size; /* bytes that are stored */
    size_t used; /* bytes in all */
    size_t capacity;
    uint32_t winner_number;
    bool has_draw;
    bool is_full; /* what would have to be written ends with NOSPACE */
};

void memory_store_init(struct memory_store *self, uint32_t winner_number);
void memory_store_fini(struct memory_store *self);

/* Decides the outcome of what was handed in first and is still there; NULL when nothing is. */
const struct store_op *memory_store_decide(struct memory_store *self);

/* Runs the callback of the operation that was decided. */
void memory_store_end(struct memory_store *self);

#endif
