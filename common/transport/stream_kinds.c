/* The two kinds of streams: TCP and Unix sockets. */
#include "stream_impl.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define USER_TIMEOUT_MIN_MS UINT64_C(120000)
#define USER_TIMEOUT_MORE_MS 60000 /* than the owner's limit */

static int tcp_init(uv_loop_t *loop, struct stream *stream)
{
    return uv_tcp_init(loop, &stream->handle.tcp);
}

static int tcp_open(struct stream *stream, int fd)
{
    return uv_tcp_open(&stream->handle.tcp, fd);
}

/* Turns Nagle's algorithm off: output is already collected into one write, so waiting for more
 * would only add latency. */
static void tcp_on_connected(struct stream *stream)
{
    (void)uv_tcp_nodelay(&stream->handle.tcp, 1);
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
static void tcp_set_keepalive(struct stream *stream, unsigned idle_s, uint64_t limit_ms)
{
    const unsigned timeout_ms = tcp_user_timeout_ms(limit_ms);
    int fd;

    (void)uv_tcp_keepalive(&stream->handle.tcp, 1, idle_s);
    if (uv_fileno(&stream->handle.any, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

static bool tcp_was_reset(const struct stream *stream)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    int fd;

    return uv_fileno(&stream->handle.any, &fd) == 0 &&
           getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_CLOSE;
}

const struct stream_ops stream_tcp_ops = {
    .init = tcp_init,
    .open = tcp_open,
    .on_connected = tcp_on_connected,
    .set_keepalive = tcp_set_keepalive,
    .was_reset = tcp_was_reset,
};

static int unix_init(uv_loop_t *loop, struct stream *stream)
{
    return uv_pipe_init(loop, &stream->handle.pipe, 0);
}

static int unix_open(struct stream *stream, int fd)
{
    return uv_pipe_open(&stream->handle.pipe, fd);
}

static void unix_on_connected(struct stream *stream)
{
    (void)stream;
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

const struct stream_ops stream_unix_ops = {
    .init = unix_init,
    .open = unix_open,
    .on_connected = unix_on_connected,
    .set_keepalive = unix_set_keepalive,
    .was_reset = unix_was_reset,
};
