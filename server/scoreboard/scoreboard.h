/* scoreboard.h - what the workers of one server share: how many connections each has.
 *
 * It is in shared memory that is inherited through fork(). Each worker writes its own row only; the
 * others read it to see whose turn it is to accept, and how many connections there are in all and
 * from one address.
 */
#ifndef LOTTERY_SCOREBOARD_H
#define LOTTERY_SCOREBOARD_H

#include "status.h"

#include <stdatomic.h>
#include <stdint.h>

/* Addresses, each a number (peer_ip_key), are counted in this many buckets; those in the same
 * bucket share the limit. */
#define SCOREBOARD_BUCKETS 4096

struct scoreboard_row {
    _Atomic uint32_t is_alive;    /* bool: takes part in sharing the connections */
    _Atomic uint32_t connections; /* that the worker holds */
    _Atomic uint32_t from_bucket[SCOREBOARD_BUCKETS];
};

struct scoreboard {
    uint32_t workers;
    struct scoreboard_row row[]; /* [0..workers-1] */
};

/* Maps an empty scoreboard. STATUS_NOMEM when there is no memory for it. */
enum status scoreboard_create(uint32_t workers, struct scoreboard **out);

/* Unmaps it from this process. NULL is fine. */
void scoreboard_destroy(struct scoreboard *scoreboard);

/* Empties a worker's row: before it starts, and when it has died. */
void scoreboard_clear(struct scoreboard *scoreboard, uint32_t worker);

/* Count a new connection of `worker`, or one that is gone. */
void scoreboard_add(struct scoreboard *scoreboard, uint32_t worker, uint64_t address);
void scoreboard_remove(struct scoreboard *scoreboard, uint32_t worker, uint64_t address);

/* Connections of all workers; and those from the address. */
uint32_t scoreboard_connections(const struct scoreboard *scoreboard);
uint32_t scoreboard_connections_from(const struct scoreboard *scoreboard, uint64_t address);

/* The fewest connections that any living worker but `worker` has; UINT32_MAX when it is alone. */
uint32_t scoreboard_fewest_of_others(const struct scoreboard *scoreboard, uint32_t worker);

#endif
