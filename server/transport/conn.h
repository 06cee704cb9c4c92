/* peer.h - a connection from outside: what a lottery and an echo connection have in common.
 *
 * A peer is a stream with an address and a place in its worker's set. Once a second the set lets
 * each peer look at its time limits.
 */
#ifndef LOTTERY_PEER_H
#define LOTTERY_PEER_H

#include "status.h"
#include "stream.h"

#include <netinet/in.h>
#include <stdint.h>

struct peer;

/* What kind of connection it is; begins the life of one on an accepted socket. */
struct peer_kind {
    size_t size; /* bytes of the struct that begins with its struct peer; comes zeroed */
    const struct stream_events *events; /* owner is the peer; on_closed must end in peer_free() */
    /* The stream is open, nothing was read yet. */
    enum status (*start)(struct peer *peer);
    /* Once a second, `now_ms` monotonic; for whatever has a time limit. */
    void (*check)(struct peer *peer, uint64_t now_ms);
    /* The worker stops: read nothing more, finish what was begun, close. */
    void (*stop)(struct peer *peer);
};

/* All peers of one worker. Owned by the worker. */
struct peer_set {
    const struct peer_kind *kind;
    struct stream_hub *hub;
    void *context;      /* the kind's own */
    struct peer *first; /* by peer.next */
    size_t count;
    uv_timer_t check_timer;
    /* A peer is gone; `ip` is where it came from. */
    void (*on_gone)(void *owner, struct in_addr ip);
    void *owner;
};

struct peer {
    struct stream stream;
    struct peer_set *set;
    struct peer *next;
    struct peer **link; /* what points here */
    struct in_addr ip;
};

#define PEER_IP_SIZE INET_ADDRSTRLEN

/* Prepares an empty set and starts its timer. All pointers are borrowed for its life. */
void peer_set_init(struct peer_set *set, const struct peer_kind *kind, struct stream_hub *hub,
                   void *context);

/* Tells every peer to stop. */
void peer_set_stop(struct peer_set *set);

/* Closes every peer now, and the set's timer. */
void peer_set_close(struct peer_set *set);

/* Takes over the accepted socket `fd` (closed on failure, too) and starts the peer. */
enum status peer_accept(struct peer_set *set, int fd, struct in_addr ip);

/* The peer's address as text. */
const char *peer_ip(const struct peer *peer, char out[PEER_IP_SIZE]);

/* Logs that the connection was closed and why, takes it from its set and frees it. */
void peer_free(struct peer *peer, const char *reason);

#endif
