/* The plain kinds of streams: TCP and Unix sockets. TLS does with its socket what TCP does. */
#include "stream_impl.h"
#include "stream_tcp.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define USER_TIMEOUT_MIN_MS UINT64_C(120000)
#define USER_TIMEOUT_MORE_MS 60000 /* than the owner's limit */

/* What is received is what was sent, and the other way round. */
static void plain_on_received(struct stream *stream, const uint8_t *data, size_t size)
{
    stream->events->on_data(stream->owner, data, size);
}

/* Never called: nothing is left. */
static void plain_on_unread(struct stream *stream)
{
    (void)stream;
}

static int plain_take_output(struct stream *stream)
{
    stream->writing = stream->out;
    stream->out = (struct buffer){NULL, 0, 0};
    return 0;
}

static void plain_fini(struct stream *stream)
{
    (void)stream;
}

int stream_tcp_init(uv_loop_t *loop, struct stream *stream)
{
    return uv_tcp_init(loop, &stream->handle.tcp);
}

int stream_tcp_open(struct stream *stream, int fd)
{
    return uv_tcp_open(&stream->handle.tcp, fd);
}

/* Turns Nagle's algorithm off: output is already collected into one write, so waiting for more
 * would only add latency. */
void stream_tcp_set_nodelay(struct stream *stream)
{
    (void)uv_tcp_nodelay(&stream->handle.tcp, 1);
}

static enum stream_state tcp_on_connected(struct stream *stream)
{
    stream_tcp_set_nodelay(stream);
    return STREAM_OPEN;
}

/* The user timeout also counts while the peer does not read, so it is longer than the limit that
 * the owner has for that. */
static unsigned tcp_user_timeout_ms(uint64_t limit_ms)
{
    if (limit_ms > INT_MAX - USER_TIMEOUT_MORE_MS)
        return INT_MAX;
    limit_ms += USER_TIMEOUT_MORE_MS;
    return (unsigned)(limit_ms > USER_TIMEOUT_MIN_MS ? limit_ms : USER_TIMEOUT_MIN_MS);
}

/* Keepalive probes only a quiet connection. One with bytes on the way would be given up by the
 * kernel after a quarter of an hour; the user timeout (RFC 5482) ends it sooner. */
void stream_tcp_set_keepalive(struct stream *stream, unsigned idle_s, uint64_t limit_ms)
{
    const unsigned timeout_ms = tcp_user_timeout_ms(limit_ms);
    int fd;

    (void)uv_tcp_keepalive(&stream->handle.tcp, 1, idle_s);
    if (uv_fileno(&stream->handle.any, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

bool stream_tcp_was_reset(const struct stream *stream)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    int fd;

    return uv_fileno(&stream->handle.any, &fd) == 0 &&
           getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_CLOSE;
}

static const struct stream_ops stream_tcp_ops = {
    .is_tcp = true,
    .init = stream_tcp_init,
    .open = stream_tcp_open,
    .on_connected = tcp_on_connected,
    .on_received = plain_on_received,
    .on_unread = plain_on_unread,
    .on_end = stream_report_end,
    .take_output = plain_take_output,
    .fini = plain_fini,
    .set_keepalive = stream_tcp_set_keepalive,
    .was_reset = stream_tcp_was_reset,
};

enum status stream_create_tcp(struct stream_hub *hub, const struct stream_events *events,
                              void *owner, struct stream **out)
{
    return stream_create(hub, &stream_tcp_ops, events, owner, out);
}

static int unix_init(uv_loop_t *loop, struct stream *stream)
{
    return uv_pipe_init(loop, &stream->handle.pipe, 0);
}

static int unix_open(struct stream *stream, int fd)
{
    return uv_pipe_open(&stream->handle.pipe, fd);
}

static enum stream_state unix_on_connected(struct stream *stream)
{
    (void)stream;
    return STREAM_OPEN;
}

/* Does nothing: the kernel reports the end of the other process without probes. */
static void unix_set_keepalive(struct stream *stream, unsigned idle_s, uint64_t limit_ms)
{
    (void)stream;
    (void)idle_s;
    (void)limit_ms;
}

static bool unix_was_reset(const struct stream *stream)
{
    (void)stream;
    return false;
}

static const struct stream_ops stream_unix_ops = {
    .init = unix_init,
    .open = unix_open,
    .on_connected = unix_on_connected,
    .on_received = plain_on_received,
    .on_unread = plain_on_unread,
    .on_end = stream_report_end,
    .take_output = plain_take_output,
    .fini = plain_fini,
    .set_keepalive = unix_set_keepalive,
    .was_reset = unix_was_reset,
};

enum status stream_create_unix(struct stream_hub *hub, const struct stream_events *events,
                               void *owner, struct stream **out)
{
    return stream_create(hub, &stream_unix_ops, events, owner, out);
}
