/* winner_index.h - the winners of the draw, grouped by agency. */
#ifndef LOTTERY_WINNER_INDEX_H
#define LOTTERY_WINNER_INDEX_H

#include "errbuf.h"
#include "store.h"
#include "winners.h"

struct winner_index {
    struct winner *winners; /* owned; grouped by agency, each group in the order of the bets */
    uint64_t *starts;       /* owned; [0..agencies + 1]: where agency i's group begins */
    uint32_t agencies;
};

/* Reads the winners from `store` and groups them. The caller frees *out with winner_index_fini.
 * STATUS_DAMAGED when a winner's agency does not exist, STATUS_NOMEM, or the store's status; then
 * *err has the reason, and *out is unchanged. Blocks on the store. */
enum status winner_index_load(struct store *store, struct winner_index *out, struct errbuf *err);

/* Frees the index. May be called again. */
void winner_index_fini(struct winner_index *index);

/* Returns the winners of one agency (1..agencies) and sets *count. */
const struct winner *winner_index_of(const struct winner_index *index, uint32_t agency,
                                     uint64_t *count);

#endif
