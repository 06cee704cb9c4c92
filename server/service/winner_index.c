#include "winner_index.h"

#include "assertion.h"

#include <stdlib.h>

/* A counting sort by agency. It keeps the order of the bets within each agency. */
static void winner_index_group(struct winner_index *index, const struct winner_list *list)
{
    uint64_t *starts = index->starts;

    for (size_t i = 0; i < list->count; i++)
        starts[list->items[i].agency + 1]++;
    for (uint32_t agency = 1; agency <= index->agencies + 1; agency++)
        starts[agency] += starts[agency - 1];
    for (size_t i = 0; i < list->count; i++)
        index->winners[starts[list->items[i].agency]++] = list->items[i];
    /* Each start has moved to the end of its group, where the next group begins. */
    for (uint32_t agency = index->agencies + 1; agency > 0; agency--)
        starts[agency] = starts[agency - 1];
    starts[0] = 0;
}

enum status winner_index_load(struct store *store, struct winner_index *out, struct errbuf *err)
{
    struct draw draw = {0, {NULL, 0, 0}};
    struct winner_index index = {.agencies = store_agencies(store)};

    enum status status = store_read_draw(store, &draw, err);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < draw.winners.count; i++) {
        if (draw.winners.items[i].agency > index.agencies)
            status = STATUS_DAMAGED;
    }
    index.winners = malloc((draw.winners.count + 1) * sizeof(*index.winners));
    index.starts = calloc((size_t)index.agencies + 2, sizeof(*index.starts));
    if (index.winners == NULL || index.starts == NULL)
        status = STATUS_NOMEM;
    if (status == STATUS_OK) {
        winner_index_group(&index, &draw.winners);
        *out = index;
    } else {
        errbuf_set(err, "winners: %s", status_text(status));
        winner_index_fini(&index);
    }
    winner_list_fini(&draw.winners);
    return status;
}

void winner_index_fini(struct winner_index *index)
{
    free(index->winners);
    free(index->starts);
    index->winners = NULL;
    index->starts = NULL;
}

const struct winner *winner_index_of(const struct winner_index *index, uint32_t agency,
                                     uint64_t *count)
{
    ASSERT(agency >= 1 && agency <= index->agencies);
    *count = index->starts[agency + 1] - index->starts[agency];
    return index->winners + index->starts[agency];
}
