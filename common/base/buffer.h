/* buffer.h - memory that grows: bytes, and arrays of anything. */
#ifndef LOTTERY_BUFFER_H
#define LOTTERY_BUFFER_H

#include "status.h"

#include <stddef.h>

/* Bytes that are collected. Zeroed it is empty; the caller ends it with buffer_fini(). */
struct buffer {
    char *data;      /* owned; NULL until something is reserved; moves when it grows */
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
};

/* Makes space for `size` bytes after those in use. STATUS_NOMEM: the buffer is as it was. */
enum status buffer_reserve(struct buffer *buffer, size_t size);

/* Appends a copy of `size` bytes. STATUS_NOMEM: the buffer is as it was. */
enum status buffer_append(struct buffer *buffer, const void *data, size_t size);

/* Frees the memory; the buffer is empty afterwards. */
void buffer_fini(struct buffer *buffer);

/* Grows the array `items` of `*capacity` items, `item_size` bytes each, to at least `count` items:
 * to the double of what it had, or more. Returns where the array is now, and sets *capacity; NULL
 * when there is no memory, and the array is as it was. `items` is NULL for none yet. */
void *array_grow(void *items, size_t *capacity, size_t count, size_t item_size);

#endif
