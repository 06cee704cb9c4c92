/* ledger_process_peers.h - the ledger's ends of its links, and the core's peers that go with them.
 *
 * Asynchronous, on the loop's thread; no call blocks. A peer is closed when its link ends, when it
 * breaks the rules, or when it does not read its outcomes; the reason is logged.
 */
#ifndef LOTTERY_LEDGER_PROCESS_PEERS_H
#define LOTTERY_LEDGER_PROCESS_PEERS_H

#include "ledger_core.h"
#include "list.h"
#include "message.h"

#include <stddef.h>
#include <uv.h>

/* Owned by the caller, who sets the first part and does not touch the rest. */
struct process_peers {
    uv_loop_t *loop;
    struct ledger_core *core; /* set before the first peer is accepted */
    /* The last open peer is gone: its link has ended. */
    void (*on_last_gone)(void *owner);
    void *owner; /* handed to on_last_gone */

    struct list open; /* with an open link */
    bool must_flush;  /* the core has sent something since the last flush */
};

/* Initialises the private part. */
void process_peers_init(struct process_peers *peers);

bool process_peers_are_gone(const struct process_peers *peers);

/* Is there anything for process_peers_flush() to do? */
bool process_peers_must_flush(const struct process_peers *peers);

/* A connection was accepted: `fd`, non-blocking, which is the peers' from now on. */
void process_peers_accept(struct process_peers *peers, int fd);

/* Hands to the kernel what the core has sent, and closes the peers that cannot have it. */
void process_peers_flush(struct process_peers *peers);

/* Closes all peers. They free themselves in a later turn of the loop, and when the core has
 * released them. */
void process_peers_close(struct process_peers *peers);

/* The core's `send` and `release`, see struct ledger_core_events; `owner` is not used. */
void process_peers_send(void *owner, void *context, const struct message *message, const int *fds,
                        size_t count);
void process_peers_release(void *owner, void *context);

#endif
