/* listener.h - accepts connections for one worker, taking turns with the others.
 *
 * All workers watch the same listening socket. A worker accepts only while it has no more
 * connections than the living worker with the fewest. (It may have up to a sixteenth of its own
 * number more, so that thousands of connections at once are not taken one by one.) Otherwise it
 * leaves the connection to the others for a moment, and takes it if none of them did.
 */
#ifndef LOTTERY_LISTENER_H
#define LOTTERY_LISTENER_H

#include "conn.h"
#include "scoreboard.h"

#include <uv.h>

/* What listener_start() needs; copied. */
struct listener_config {
    struct scoreboard *scoreboard; /* borrowed */
    uint32_t worker;               /* our row in it */
    struct conn_set *conns;        /* borrowed; takes the accepted connections */
    int fd;                        /* the listening socket, non-blocking; stays the caller's */
    uint32_t max_connections;      /* of all workers */
    uint32_t max_per_ip;           /* from one address */
};

struct listener {
    struct listener_config config;
    int reserve_fd; /* closed for a moment to turn a connection away when descriptors run out; -1
                       when there is none */
    uint64_t waiting_since_ms;  /* since when a connection has been left to the others */
    uint64_t left_ms;           /* when a connection was last left to them */
    uint64_t logged_refusal_ms; /* when a refusal was last logged */
    uint64_t refusals;          /* how many since then */
    uv_poll_t poll;
    uv_timer_t retry; /* ends the time in which the socket is not watched */
};

/* Begins to accept, on `loop`. STATUS_IO when the loop does not take the socket: nothing has to be
 * closed then. */
enum status listener_start(struct listener *listener, uv_loop_t *loop,
                           const struct listener_config *config);

/* Accepts no more and closes the handles; the socket itself stays the caller's. */
void listener_close(struct listener *listener);

/* A connection that was accepted is gone; `ip` is where it came from. */
void listener_gone(struct listener *listener, struct in6_addr ip);

#endif
