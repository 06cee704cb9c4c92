#include "ctl_link.h"

#include "assertion.h"
#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ATTEMPT_MS 20    /* between two attempts */
#define STARTING_MS 1000 /* how long nobody may listen: a server that starts needs a moment */

void ctl_link_init(struct ctl_link *link, const char *path)
{
    *link = (struct ctl_link){.path = path, .fd = -1};
}

void ctl_link_close(struct ctl_link *link)
{
    if (link->fd >= 0)
        (void)close(link->fd);
    link->fd = -1;
    link->size = 0;
    link->taken = 0;
}

static enum status ctl_link_fail(const struct ctl_link *link, enum status status,
                                 const char *reason, struct errbuf *err)
{
    errbuf_set(err, "%s: %s", link->path, reason);
    return status;
}

/* What the reasons of a failed attempt usually mean. */
static const char *ctl_link_advice(int error)
{
    switch (error) {
    case ENOENT:
        return "; does a server run on this data directory?";
    case ECONNREFUSED:
        return "; the server does not run";
    case EACCES:
        return "; only root and the server's user may";
    default:
        return "";
    }
}

/* Waits for the events, for at most `limit_ms`. */
static enum status ctl_link_wait(const struct ctl_link *link, short events, uint64_t limit_ms,
                                 struct errbuf *err)
{
    struct pollfd poll_fd = {.fd = link->fd, .events = events};
    const struct timespec limit = {(time_t)(limit_ms / 1000),
                                   (long)(limit_ms % 1000) * (long)NS_PER_MS};

    int count = ppoll(&poll_fd, 1, limit_ms == CTL_NO_LIMIT ? NULL : &limit, link->mask);
    if (count > 0)
        return STATUS_OK;
    if (count == 0)
        return ctl_link_fail(link, STATUS_IO, "the server does not answer", err);
    int error = errno;
    return ctl_link_fail(link, error == EINTR ? STATUS_STOPPED : STATUS_IO, strerror(error), err);
}

/* May the next attempt go better? Too many wait to be accepted; or nobody listens yet, as when the
 * server has just started, or starts what answers here again. */
static bool ctl_link_may_wait(int error, uint64_t waited_ms)
{
    return error == EAGAIN ||
           ((error == ENOENT || error == ECONNREFUSED) && waited_ms < STARTING_MS);
}

/* Tries until somebody listens, and the queue of the socket has room. */
static enum status ctl_link_connect(struct ctl_link *link, const struct sockaddr_un *address,
                                    struct errbuf *err)
{
    const uint64_t begin_ms = clock_monotonic_ms();

    while (connect(link->fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
        int error = errno;
        const uint64_t waited_ms = clock_monotonic_ms() - begin_ms;
        if (!ctl_link_may_wait(error, waited_ms)) {
            errbuf_set(err, "%s: %s%s", link->path, strerror(error), ctl_link_advice(error));
            return status_from_errno(error);
        }
        if (waited_ms >= CTL_CONNECT_MS)
            return ctl_link_fail(link, STATUS_IO, "the server does not answer", err);
        const struct timespec pause = {0, ATTEMPT_MS * (long)NS_PER_MS};
        if (ppoll(NULL, 0, &pause, link->mask) < 0)
            return ctl_link_fail(link, STATUS_STOPPED, strerror(errno), err);
    }
    return STATUS_OK;
}

enum status ctl_link_open(struct ctl_link *link, struct errbuf *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t size = strlen(link->path);

    if (link->fd >= 0)
        return STATUS_OK;
    if (size >= sizeof(address.sun_path))
        return ctl_link_fail(link, STATUS_INVALID, "the path is too long for a socket", err);
    memcpy(address.sun_path, link->path, size);
    link->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link->fd < 0)
        return ctl_link_fail(link, STATUS_IO, strerror(errno), err);
    enum status status = ctl_link_connect(link, &address, err);
    if (status != STATUS_OK)
        ctl_link_close(link);
    return status;
}

enum status ctl_link_send(struct ctl_link *link, uint8_t opcode, const ProtobufCMessage *message,
                          struct errbuf *err)
{
    uint8_t frame[FRAME_MAX_SIZE];
    const size_t body_size = protobuf_c_message_get_packed_size(message);

    ASSERT(body_size <= FRAME_BODY_MAX);
    frame_header_write(frame, opcode, body_size);
    (void)protobuf_c_message_pack(message, frame + FRAME_HEADER_SIZE);
    for (size_t sent = 0; sent < FRAME_HEADER_SIZE + body_size;) {
        ssize_t count =
            send(link->fd, frame + sent, FRAME_HEADER_SIZE + body_size - sent, MSG_NOSIGNAL);
        if (count >= 0) {
            sent += (size_t)count;
            continue;
        }
        if (errno != EAGAIN)
            return ctl_link_fail(link, errno == EPIPE ? STATUS_GONE : STATUS_IO, strerror(errno),
                                 err);
        enum status status = ctl_link_wait(link, POLLOUT, CTL_CONNECT_MS, err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Reads what is there. */
static enum status ctl_link_receive(struct ctl_link *link, struct errbuf *err)
{
    ssize_t count = recv(link->fd, link->in + link->size, sizeof(link->in) - link->size, 0);

    if (count > 0) {
        link->size += (size_t)count;
        return STATUS_OK;
    }
    if (count == 0 || errno == ECONNRESET)
        return ctl_link_fail(link, STATUS_GONE, "the server has ended the connection", err);
    if (errno == EAGAIN)
        return STATUS_OK;
    return ctl_link_fail(link, STATUS_IO, strerror(errno), err);
}

enum status ctl_link_read(struct ctl_link *link, struct frame *out, uint64_t limit_ms,
                          struct errbuf *err)
{
    memmove(link->in, link->in + link->taken, link->size - link->taken);
    link->size -= link->taken;
    link->taken = 0;
    for (;;) {
        enum frame_result result = frame_decode(link->in, link->size, out);
        if (result == FRAME_BAD)
            return ctl_link_fail(link, STATUS_MALFORMED, "that is not a server of the lottery",
                                 err);
        if (result == FRAME_OK) {
            link->taken = frame_size(out);
            return STATUS_OK;
        }
        enum status status = ctl_link_wait(link, POLLIN, limit_ms, err);
        if (status == STATUS_OK)
            status = ctl_link_receive(link, err);
        if (status != STATUS_OK)
            return status;
    }
}
