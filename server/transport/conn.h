/* conn.h - a connection from outside: what a lottery and an echo connection have in common.
 *
 * A connection is a stream with an address and a place in its worker's set. Once a second the set
 * lets each connection look at its time limits.
 */
#ifndef LOTTERY_CONN_H
#define LOTTERY_CONN_H

#include "status.h"
#include "stream.h"

#include <netinet/in.h>
#include <stdint.h>

struct conn;

/* What kind of connection it is; begins the life of one on an accepted socket. */
struct conn_ops {
    size_t size; /* bytes of the struct that begins with its struct conn; comes zeroed */
    const struct stream_events
        *events; /* owner is the connection; on_closed must end in conn_free() */
    /* The stream is open, nothing was read yet. */
    enum status (*start)(struct conn *conn);
    /* Once a second, `now_ms` monotonic; for whatever has a time limit. */
    void (*check)(struct conn *conn, uint64_t now_ms);
    /* The worker stops: read nothing more, finish what was begun, close. */
    void (*stop)(struct conn *conn);
};

/* All connections of one worker. Owned by the worker. */
struct conn_set {
    const struct conn_ops *ops;
    struct stream_hub *hub;
    void *context;      /* of the ops */
    struct conn *first; /* by conn.next */
    size_t count;
    uv_timer_t check_timer;
    /* A connection is gone; `ip` is where it came from. */
    void (*on_gone)(void *owner, struct in_addr ip);
    void *owner;
};

struct conn {
    struct stream *stream;
    struct conn_set *set;
    struct conn *next;
    struct conn **link; /* what points here */
    struct in_addr ip;
};

#define CONN_IP_SIZE INET_ADDRSTRLEN

/* Prepares an empty set and starts its timer. All pointers are borrowed for its life. */
void conn_set_init(struct conn_set *set, const struct conn_ops *ops, struct stream_hub *hub,
                   void *context);

/* Tells every connection to stop. */
void conn_set_stop(struct conn_set *set);

/* Closes every connection now, and the set's timer. */
void conn_set_close(struct conn_set *set);

/* Takes over the accepted socket `fd` (closed on failure, too) and starts its conversation. */
enum status conn_accept(struct conn_set *set, int fd, struct in_addr ip);

/* The peer's address as text. */
const char *conn_ip(const struct conn *conn, char out[CONN_IP_SIZE]);

/* Logs that the connection was closed and why, takes it from its set and frees it. */
void conn_free(struct conn *conn, const char *reason);

#endif
