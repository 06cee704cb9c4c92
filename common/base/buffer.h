/* buffer.h - growing memory: bytes, and arrays of any type. */
#ifndef LOTTERY_BUFFER_H
#define LOTTERY_BUFFER_H

#include "status.h"

#include <stddef.h>

/* A growing run of bytes. A zeroed struct is an empty buffer; the caller ends it with
 * buffer_fini(). */
struct buffer {
    char *data;      /* owned; NULL until something is reserved; moves when it grows */
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
};

/* Makes room for `size` bytes after those in use. STATUS_NOMEM: the buffer is unchanged. */
enum status buffer_reserve(struct buffer *buffer, size_t size);

/* Appends a copy of `size` bytes. STATUS_NOMEM: the buffer is unchanged. */
enum status buffer_append(struct buffer *buffer, const void *data, size_t size);

/* Frees the memory; the buffer is empty afterwards. */
void buffer_fini(struct buffer *buffer);

/* Grows the array `items`, which has `*capacity` items of `item_size` bytes each, to at least
 * `count` items, by doubling. Does nothing when it is large enough. Returns the array, which may
 * have moved, and sets *capacity; or NULL when there is no memory, and then the array is unchanged.
 * `items` is NULL when there is no array yet; *capacity is then the capacity to start with, or 0.
 */
void *array_grow(void *items, size_t *capacity, size_t count, size_t item_size);

#endif
