/* A lottery connection.
 *
 * Happy path: bytes become frames, frames go to the session, its answers go to the stream. The peer
 * ends its side when it has its winners; the stream is finished when nothing is owed any more.
 *
 * Failure modes: a frame over the limit ends the session with MALFORMED. The connection breaks: it
 * is closed; what the store was given is still stored. The peer sends faster than the store syncs,
 * or does not read: it is not read from until that has changed. It takes too long: it is closed.
 *
 * Closing: connection_kind.events.on_closed comes once, from the stream, whatever began the
 * closing; the session has left by then and the memory goes with peer_free.
 */
#include "lottery_conn.h"

#include "clock.h"
#include "frame_reader.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#define OUTSTANDING_MAX 1024                 /* messages */
#define BACKLOG_MAX ((size_t)64 * 1024)      /* bytes that the peer has not read */
#define STORE_HIGH ((size_t)8 * 1024 * 1024) /* bytes on their way to the disk, per worker */
#define STORE_LOW (STORE_HIGH / 2)
#define KEEPALIVE_S 60

struct connection {
    struct peer peer; /* first: a peer of this kind is a connection */
    struct session session;
    struct frame_reader reader;
    struct connection *next_paused; /* in connections.paused */
    const char *end_reason;         /* for the log; static */
    uint64_t now_ms;                /* when the bytes that are being looked at came */
    uint64_t heard_ms;              /* when the last message was whole, or the connection began */
    uint64_t frame_ms;              /* when the frame that is incomplete now began */
    uint64_t drained_ms;            /* when nothing was left to send, for the last time */
    bool is_reading;
    bool is_paused; /* in connections.paused */
    bool has_ended; /* the peer's side is over */
};

static struct connection *from_peer(struct peer *peer)
{
    return (struct connection *)peer;
}

static struct connections *shared(const struct connection *connection)
{
    return connection->peer.set->context;
}

static void close_now(struct connection *connection, const char *reason)
{
    if (connection->end_reason == NULL)
        connection->end_reason = reason;
    session_fini(&connection->session);
    stream_close(&connection->peer.stream);
}

/* Says what is left to say, then closes. */
static void finish(struct connection *connection, const char *reason)
{
    if (connection->end_reason == NULL)
        connection->end_reason = reason;
    connection->is_reading = false;
    stream_finish(&connection->peer.stream);
}

static bool has_much_outstanding(const struct connection *connection)
{
    return connection->session.outstanding >= OUTSTANDING_MAX ||
           connection->session.outstanding_bytes >= shared(connection)->buffered_max ||
           stream_backlog(&connection->peer.stream) >= BACKLOG_MAX;
}

static void start_reading(struct connection *connection)
{
    if (connection->is_reading || connection->has_ended)
        return;
    connection->is_reading = true;
    if (stream_read_start(&connection->peer.stream) != STATUS_OK)
        close_now(connection, "can not read");
}

static void stop_reading(struct connection *connection)
{
    connection->is_reading = false;
    stream_read_stop(&connection->peer.stream);
}

static void pause_for_store(struct connection *connection)
{
    struct connections *all = shared(connection);

    stop_reading(connection);
    if (connection->is_paused)
        return;
    connection->is_paused = true;
    connection->next_paused = all->paused;
    all->paused = connection;
}

static void leave_paused(struct connection *connection)
{
    struct connection **link = &shared(connection)->paused;

    if (!connection->is_paused)
        return;
    while (*link != connection)
        link = &(*link)->next_paused;
    *link = connection->next_paused;
    connection->is_paused = false;
}

/* Reads on or holds back, as the limits say. */
static void regulate(struct connection *connection)
{
    struct connections *all = shared(connection);

    if (connection->peer.stream.is_finishing || connection->peer.stream.is_closing ||
        connection->session.state == SESSION_CLOSED)
        return;
    if (store_backlog(all->store) >= STORE_HIGH)
        pause_for_store(connection);
    else if (has_much_outstanding(connection))
        stop_reading(connection);
    else if (!connection->is_paused)
        start_reading(connection);
}

/* The store has caught up: all that waited for it may go on. */
static void wake_paused(struct connections *all)
{
    if (all->paused == NULL || store_backlog(all->store) > STORE_LOW)
        return;
    struct connection *connection = all->paused;
    all->paused = NULL;
    while (connection != NULL) {
        struct connection *next = connection->next_paused;
        connection->is_paused = false;
        regulate(connection);
        connection = next;
    }
}

static void on_session_send(void *owner, const uint8_t *frame, size_t size)
{
    struct connection *connection = owner;

    if (stream_send(&connection->peer.stream, frame, size) != STATUS_OK)
        stream_close(&connection->peer.stream); /* the agency asks again on its next connection */
}

static size_t on_session_backlog(void *owner)
{
    struct connection *connection = owner;

    return stream_backlog(&connection->peer.stream);
}

static void finish_if_idle(struct connection *connection)
{
    if (connection->has_ended && session_is_idle(&connection->session))
        finish(connection, "the peer is done");
}

