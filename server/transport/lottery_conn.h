/* lottery_conn.h - a lottery connection: stream, frames and session put together.
 *
 * Memory of one connection: its structs; one block of 8 KiB while a frame is incomplete, or for the
 * rest of a read; the messages that have no answer yet, up to OUTSTANDING_MAX messages or
 * buffered_max bytes plus one frame; the answers that the peer has not read, up to BACKLOG_MAX plus
 * the answers to those messages. Of all connections of a worker: LEDGER_HIGH bytes and
 * MESSAGES_HIGH messages that have no answer yet, and RESTS_MAX bytes of longer rests. Beyond any
 * of these limits messages are not taken, and connections not read from. docs/hostile-input.md has
 * the sum.
 */
#ifndef LOTTERY_LOTTERY_CONN_H
#define LOTTERY_LOTTERY_CONN_H

#include "conn.h"
#include "ledger.h"
#include "service.h"

#include <stdint.h>

/* What the worker gives its lottery connections. */
struct lottery_conns_config {
    uv_loop_t *loop;         /* borrowed */
    struct service *service; /* borrowed */
    struct ledger *ledger;   /* borrowed */
    uint64_t handshake_ms;   /* time limits: until the first message is whole */
    uint64_t frame_ms;       /* for a frame that has begun, and for answers to be read */
    uint64_t idle_ms;        /* between messages, while the agency is betting */
    size_t buffered_max;     /* bytes of a connection's messages that wait for the ledger */
};

/* What the lottery connections of one worker share: the context of their conn_set. */
struct lottery_conns {
    struct lottery_conns_config config;
    struct list ready;  /* connections that have more messages, for the next turn of the loop */
    struct list paused; /* connections that wait for the ledger or the log; the first goes first */
    struct list
        passed_over; /* they were to go on, but others took the room: they go before those */
    unsigned woken;  /* connections that are to go on and have to read first */
    uv_idle_t turns; /* active while `ready` is not empty, or paused connections may go on */
    size_t rests;    /* bytes of the rests of reads, of all connections */
};

/* To be called before the conn_set's first connection. */
void lottery_conns_init(struct lottery_conns *conns, const struct lottery_conns_config *config);

/* Lets the paused connections go on, from the next turn of the loop, if the ledger has caught up
 * and the log has room. */
void lottery_conns_wake(struct lottery_conns *all);

/* Closes the handle. To be called when the conn_set's connections are closed or closing. */
void lottery_conns_close(struct lottery_conns *conns);

extern const struct conn_ops lottery_conn_ops;

#endif
