/* sim_queue.h - items of any size, first in, first out: what is on its way over a link. */
#ifndef LOTTERY_SIM_QUEUE_H
#define LOTTERY_SIM_QUEUE_H

#include <stddef.h>
#include <stdint.h>

/* A zeroed struct is empty. */
struct sim_queue {
    uint8_t *bytes;  /* owned */
    size_t capacity; /* of bytes */
    size_t head;     /* where the first item begins */
    size_t tail;     /* where the next item goes */
    size_t count;    /* items */
};

/* Adds a copy of an item. */
void sim_queue_push(struct sim_queue *queue, const void *item, size_t size);

/* The first item, and its size; NULL if there is none. Valid until the next call for this queue. */
const void *sim_queue_pop(struct sim_queue *queue, size_t *size);

/* Forgets the last items, so that `count` are left. */
void sim_queue_cut(struct sim_queue *queue, size_t count);

#endif
