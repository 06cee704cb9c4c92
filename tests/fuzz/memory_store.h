/* memory_store.h - a store without files, which ends an operation when the caller says so. */
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
    struct store_op *first; /* submitted and not ended, in order */
    struct store_op **end;
    struct memory_agency agencies[MEMORY_AGENCIES + 1]; /* [1..] */
    char *lines; /* of the stored bets, then of the bets of operations in `first` */
    size_t size; /* bytes of lines of stored bets */
    size_t used; /* bytes of all lines */
    size_t capacity;
    uint32_t winner_number;
    bool has_draw;
    bool is_full; /* an operation that would have to write ends with NOSPACE */
};

void memory_store_init(struct memory_store *self, uint32_t winner_number);
void memory_store_fini(struct memory_store *self);

/* Decides the outcome of the oldest operation and returns it; NULL when there is none. */
const struct store_op *memory_store_decide(struct memory_store *self);

/* Ends the operation that memory_store_decide returned: calls its callback. */
void memory_store_end(struct memory_store *self);

#endif
