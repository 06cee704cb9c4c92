/* arena.h - memory for unpacking one message; it is freed all at once.
 *
 * Each block remembers its size. protobuf-c copies a string into a block without telling its
 * length, so only the block's size shows that the string contains a NUL byte.
 */
#ifndef LOTTERY_ARENA_H
#define LOTTERY_ARENA_H

#include "text.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct arena {
    ProtobufCAllocator allocator; /* for protobuf-c; freeing through it does nothing */
    char *bytes;                  /* owned */
    size_t capacity;              /* bytes */
    size_t used;                  /* bytes */
};

/* Allocates `capacity` bytes. Returns false when there is no memory; arena_fini may be called even
 * then. */
bool arena_init(struct arena *arena, size_t capacity);
void arena_fini(struct arena *arena);

/* Frees all blocks at once; the arena keeps its memory. */
void arena_reset(struct arena *arena);

/* The size in bytes with which `block` was allocated from an arena. */
size_t arena_block_size(const void *block);

/* A string that protobuf-c has unpacked into an arena, in its full length, even if it contains NUL
 * bytes. */
struct text arena_text(const char *string);

#endif
