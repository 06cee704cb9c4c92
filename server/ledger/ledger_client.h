/* ledger_client.h - a process's end of its link to the ledger.
 *
 * Encoded bets lie in a region of memory that client and ledger share; a Unix stream socket carries
 * descriptors of operations one way, and outcomes and news the other way. A part of the region is
 * free again only when the outcome of its operation has arrived, so after the ledger has died the
 * client connects again and hands in again what has no outcome yet. Each link has a region of its
 * own: a ledger that lives may still read what came over a link that the client has given up.
 */
#ifndef LOTTERY_LEDGER_CLIENT_H
#define LOTTERY_LEDGER_CLIENT_H

#include "errbuf.h"
#include "ledger.h"
#include "store.h"
#include "store_encoding.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#define LEDGER_REGION_SIZE ((size_t)8 * 1024 * 1024) /* bytes per client */
#define LEDGER_REGION_MIN ((size_t)512 * 1024)       /* and at least, with room for any batch */
#define LEDGER_FDS_MAX 70 /* descriptors that ledger_client_open_files can ask for */

struct ledger_client;

/* What ledger_client_create() needs; copied, and what it points to is borrowed until the loop has
 * run out. All callbacks happen on the loop's thread. */
struct ledger_client_config {
    uv_loop_t *loop;
    const struct sockaddr_un *address; /* where the ledger listens */
    socklen_t address_size;
    const struct store_encoding *encoding; /* NULL: this client appends no bets */
    /* The news has changed, or a link is open (again). */
    void (*on_news)(void *owner);
    /* The callbacks of several operations are about to run (true), or have run (false): the log
     * lines between are written together. NULL: not needed. */
    void (*on_batch)(void *owner, bool begins);
    void *owner; /* handed to all of them */
};

/* The first news may be taken from *ledger_client_base() only after on_news. Creates the region and
 * begins to connect, for as long as it takes. STATUS_NOMEM or STATUS_IO with a reason in *err. */
enum status ledger_client_create(const struct ledger_client_config *config,
                                 struct ledger_client **out, struct errbuf *err);

/* Is there a link, and has the ledger told its news over it? */
bool ledger_client_is_linked(const struct ledger_client *client);

/* The interface of ledger.h to it. */
struct ledger *ledger_client_base(struct ledger_client *client);

/* Tells the ledger that files of this kind, which it has said can be read, are lost or damaged. The
 * next news says so to everybody, and later ones when they were found right or made again.
 * op->status: OK, INVALID before there are any, NOSPACE, ... */
void ledger_client_files_lost(struct ledger_client *client, struct ledger_op *op,
                              enum store_files files);

/* What follows is for the coordinator. Those that return STATUS_NOMEM have not submitted *op. */

/* Closes the draw, because all agencies have finished, or an operator, the user `uid`, says so.
 * op->status: OK (for all agencies also if it was closed before), CLOSED, INVALID, NOSPACE, ... */
void ledger_client_close_draw(struct ledger_client *client, struct ledger_op *op,
                              enum draw_closed_by by, uint32_t uid);

/* Asks for `count` (up to LEDGER_FDS_MAX) new files, see store_open_files(). When op->status is OK,
 * done() takes the descriptors with ledger_client_take_fds(). Not handed in again on a new link:
 * then its status is STOPPED. */
void ledger_client_open_files(struct ledger_client *client, struct ledger_op *op,
                              enum store_files files, size_t count);

/* During done() of ledger_client_open_files or ledger_client_snapshot (one): the descriptors, which
 * the caller now owns. */
void ledger_client_take_fds(struct ledger_client *client, int *fds, size_t count);

/* The three that follow hand in what files of a kind were made for. With `is_new` the files of
 * ledger_client_open_files were written and synced, and get their names before the record is
 * written; without, those in the directory were found to be right. Once this is done and durable,
 * everybody is told. op->status: OK; STOPPED if the link was lost with files that have no names
 * yet: open and write them again; CLOSED if something else is recorded; INVALID if it is not the
 * time for it; NOSPACE, ... */

/* The seal of the closed draw. */
enum status ledger_client_seal(struct ledger_client *client, struct ledger_op *op,
                               const struct draw_sealed *sealed, bool is_new);

/* The outcome of the draw. */
enum status ledger_client_draw(struct ledger_client *client, struct ledger_op *op,
                               const struct draw_drawn *drawn, bool is_new);

/* The note of a sealed draw's outcome; no record belongs to it. */
enum status ledger_client_result(struct ledger_client *client, struct ledger_op *op, bool is_new);

/* Records what an operator did or was refused. Its text is copied. `is_minor`: it leaves room for
 * acts that are not. op->status: OK; INVALID: not a text that is allowed; NOSPACE, also when there
 * are too many acts; IO, NOMEM. */
enum status ledger_client_act(struct ledger_client *client, struct ledger_op *op,
                              const struct draw_act *act, bool is_minor);

/* Asks for a snapshot of the draw, see store_snapshot(): of all that was durable before this was
 * handed in, and perhaps of more. When op->status is OK, done() takes the descriptor of a file with
 * what it has beside the bets, with ledger_client_take_fds(). NOMEM, IO. */
void ledger_client_snapshot(struct ledger_client *client, struct ledger_op *op);

/* Closes the link. Operations that have no outcome yet end with STATUS_STOPPED during the call.
 * The client frees itself in a later turn of the loop. */
void ledger_client_close(struct ledger_client *client);

#endif