static void on_session_progress(void *owner)
{
    struct connection *connection = owner;

    wake_paused(shared(connection));
    regulate(connection);
    finish_if_idle(connection);
}

static void on_session_finish(void *owner)
{
    finish(owner, "refused");
}

static const struct session_events session_events = {
    .send = on_session_send,
    .backlog = on_session_backlog,
    .progress = on_session_progress,
    .finish = on_session_finish,
};

static bool on_frame(void *context, const struct frame *frame)
{
    struct connection *connection = context;

    bool goes_on =
        session_receive(&connection->session, frame->opcode, frame->body, frame->body_size);
    connection->frame_ms = connection->now_ms;
    if (connection->session.agency != 0) /* who names no agency has not been heard of */
        connection->heard_ms = connection->now_ms;
    return goes_on;
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct connection *connection = owner;

    connection->now_ms = clock_monotonic_ms();
    if (!frame_reader_is_inside(&connection->reader))
        connection->frame_ms = connection->now_ms;
    enum status status = frame_reader_feed(&connection->reader, data, size, on_frame, connection);
    switch ((int)status) {
    case STATUS_OK:
        break;
    case STATUS_MALFORMED:
        session_malformed(&connection->session, "frame over the limit of 8192 bytes");
        stop_reading(connection);
        return;
    case STATUS_STOPPED:
        stop_reading(connection);
        return;
    default:
        close_now(connection, status_text(status));
        return;
    }
    regulate(connection);
}

static void on_end(void *owner, enum status status, const char *detail)
{
    struct connection *connection = owner;

    (void)detail;
    connection->has_ended = true;
    connection->is_reading = false;
    if (status != STATUS_OK) {
        close_now(connection, "the connection broke");
        return;
    }
    finish_if_idle(connection);
}

static void on_drain(void *owner)
{
    struct connection *connection = owner;

    connection->drained_ms = clock_monotonic_ms();
    session_continue(&connection->session);
    regulate(connection);
    finish_if_idle(connection);
}

static void on_closed(void *owner)
{
    struct connection *connection = owner;

    leave_paused(connection);
    session_fini(&connection->session);
    frame_reader_fini(&connection->reader);
    peer_free(&connection->peer, connection->end_reason != NULL ? connection->end_reason : "done");
}

static const struct stream_events stream_events = {
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_closed = on_closed,
};

static enum status start(struct peer *peer)
{
    struct connection *connection = from_peer(peer);
    struct connections *all = shared(connection);

    session_init(&connection->session, all->service, &session_events, connection);
    frame_reader_init(&connection->reader);
    connection->heard_ms = clock_monotonic_ms();
    connection->drained_ms = connection->heard_ms;
    /* A peer whose machine is gone would otherwise be waited for until the raffle. */
    (void)uv_tcp_keepalive(&peer->stream.handle.tcp, 1, KEEPALIVE_S);
    start_reading(connection);
    return STATUS_OK;
}

/* The peer has ended its side; does anybody still hold the other end? Reading would not tell. */
static bool is_reset(const struct connection *connection)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    int fd;

    return uv_fileno(&connection->peer.stream.handle.any, &fd) == 0 &&
           getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_CLOSE;
}

static const char *overdue(const struct connection *connection, uint64_t now)
{
    const struct connections *all = shared(connection);
    const struct session *session = &connection->session;

    if (stream_backlog(&connection->peer.stream) > 0)
        return now - connection->drained_ms >= all->frame_ms ? "answers are not read" : NULL;
    if (connection->peer.stream.is_finishing)
        return NULL; /* all is said; the stream sees to the rest */
    if (session->outstanding > 0 || connection->is_paused)
        return NULL; /* it is we who owe */
    if (frame_reader_is_inside(&connection->reader) && now - connection->frame_ms >= all->frame_ms)
        return "a frame was not completed in time";
    if (session->agency == 0 && now - connection->heard_ms >= all->handshake_ms)
        return "no message in time";
    if (session->state == SESSION_BETTING && now - connection->heard_ms >= all->idle_ms)
        return "idle for too long";
    return NULL;
}

static void check(struct peer *peer, uint64_t now)
{
    struct connection *connection = from_peer(peer);

    if (peer->stream.is_closing)
        return;
    /* The last operations in the store may have been those of connections that are gone. */
    wake_paused(shared(connection));
    if (stream_backlog(&peer->stream) == 0)
        connection->drained_ms = now;
    const char *reason = connection->has_ended && is_reset(connection) ? "the peer is gone"
                                                                       : overdue(connection, now);
    if (reason != NULL)
        close_now(connection, reason);
}

/* What was read is finished and answered: the worker waits for the store, then closes. */
static void stop(struct peer *peer)
{
    struct connection *connection = from_peer(peer);

    stop_reading(connection);
    connection->has_ended = true;
    leave_paused(connection);
    if (connection->end_reason == NULL)
        connection->end_reason = "the server stops";
    if (connection->session.outstanding == 0)
        finish(connection, NULL);
}

const struct peer_kind connection_kind = {
    .size = sizeof(struct connection),
    .events = &stream_events,
    .start = start,
    .check = check,
    .stop = stop,
};
