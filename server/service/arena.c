#include "arena.h"

#include "assertion.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 16
#define HEADER ALIGNMENT /* in front of each block: its size, padded */

static void *arena_allocate(void *context, size_t size)
{
    struct arena *arena = context;

    ASSERT(arena->used <= arena->capacity);
    if (size > arena->capacity) /* checked first, because rounding up could wrap around */
        return NULL;
    size_t whole = HEADER + (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (whole > arena->capacity - arena->used)
        return NULL;
    char *block = arena->bytes + arena->used;
    arena->used += whole;
    memcpy(block, &size, sizeof(size));
    return block + HEADER;
}

static void arena_release(void *context, void *block)
{
    (void)context;
    (void)block;
}

bool arena_init(struct arena *arena, size_t capacity)
{
    arena->allocator = (ProtobufCAllocator){arena_allocate, arena_release, arena};
    arena->bytes = malloc(capacity);
    arena->capacity = capacity;
    arena->used = 0;
    return arena->bytes != NULL;
}

void arena_fini(struct arena *arena)
{
    free(arena->bytes);
    arena->bytes = NULL;
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
}

size_t arena_block_size(const void *block)
{
    size_t size;

    memcpy(&size, (const char *)block - HEADER, sizeof(size));
    return size;
}

struct text arena_text(const char *string)
{
    /* For a missing field, protobuf-c uses this constant instead of a block of the arena. */
    if (string == protobuf_c_empty_string)
        return (struct text){string, 0};
    return (struct text){string, arena_block_size(string) - 1};
}
