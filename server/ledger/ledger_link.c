/* One end of a link.
 *
 * Happy path: what link_send() collects leaves in one sendmsg() per turn of the owner's; what
 * arrives is cut into messages and handed out as one array per read. Where descriptors come with a
 * message, ledger_link_fds.h says how.
 *
 * Failure modes: the kernel has no room: the rest leaves when the socket is writable. The other end
 * is gone: a write fails, and nothing is sent any more, but what it had sent before is still read,
 * and then on_end is called. A write fails for another reason, such as a lack of memory: the same,
 * and the other end sees the end of the link, too. It sends what is not a message, or more
 * descriptors than there can be: on_end with MALFORMED.
 */
#include "ledger_link.h"

#include "assertion.h"
#include "buffer.h"
#include "ledger_link_fds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEPT_BYTES ((size_t)256 * 1024) /* of the out queue's memory, while nothing is in it */
#define READS_PER_TURN 16               /* of one link, even if it has more */

struct link {
    uv_poll_t poll;
    int fd;
    const struct link_events *events;
    void *owner;
    struct buffer out;           /* the out queue; [sent..size) has not left */
    size_t sent;                 /* bytes of it that have left */
    struct link_parcels parcels; /* the descriptors of messages in it */
    bool is_broken;              /* the other end cannot be written to any more */
    enum status failure;         /* why, if it is not that the other end is gone */
    bool is_closing;             /* link_close was called */
    bool is_polling_out;         /* libuv waits for room in the socket */
    bool has_ended;              /* on_end was called */
    bool is_last_read;           /* nothing more will arrive: what is there is read until the end */
    struct link_fds fds;         /* that came with the last read */
    size_t rest;                 /* bytes of a message of which the end is missing */
    char rest_bytes[MESSAGE_SIZE];
};

static void link_on_poll(uv_poll_t *poll, int code, int poll_events);

static void link_drop_out(struct link *link)
{
    link_parcels_drop(&link->parcels);
    link->out.size = 0;
    link->sent = 0;
}

static void link_end(struct link *link, enum status status)
{
    if (link->has_ended || link->is_closing)
        return;
    if (status == STATUS_OK)
        status = link->failure;
    link->has_ended = true;
    link->is_broken = true;
    link_drop_out(link);
    (void)uv_poll_stop(&link->poll);
    link->events->on_end(link->owner, status);
}

/* Tells libuv what to wait for. */
static void link_poll(struct link *link, bool is_polling_out)
{
    link->is_polling_out = is_polling_out;
    int events = is_polling_out ? UV_READABLE | UV_WRITABLE : UV_READABLE;
    /* Fails only for descriptors that cannot be polled, which link_create() has seen. */
    (void)uv_poll_start(&link->poll, events, link_on_poll);
}

enum status link_create(const struct link_config *config, struct link **out)
{
    struct link *link = calloc(1, sizeof(*link));

    ASSERT(config->events->on_messages != NULL && config->events->on_end != NULL &&
           config->events->on_closed != NULL);
    if (link == NULL)
        return STATUS_NOMEM;
    link->fd = config->fd;
    link->events = config->events;
    link->owner = config->owner;
    link_parcels_init(&link->parcels);
    if (uv_poll_init(config->loop, &link->poll, config->fd) < 0) {
        free(link);
        return STATUS_IO;
    }
    link->poll.data = link;
    link_poll(link, false);
    *out = link;
    return STATUS_OK;
}

enum status link_send(struct link *link, const struct message *message)
{
    if (link->is_broken || link->is_closing)
        return STATUS_OK;
    return buffer_append(&link->out, message, sizeof(*message));
}

enum status link_send_fds(struct link *link, const struct message *message, const int *fds,
                          size_t count)
{
    size_t at = link->out.size;
    bool is_dropped = link->is_broken || link->is_closing;

    enum status status = link_send(link, message);
    if (status == STATUS_OK && !is_dropped) {
        status = link_parcels_add(&link->parcels, at, fds, count);
        if (status == STATUS_OK)
            return STATUS_OK;
        link->out.size = at;
    }
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
    return status;
}

size_t link_backlog(const struct link *link)
{
    return link->out.size - link->sent;
}

/* Everything has left. */
static void link_drained(struct link *link)
{
    if (link->out.capacity > KEPT_BYTES)
        buffer_fini(&link->out);
    link->out.size = 0;
    link->sent = 0;
    if (link->is_polling_out)
        link_poll(link, false);
}

/* A write has failed for good. If the other end is gone, reads will tell; otherwise neither end
 * would learn of it. A lack of memory is no reason to wait: the socket may be writable all the
 * time. */
