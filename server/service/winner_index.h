/* results.h - the winners of the raffle, by agency. */
#ifndef LOTTERY_RESULTS_H
#define LOTTERY_RESULTS_H

#include "errbuf.h"
#include "raffle.h"
#include "store.h"

struct results {
    struct winner *winners; /* grouped by agency, each group in the order of the bets */
    uint64_t *starts;       /* [0..agencies + 1]: where agency i's group begins */
    uint32_t agencies;
};

/* Reads the draw of `store` and groups it. The caller frees it with results_fini. Blocks. */
enum status results_load(struct store *store, struct results *out, struct errbuf *err);
void results_fini(struct results *results);

/* The winners of one agency (1..agencies), *count of them. */
const struct winner *results_of(const struct results *results, uint32_t agency, uint64_t *count);

#endif
