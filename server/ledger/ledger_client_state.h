/* ledger_client_state.h - what the files of the client share: ledger_client.h's own state. Nobody
 * else includes it.
 *
 * ledger_client_ops:      takes operations
 * ledger_client_flight:   those that have no outcome, their place in the region, their messages
 * ledger_client_outcomes: ends them, and takes the news
 * ledger_client_connect:  the link: makes it, loses it, makes it again
 * ledger_client:          creates and closes a client
 */
#ifndef LOTTERY_LEDGER_CLIENT_STATE_H
#define LOTTERY_LEDGER_CLIENT_STATE_H

#include "backoff.h"
#include "ledger_client.h"
#include "ledger_link.h"
#include "region.h"

#include <stdbool.h>
#include <stddef.h>

/* The bytes of an operation that says more than a struct ledger_op holds. */
struct client_extra {
    struct message message;
    size_t text_size; /* of what goes before it, in pieces */
    char text[];
};

struct ledger_client {
    struct ledger base; /* first */
    struct ledger_client_config config;
    struct region region;   /* no memory when this client appends no bets */
    bool must_renew;        /* an earlier link had this region, which the ledger may still read */
    struct link *link;      /* NULL while there is none */
    bool is_told;           /* news has come over it */
    uv_prepare_t prepare;   /* hands over what was collected */
    uv_timer_t retry;       /* for the next attempt to connect */
    struct backoff backoff; /* of the attempts */
    unsigned open_handles;  /* of the two above and the link; the last one frees the client */
    struct list ops;        /* without an outcome, in order: first those that were sent */
    struct list_node *next; /* the first that was not sent; the list's ring: none */
    size_t sent;            /* operations in flight */
    size_t unsent;          /* operations that were not sent */
    size_t on_heap;         /* of these, batches that wait for room in the region */
    size_t backlog;         /* bytes, see ledger_backlog() */
    struct ledger_news news;
    struct message_pieces pieces; /* of the next news */
    bool is_closed;               /* ledger_client_close was called */
    bool is_over;                 /* it has returned: nothing can be submitted any more */
    bool is_in_batch;             /* between on_batch(true) and on_batch(false) */
    size_t fds_count;             /* descriptors that done() may take now */
    int fds[LEDGER_FDS_MAX];
};

#endif
