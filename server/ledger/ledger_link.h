/* ledger_link.h - one end of a link between the ledger and another process: messages and
 * descriptors over a Unix stream socket.
 *
 * Asynchronous, on the loop's thread; no call blocks. A link must be closed; it calls on_closed
 * once and then frees itself.
 *
 * Messages are collected by link_send() and leave in link_flush(), many in one system call. Those
 * that the kernel does not take wait in memory: the owner bounds them, by link_backlog().
 */
#ifndef LOTTERY_LEDGER_LINK_H
#define LOTTERY_LEDGER_LINK_H

#include "message.h"
#include "status.h"

#include <stddef.h>
#include <uv.h>

#define LINK_READ_MESSAGES 512 /* that one read hands out at most */

struct link;

/* What an owner wants after it was handed messages. */
enum link_verdict {
    LINK_GOES_ON, /* reads more if there is more */
    LINK_PAUSES,  /* reads more in the next turn of the loop */
    LINK_IS_BAD,  /* they break the rules: the link ends */
    LINK_NO_ROOM  /* there is no memory for what they want: the link ends */
};

struct link_events {
    /* Messages have arrived; they are valid during the call. If descriptors came with one, it is
     * the last of them: link_take_fds(). */
    enum link_verdict (*on_messages)(void *owner, const struct message *messages, size_t count);
    /* Nothing more will arrive. STATUS_OK: the other end closed the link or died, even within a
     * message; MALFORMED: what it sent breaks the rules; NOMEM; IO. The owner closes the link.
     * Called at most once. */
    void (*on_end)(void *owner, enum status status);
    /* The link is gone. */
    void (*on_closed)(void *owner);
};

/* What link_create() needs; copied, and what it points to is borrowed until on_closed. */
struct link_config {
    uv_loop_t *loop;
    int fd; /* connected, non-blocking; the link's if it was created, otherwise the caller's */
    const struct link_events *events;
    void *owner; /* handed to all of them */
};

/* Creates a link and begins to read. STATUS_NOMEM, STATUS_IO. */
enum status link_create(const struct link_config *config, struct link **out);

/* Collects a message. STATUS_NOMEM: it was not collected. Once the socket is broken, or the link
 * closing, messages are dropped with STATUS_OK: on_end follows, or was called. */
enum status link_send(struct link *link, const struct message *message);

/* Collects a message with 1..MESSAGE_FDS descriptors, which are the link's from now on,
 * whatever it returns. */
enum status link_send_fds(struct link *link, const struct message *message, const int *fds,
                          size_t count);

/* Hands to the kernel what was collected, and goes on by itself when the kernel has room again. */
void link_flush(struct link *link);

/* Bytes that are collected and have not left. */
size_t link_backlog(const struct link *link);

/* During on_messages: takes the descriptors that came with the last message of the call, if they
 * are `count`. Returns false, and takes none, when they are not. The caller owns them. Those that
 * are not taken are closed. */
bool link_take_fds(struct link *link, int *fds, size_t count);

/* Closes the link now; what was collected is lost. May be called again. */
void link_close(struct link *link);

#endif
