/* ledger_core.h - what the ledger does with its peers' messages: decides, has the store write, and
 * answers. A state machine: no sockets, no loop, no clock of its own; store.h is all that blocks.
 *
 * A peer is a client on one link. The owner hands in each peer's messages as they come, and calls
 * ledger_core_commit() when there are no more for now: all that was handed in since the last call
 * is one commit group, of all peers. Only then do its outcomes go out.
 */
#ifndef LOTTERY_LEDGER_CORE_H
#define LOTTERY_LEDGER_CORE_H

#include "draw.h"
#include "errbuf.h"
#include "ledger_process.h"
#include "message.h"
#include "scoreboard.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_GROUP_OPERATIONS 65536                 /* in a commit group, at most */
#define LEDGER_GROUP_BYTES ((size_t)16 * 1024 * 1024) /* of bets, from which on it is full */
#define LEDGER_MINOR_ACTS_MAX (DRAW_ACTS_MAX - 1000)  /* from which on only others have room */

struct ledger_core;
struct ledger_peer;

/* All of them happen during calls of the functions below. */
struct ledger_core_events {
    /* To a peer that is open: `context` as of ledger_core_open. The descriptors, if count > 0, are
     * the callee's from now on. */
    void (*send)(void *owner, void *context, const struct message *message, const int *fds,
                 size_t count);
    /* Nothing needs the closed peer's region any more, and the peer is gone. */
    void (*release)(void *owner, void *context);
    /* To the supervisor. REASON does not come this way. */
    void (*tell)(void *owner, const struct ledger_tells *tells);
    /* The process has to end with this exit status. If the call returns, the core does nothing any
     * more. */
    void (*fail)(void *owner, int exit_status, const struct errbuf *err);
    /* `size` random bytes, for the salt. */
    void (*fill_random)(void *owner, void *bytes, size_t size);
    /* The time of the closing: UTC, seconds since 1970. */
    uint64_t (*now_s)(void *owner);
    /* A file of its own, in memory, with these bytes, for a peer to read. Its descriptor, which is
     * the core's; -1: there is no memory. */
    int (*make_file)(void *owner, const void *bytes, size_t size);
};

/* What ledger_core_create() needs; copied, and what it points to is borrowed until the destroy. */
struct ledger_core_config {
    struct store *store;
    struct draw *draw;      /* what the store has recovered */
    uint32_t agencies;      /* as the settings say, like the next ones */
    uint32_t winner_number; /* DRAW_AUTO */
    struct draw_terms terms;
    size_t group_operations;              /* 0: LEDGER_GROUP_OPERATIONS */
    struct scoreboard_ledger *scoreboard; /* where it counts what is stored; NULL: nowhere */
    const struct ledger_core_events *events;
    void *owner; /* handed to all of them */
};

/* Compares the settings with what is recorded, and records them in a new draw, or a larger number
 * of agencies in an open one, and the closing if its time has come; then tells READY. INVALID when
 * the settings contradict the record; *err says what to do. NOMEM, or as store_commit(). */
enum status ledger_core_create(const struct ledger_core_config *config, struct ledger_core **out,
                               struct errbuf *err);

/* Closes all peers, and drops the group that was begun. NULL is fine. */
void ledger_core_destroy(struct ledger_core *core);

/* A client has said HELLO: its region is `region`, borrowed until it is released. It gets the news
 * at the next commit. NULL: no memory. */
struct ledger_peer *ledger_core_open(struct ledger_core *core, void *context, const char *region,
                                     size_t region_size);

/* The next message of the peer. Returns false when it breaks the rules: the owner closes the peer.
 * Commits by itself when the group is full. */
bool ledger_core_message(struct ledger_core *core, struct ledger_peer *peer,
                         const struct message *message);

/* The peer's link has ended. What it had handed in is decided and written all the same; its region
 * may be needed until the next commit: release. */
void ledger_core_close(struct ledger_core *core, struct ledger_peer *peer);

/* Is the group so large that it has to be committed before more is read? */
bool ledger_core_is_full(const struct ledger_core *core);

/* Has the draw a closing time that is still to come, so that ledger_core_tick() is to be called? */
bool ledger_core_has_deadline(const struct ledger_core *core);

/* Time has passed: closes the draw, with the next commit, if its closing time has come. */
void ledger_core_tick(struct ledger_core *core);

/* Is there anything for ledger_core_commit() to do? */
bool ledger_core_has_work(const struct ledger_core *core);

/* Makes the group durable, then sends outcomes and news. */
void ledger_core_commit(struct ledger_core *core);

/* There was nothing to do for a while. */
void ledger_core_idle(struct ledger_core *core);

/* The supervisor has sent a message of the ledger back: it knows that the draw was held. Everybody
 * is told at the next commit. */
void ledger_core_acknowledged(struct ledger_core *core);

#endif
