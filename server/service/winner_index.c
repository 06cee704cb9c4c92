#include "winner_index.h"

#include <stdlib.h>

/* A counting sort by agency: it keeps the order of the bets within each. */
static void group(struct results *results, const struct winner_list *list)
{
    uint64_t *starts = results->starts;

    for (size_t i = 0; i < list->count; i++)
        starts[list->items[i].agency + 1]++;
    for (uint32_t agency = 1; agency <= results->agencies + 1; agency++)
        starts[agency] += starts[agency - 1];
    for (size_t i = 0; i < list->count; i++)
        results->winners[starts[list->items[i].agency]++] = list->items[i];
    /* Each start has moved to its group's end, which is where the next group begins. */
    for (uint32_t agency = results->agencies + 1; agency > 0; agency--)
        starts[agency] = starts[agency - 1];
    starts[0] = 0;
}

enum status results_load(struct store *store, struct results *out, struct errbuf *err)
{
    struct draw draw = {0, {NULL, 0, 0}};
    struct results results = {.agencies = store_agencies(store)};

    enum status status = store_read_draw(store, &draw, err);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < draw.winners.count; i++) {
        if (draw.winners.items[i].agency > results.agencies)
            status = STATUS_DAMAGED;
    }
    results.winners = malloc((draw.winners.count + 1) * sizeof(*results.winners));
    results.starts = calloc((size_t)results.agencies + 2, sizeof(*results.starts));
    if (results.winners == NULL || results.starts == NULL)
        status = STATUS_NOMEM;
    if (status == STATUS_OK) {
        group(&results, &draw.winners);
        *out = results;
    } else {
        errbuf_set(err, "winners: %s", status_text(status));
        results_fini(&results);
    }
    winner_list_fini(&draw.winners);
    return status;
}

void results_fini(struct results *results)
{
    free(results->winners);
    free(results->starts);
    results->winners = NULL;
    results->starts = NULL;
}

const struct winner *results_of(const struct results *results, uint32_t agency, uint64_t *count)
{
    *count = results->starts[agency + 1] - results->starts[agency];
    return results->winners + results->starts[agency];
}
