#include "bets_extent.h"

#include "assertion.h"
#include "buffer.h"
#include "crc32c.h"

#include <stdlib.h>

void bets_extent_fini(struct bets_extent *extent)
{
    free(extent->crcs);
    *extent = (struct bets_extent){0};
}

enum status bets_extent_reserve(struct bets_extent *extent, uint64_t size)
{
    size_t count = (size_t)(size / BETS_CHUNK_SIZE);

    if (count <= extent->capacity)
        return STATUS_OK;
    uint32_t *crcs = array_grow(extent->crcs, &extent->capacity, count, sizeof(*crcs));
    if (crcs == NULL)
        return STATUS_NOMEM;
    extent->crcs = crcs;
    return STATUS_OK;
}

enum status bets_extent_append(struct bets_extent *extent, const void *bytes, size_t size)
{
    const char *at = bytes;

    if (bets_extent_reserve(extent, extent->size + size) != STATUS_OK)
        return STATUS_NOMEM;
    while (size > 0) {
        size_t room = (size_t)(BETS_CHUNK_SIZE - extent->size % BETS_CHUNK_SIZE);
        size_t step = size < room ? size : room;
        extent->crc = crc32c(extent->crc, at, step);
        extent->size += step;
        if (step == room)
            extent->crcs[extent->size / BETS_CHUNK_SIZE - 1] = extent->crc;
        at += step;
        size -= step;
    }
    return STATUS_OK;
}

void bets_extent_cut(struct bets_extent *extent, uint64_t size, uint32_t crc)
{
    ASSERT(size <= extent->size);
    extent->size = size;
    extent->crc = crc;
}
