#include "sim_queue.h"

#include "sim_process.h"

#include <string.h>

#define ALIGNMENT ((size_t)16)

/* In front of each item. */
struct item {
    size_t size;
    size_t whole; /* with this struct, rounded up */
};

void sim_queue_push(struct sim_queue *queue, const void *bytes, size_t size)
{
    struct item item = {size, (sizeof(item) + size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT};

    if (queue->count == 0)
        queue->head = queue->tail = 0;
    if (queue->capacity - queue->tail < item.whole) {
        queue->capacity = 2 * queue->capacity + item.whole;
        queue->bytes = sim_realloc(queue->bytes, queue->capacity);
    }
    memcpy(queue->bytes + queue->tail, &item, sizeof(item));
    if (size > 0)
        memcpy(queue->bytes + queue->tail + sizeof(item), bytes, size);
    queue->tail += item.whole;
    queue->count++;
}

const void *sim_queue_pop(struct sim_queue *queue, size_t *size)
{
    struct item item;
    const uint8_t *bytes;

    if (queue->count == 0)
        return NULL;
    memcpy(&item, queue->bytes + queue->head, sizeof(item));
    bytes = queue->bytes + queue->head + sizeof(item);
    queue->head += item.whole;
    queue->count--;
    *size = item.size;
    return bytes;
}

void sim_queue_cut(struct sim_queue *queue, size_t count)
{
    struct item item;

    if (count >= queue->count)
        return;
    queue->tail = queue->head;
    queue->count = count;
    for (size_t i = 0; i < count; i++) {
        memcpy(&item, queue->bytes + queue->tail, sizeof(item));
        queue->tail += item.whole;
    }
}
