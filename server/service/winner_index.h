/* winner_index.h - the winners of the draw, by agency. */
#ifndef LOTTERY_WINNER_INDEX_H
#define LOTTERY_WINNER_INDEX_H

#include "errbuf.h"
#include "store.h"
#include "winners.h"

struct winner_index {
    struct winner *winners; /* grouped by agency, each group in the order of the bets */
    uint64_t *starts;       /* [0..agencies + 1]: where agency i's group begins */
    uint32_t agencies;
};

/* Reads the draw of `store` and groups it. The caller frees it with winner_index_fini. Blocks. */
enum status winner_index_load(struct store *store, struct winner_index *out, struct errbuf *err);
void winner_index_fini(struct winner_index *index);

/* The winners of one agency (1..agencies), *count of them. */
const struct winner *winner_index_of(const struct winner_index *index, uint32_t agency,
                                     uint64_t *count);

#endif
