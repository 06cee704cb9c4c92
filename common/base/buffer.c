#include "buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 256 /* a new array has at least this size, or one item if that is larger */

void *array_grow(void *items, size_t *capacity, size_t count, size_t item_size)
{
    size_t grown = *capacity;

    if (count <= grown && items != NULL)
        return items;
    if (count > SIZE_MAX / 2 / item_size)
        return NULL;
    if (grown == 0)
        grown = item_size < FIRST_BYTES ? FIRST_BYTES / item_size : 1;
    while (grown < count)
        grown *= 2;
    void *moved = realloc(items, grown * item_size);
    if (moved != NULL)
        *capacity = grown;
    return moved;
}

enum status buffer_reserve(struct buffer *buffer, size_t size)
{
    if (size <= buffer->capacity - buffer->size)
        return STATUS_OK;
    if (size > SIZE_MAX - buffer->size)
        return STATUS_NOMEM;
    char *data = array_grow(buffer->data, &buffer->capacity, buffer->size + size, 1);
    if (data == NULL)
        return STATUS_NOMEM;
    buffer->data = data;
    return STATUS_OK;
}

enum status buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    enum status status = buffer_reserve(buffer, size);

    if (status != STATUS_OK || size == 0)
        return status;
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    return STATUS_OK;
}

void buffer_fini(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){NULL, 0, 0};
}