static void link_break(struct link *link, int error)
{
    link->is_broken = true;
    link_drop_out(link);
    if (error == EPIPE || error == ECONNRESET)
        return;
    link->failure = status_from_errno(error);
    (void)shutdown(link->fd, SHUT_RDWR);
}

/* Returns false when the kernel takes no more for now. */
static bool link_write_some(struct link *link)
{
    ssize_t written = link_parcels_write(&link->parcels, link->fd, &link->out, link->sent);

    if (written < 0 && errno == EINTR)
        return true;
    if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    if (written < 0) {
        link_break(link, errno);
        return false;
    }
    link->sent += (size_t)written;
    return true;
}

/* Moves what has not left to the front, so that the memory does not grow while some is left. */
static void link_compact(struct link *link)
{
    if (link->sent < link->out.size / 2)
        return;
    link->out.size -= link->sent;
    memmove(link->out.data, link->out.data + link->sent, link->out.size);
    link_parcels_shift(&link->parcels, link->sent);
    link->sent = 0;
}

void link_flush(struct link *link)
{
    if (link->is_polling_out || link_backlog(link) == 0)
        return;
    while (link_backlog(link) > 0 && link_write_some(link))
        ;
    if (link->is_broken || link->is_closing)
        return;
    if (link_backlog(link) == 0) {
        link_drained(link);
        return;
    }
    link_compact(link);
    link_poll(link, true);
}

/* There is nothing to read now. */
static void link_wait(struct link *link)
{
    if (link->is_last_read)
        link_end(link, STATUS_IO);
}

static void link_read_failed(struct link *link, ssize_t count)
{
    /* Closed, or died: perhaps within a message, or (ECONNRESET) before it had read all. */
    if (count == 0 || errno == ECONNRESET)
        link_end(link, STATUS_OK);
    else if (errno == EBADMSG)
        link_end(link, STATUS_MALFORMED);
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
        link_wait(link);
    else
        link_end(link, errno == ENOMEM ? STATUS_NOMEM : STATUS_IO);
}

/* Returns whether there may be more to read at once. */
static bool link_read_some(struct link *link)
{
    /* In front of what is read there is room for the rest of the read before. */
    struct message messages[LINK_READ_MESSAGES];
    char *bytes = (char *)messages;

    memcpy(bytes, link->rest_bytes, link->rest);
    ssize_t count =
        link_fds_read(&link->fds, link->fd, bytes + link->rest, sizeof(messages) - link->rest);
    if (count <= 0) {
        link_read_failed(link, count);
        return false;
    }
    size_t size = link->rest + (size_t)count;
    size_t whole = size / MESSAGE_SIZE;
    link->rest = size % MESSAGE_SIZE;
    memcpy(link->rest_bytes, bytes + whole * MESSAGE_SIZE, link->rest);
    if (whole == 0)
        return false;
    enum link_verdict verdict = link->events->on_messages(link->owner, messages, whole);
    link_fds_drop(&link->fds);
    if (verdict == LINK_IS_BAD)
        link_end(link, STATUS_MALFORMED);
    if (verdict == LINK_NO_ROOM)
        link_end(link, STATUS_NOMEM);
    return verdict == LINK_GOES_ON && size == sizeof(messages) && !link->is_closing;
}

static void link_on_poll(uv_poll_t *poll, int code, int poll_events)
{
    struct link *link = poll->data;

    if (code < 0) {
        /* The socket has an error, and libuv stops to watch it. So it is when the other end died
         * before it had read everything; what it had written is still to be read. */
        link->is_last_read = true;
        while (!link->is_closing && !link->has_ended)
            (void)link_read_some(link);
        return;
    }
    if ((poll_events & UV_WRITABLE) != 0) {
        link_poll(link, false);
        link_flush(link);
    }
    if ((poll_events & UV_READABLE) == 0 || link->is_closing || link->has_ended)
        return;
    for (unsigned i = 0; i < READS_PER_TURN && link_read_some(link); i++)
        ;
}

bool link_take_fds(struct link *link, int *fds, size_t count)
{
    return link_fds_take(&link->fds, fds, count);
}

static void link_on_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;

    buffer_fini(&link->out);
    link->events->on_closed(link->owner);
    free(link);
}

void link_close(struct link *link)
{
    if (link->is_closing)
        return;
    link->is_closing = true;
    link_drop_out(link);
    link_fds_drop(&link->fds);
    uv_close((uv_handle_t *)&link->poll, link_on_closed);
    (void)close(link->fd); /* libuv stops using it within uv_close */
}
