#include "winner_files.h"
#include "winner_layout.h"

#include <stdlib.h>
#include <string.h>

#define PART_ITEMS 2048 /* that are written at a time */

struct winner_part {
    struct winner_part_config config;
    uint64_t at;                     /* where the next items go in the file */
    size_t count;                    /* items in use */
    struct winner items[PART_ITEMS]; /* not yet written */
};

enum status winner_part_create(const struct winner_part_config *config, struct winner_part **out)
{
    struct winner_part *part = calloc(1, sizeof(*part));

    if (part == NULL)
        return STATUS_NOMEM;
    part->config = *config;
    *out = part;
    return STATUS_OK;
}

enum status winner_part_add(struct winner_part *part, const struct winner *winner)
{
    if (!winner_layout_takes(part->config.agencies, winner))
        return STATUS_DAMAGED;
    if (part->count == PART_ITEMS) {
        enum status status = winner_part_flush(part);
        if (status != STATUS_OK)
            return status;
    }
    struct winner *item = &part->items[part->count++];
    item->agency = winner->agency;
    item->document_size = winner->document_size;
    memcpy(item->document, winner->document, winner->document_size);
    part->config.counts[winner->agency].winners++;
    part->config.counts[winner->agency].bytes += (uint64_t)winner->document_size + 1;
    return STATUS_OK;
}

enum status winner_part_flush(struct winner_part *part)
{
    struct iovec bytes = {part->items, part->count * WINNER_PART_ITEM_SIZE};

    if (part->count == 0)
        return STATUS_OK;
    enum status status = file_write(part->config.ops, part->config.fd, &bytes, 1, part->at);
    if (status != STATUS_OK)
        return status;
    part->at += part->count * WINNER_PART_ITEM_SIZE;
    part->count = 0;
    return STATUS_OK;
}

void winner_part_destroy(struct winner_part *part)
{
    free(part);
}
