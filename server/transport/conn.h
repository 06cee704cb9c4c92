/* conn.h - a client's connection: what lottery and echo connections have in common.
 *
 * A connection is a stream with an address, and belongs to its worker's set. Once a second the set
 * makes each connection check its time limits.
 */
#ifndef LOTTERY_CONN_H
#define LOTTERY_CONN_H

#include "list.h"
#include "peer_ip.h"
#include "scoreboard.h"
#include "status.h"
#include "stream.h"

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct tls_context; /* tls_context.h */
struct tls_peer;    /* tls_peer.h */

/* The operations of one kind of connection. */
struct conn_ops {
    size_t size; /* bytes of the kind's struct, which begins with a struct conn; zeroed at first */
    /* Owner is the conn; on_connect is conn_on_connect(), on_closed must end in conn_free(). */
    const struct stream_events *events;
    /* The stream is open, nothing has been read yet. If the socket cannot be used, it is not
     * called, and on_closed comes alone. With TLS the handshake is still to come, and bytes come
     * only after prove(). */
    enum status (*start)(struct conn *conn);
    /* The peer has proved who it is, with TLS. `peer` is valid during the call. NULL: it does not
     * matter. */
    void (*prove)(struct conn *conn, const struct tls_peer *peer);
    /* Checks the time limits; called once a second, except when that is late: then we did not do
     * our part, and what has arrived meanwhile is read first. `now_ms` is monotonic. Not called
     * during a handshake, which has its own limit; nor is stop(), and the connection is closed. */
    void (*check)(struct conn *conn, uint64_t now_ms);
    /* The worker stops: take no more messages, finish what has begun, close. May be called again.
     */
    void (*stop)(struct conn *conn);
};

/* What conn_set_init() needs. All pointers are borrowed for the set's life. */
struct conn_set_config {
    const struct conn_ops *ops;
    struct stream_hub *hub;
    const struct tls_context *tls; /* NULL: connections are plain */
    uint64_t handshake_ms; /* time limit of the TLS handshake, from accept; without TLS not used */
    struct scoreboard_row *row; /* where they count; NULL: nowhere */
    void *context;              /* what the connections share; its type depends on their ops */
    /* A connection is gone; `ip` is where it came from. */
    void (*on_gone)(void *owner, struct in6_addr ip);
    void *owner;
};

/* All connections of one worker, of one kind. The owner provides the memory. */
struct conn_set {
    struct conn_set_config config;
    struct list conns; /* by conn.in_set */
    size_t count;
    size_t peak; /* the most there were since memory was last given back */
    uv_timer_t check_timer;
    uint64_t checked_ms; /* monotonic: when it was last time to check */
    bool is_late;        /* it came late then, so nothing was checked */
};

struct conn {
    struct stream *stream;
    struct conn_set *set;
    struct list_node in_set;
    struct in6_addr ip;
    bool is_told;      /* the log says that it was accepted, and will say that it is closed */
    bool is_from_here; /* from our own machine, so that it may be a health check, see conn_heard();
                          not noted where the log has lines of level DEBUG */
    bool is_in_handshake;   /* of TLS: it is not over, or has failed */
    uint64_t since_ms;      /* monotonic: when it was accepted */
    const char *end_reason; /* for the log; static; NULL until the end begins, and if it is usual */
};

#define CONN_IP_SIZE PEER_IP_SIZE

/* Makes the set empty and starts its timer. */
void conn_set_init(struct conn_set *set, const struct conn_set_config *config);

/* Checks the time limits of all connections, as the set's timer does once a second; `now_ms` is
 * monotonic. */
void conn_set_check(struct conn_set *set, uint64_t now_ms);

/* Tells every connection to stop. */
void conn_set_stop(struct conn_set *set);

/* Closes every connection now, and the set's timer. */
void conn_set_close(struct conn_set *set);

/* Takes over the accepted socket `fd` (and closes it on failure) and starts the conversation.
 * on_gone is called once for each call of this function, when the connection is gone; after a
 * failure that may be before this returns. */
enum status conn_accept(struct conn_set *set, int fd, struct in6_addr ip);

/* The peer has said something. Logs that the connection was accepted, if that was left open:
 * because it comes from our own machine, and the health check, which does so every few seconds,
 * should leave no lines (so one that says nothing, or only asks, is logged after a second); or
 * because too many connections have come from nobody knows whom. `is_known`: it is an agency's, or
 * has done what the server is for; then no limit applies. */
void conn_heard(struct conn *conn, bool is_known);

/* The peer's address as text, written to `out`. */
const char *conn_ip(const struct conn *conn, char out[CONN_IP_SIZE]);

/* Counts what the connection has done, in its worker's row of the scoreboard. */
static inline void conn_count(const struct conn *conn, enum scoreboard_count count, uint64_t by)
{
    scoreboard_count(conn->set->config.row, count, by);
}

/* Notes why the connection ends, a static text; the first one counts. NULL: nothing to note. */
void conn_note_reason(struct conn *conn, const char *reason);

/* Takes the connection from its set, logs that it was closed and why, and frees it. That is not
 * logged of one that was not logged before. */
void conn_free(struct conn *conn);

#endif
