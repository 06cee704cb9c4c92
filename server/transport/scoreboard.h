/* crew.h - the board that the workers of one server share: how many connections each has.
 *
 * It lies in memory that fork() hands on. Each worker writes its own row only; the others read it
 * to see whose turn it is to accept, and how many connections there are in all and from one
 * address.
 */
#ifndef LOTTERY_CREW_H
#define LOTTERY_CREW_H

#include "status.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdint.h>

/* Addresses are counted in this many buckets; those that fall into one share their limit. */
#define CREW_BUCKETS 4096

struct crew_row {
    _Atomic uint32_t is_alive;    /* bool: takes part in sharing the connections */
    _Atomic uint32_t connections; /* that the worker holds */
    _Atomic uint32_t from_bucket[CREW_BUCKETS];
};

struct crew {
    uint32_t workers;
    struct crew_row row[]; /* [0..workers-1] */
};

/* Maps an empty board. STATUS_NOMEM when it can not. */
enum status crew_create(uint32_t workers, struct crew **out);

/* Unmaps it from this process. NULL is fine. */
void crew_destroy(struct crew *crew);

/* Empties a worker's row: before it starts, and when it has died. */
void crew_clear(struct crew *crew, uint32_t worker);

/* Counts a connection of `worker` in, or out. */
void crew_add(struct crew *crew, uint32_t worker, struct in_addr ip);
void crew_remove(struct crew *crew, uint32_t worker, struct in_addr ip);

/* Connections of all workers; and those from the address. */
uint32_t crew_connections(const struct crew *crew);
uint32_t crew_connections_from(const struct crew *crew, struct in_addr ip);

/* The fewest connections that any living worker but `worker` has; UINT32_MAX when it is alone. */
uint32_t crew_fewest_of_others(const struct crew *crew, uint32_t worker);

#endif
