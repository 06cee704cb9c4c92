/* One end of a link.
 *
 * Happy path: what link_send() collects leaves in one sendmsg() per turn of the owner's; what
 * arrives is cut into messages and handed out as one array per read. A message with descriptors
 * has a sendmsg() of its own, because of how the kernel treats these: they belong to the first byte
 * of the call that sent them, and a read that has received some takes nothing from later calls. So
 * their message is always the last of a read.
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

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEPT_BYTES ((size_t)256 * 1024) /* of the out queue's memory, while nothing is in it */
/* Room for the descriptors of a message, in units that are aligned as their header has to be. */
#define CONTROL_HEADERS (CMSG_SPACE(sizeof(int) * MESSAGE_WINNER_FDS) / sizeof(struct cmsghdr) + 1)
#define READS_PER_TURN 16 /* of one link, even if it has more */

/* Descriptors that wait for their message to leave. */
struct link_parcel {
    struct link_parcel *next; /* of the later message; owned */
    size_t at;                /* where in the out queue the message lies */
    size_t count;
    int fds[MESSAGE_WINNER_FDS]; /* owned */
};

struct link {
    uv_poll_t poll;
    int fd;
    const struct link_events *events;
    void *owner;
    struct buffer out;                /* the out queue; [sent..size) has not left */
    size_t sent;                      /* bytes of it that have left */
    struct link_parcel *parcels;      /* in the order of their messages; owned */
    struct link_parcel **parcels_end; /* where the next one is linked in */
    bool is_broken;                   /* the other end cannot be written to any more */
    enum status failure;              /* why, if it is not that the other end is gone */
    bool is_closing;                  /* link_close was called */
    bool is_polling_out;              /* libuv waits for room in the socket */
    bool has_ended;                   /* on_end was called */
    bool is_last_read; /* nothing more will arrive: what is there is read until the end */
    size_t rest;       /* bytes of a message of which the end is missing */
    char rest_bytes[MESSAGE_SIZE];
    size_t fds_count; /* descriptors that came with the last read */
    int fds[MESSAGE_WINNER_FDS];
};

static void link_on_poll(uv_poll_t *poll, int code, int poll_events);

static void link_close_fds(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
}

static void link_drop_fds(struct link *link)
{
    link_close_fds(link->fds, link->fds_count);
    link->fds_count = 0;
}

/* The first parcel is not needed any more: closes our descriptors of what it had. */
static void link_pop_parcel(struct link *link)
{
    struct link_parcel *first = link->parcels;

    link->parcels = first->next;
    if (link->parcels == NULL)
        link->parcels_end = &link->parcels;
    link_close_fds(first->fds, first->count);
    free(first);
}

static void link_drop_out(struct link *link)
{
    while (link->parcels != NULL)
        link_pop_parcel(link);
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
    link->parcels_end = &link->parcels;
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
    ASSERT(count > 0 && count <= MESSAGE_WINNER_FDS);
    struct link_parcel *parcel = NULL;
    if (!link->is_broken && !link->is_closing)
        parcel = malloc(sizeof(*parcel));
    enum status status = parcel == NULL ? STATUS_NOMEM : link_send(link, message);
    if (status == STATUS_OK) {
        *parcel = (struct link_parcel){.at = link->out.size - sizeof(*message), .count = count};
        memcpy(parcel->fds, fds, count * sizeof(*fds));
        *link->parcels_end = parcel;
        link->parcels_end = &parcel->next;
        return STATUS_OK;
    }
    free(parcel);
    link_close_fds(fds, count);
    return link->is_broken || link->is_closing ? STATUS_OK : status;
}

size_t link_backlog(const struct link *link)
{
    return link->out.size - link->sent;
}

/* One call to the kernel: up to the next message with descriptors, or that one alone. */
static ssize_t link_write(const struct link *link, const struct link_parcel *parcel)
{
    struct cmsghdr control[CONTROL_HEADERS] = {{0}};
    size_t end = link->out.size;
    bool has_fds = parcel != NULL && parcel->at == link->sent;

    if (has_fds)
        end = parcel->at + MESSAGE_SIZE;
    else if (parcel != NULL)
        end = parcel->at;
    struct iovec bytes = {link->out.data + link->sent, end - link->sent};
    struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (has_fds) {
        size_t size = parcel->count * sizeof(int);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(control), parcel->fds, size);
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(size);
    }
    return sendmsg(link->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
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
    const struct link_parcel *parcel = link->parcels;
    bool has_fds = parcel != NULL && parcel->at == link->sent;
    ssize_t written = link_write(link, parcel);

    if (written < 0 && errno == EINTR)
        return true;
    if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    if (written < 0) {
        link_break(link, errno);
        return false;
    }
    link->sent += (size_t)written;
    if (has_fds) /* the kernel has taken them with the first byte */
        link_pop_parcel(link);
    return true;
}

/* Moves what has not left to the front, so that the memory does not grow while some is left. */
static void link_compact(struct link *link)
{
    if (link->sent < link->out.size / 2)
        return;
    link->out.size -= link->sent;
    memmove(link->out.data, link->out.data + link->sent, link->out.size);
    for (struct link_parcel *parcel = link->parcels; parcel != NULL; parcel = parcel->next)
        parcel->at -= link->sent;
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

/* Keeps the descriptors of `size` bytes at `from`; closes those that are too many. Returns whether
 * there were none of these. */
static bool link_copy_fds(struct link *link, const unsigned char *from, size_t size)
{
    size_t count = size / sizeof(int);

    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, from + i * sizeof(fd), sizeof(fd));
        if (i < MESSAGE_WINNER_FDS)
            link->fds[link->fds_count++] = fd;
        else
            (void)close(fd);
    }
    return count <= MESSAGE_WINNER_FDS;
}

/* Keeps the descriptors that came with a read. Returns false when they are not what they can be. */
static bool link_keep_fds(struct link *link, struct msghdr *header)
{
    bool is_good = (header->msg_flags & MSG_CTRUNC) == 0;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL;
         part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        link_drop_fds(link);
        is_good &= link_copy_fds(link, CMSG_DATA(part), part->cmsg_len - CMSG_LEN(0));
    }
    return is_good;
}

/* One read. Returns its size, 0 at the end, or -1 with errno; EBADMSG for bad descriptors. */
static ssize_t link_read(struct link *link, void *bytes, size_t size)
{
    struct cmsghdr control[CONTROL_HEADERS];
    struct iovec part = {bytes, size};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            /* Not all of `control`, where more descriptors may fit. */
                            .msg_controllen = CMSG_SPACE(sizeof(int) * MESSAGE_WINNER_FDS)};
    ssize_t count;

    do {
        count = recvmsg(link->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count < 0 || link_keep_fds(link, &header))
        return count;
    errno = EBADMSG;
    return -1;
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
    ssize_t count = link_read(link, bytes + link->rest, sizeof(messages) - link->rest);
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
    link_drop_fds(link);
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
    if (link->fds_count != count)
        return false;
    memcpy(fds, link->fds, count * sizeof(*fds));
    link->fds_count = 0;
    return true;
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
    link_drop_fds(link);
    uv_close((uv_handle_t *)&link->poll, link_on_closed);
    (void)close(link->fd); /* libuv stops using it within uv_close */
}
