/* arena.h - memory for unpacking one message, given back all at once.
 *
 * Each block remembers its size: protobuf-c hands out strings as NUL-terminated copies without
 * their length, and the block's size is the only witness of a NUL byte within one.
 */
#ifndef LOTTERY_ARENA_H
#define LOTTERY_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct arena {
    ProtobufCAllocator allocator; /* for unpack; freeing through it does nothing */
    char *bytes;
    size_t capacity;
    size_t used;
};

/* Gets `room` bytes; false when there are none. */
bool arena_init(struct arena *arena, size_t capacity);
void arena_fini(struct arena *arena);

/* Forgets everything that was allocated. */
void arena_reset(struct arena *arena);

/* Bytes that were asked for when `block` of this arena was allocated. */
size_t arena_block_size(const void *block);

#endif
