/* A lottery connection.
 *
 * Happy path: bytes become frames, frames go to the session, its answers go to the stream. The peer
 * ends its side when it has its winners; the stream is finished when nothing is owed any more.
 *
 * Failure modes: a frame over the limit ends the session with MALFORMED. The connection breaks: it
 * is closed; what the store was given is still stored. The peer sends faster than the store syncs,
 * or does not read: it is not read from until that has changed. It takes too long: it is closed.
 *
 * Closing: on_closed comes once, from the stream, whatever began the
 * closing; the session has left by then and the memory goes with conn_free.
 */
#include "lottery_conn.h"

#include "clock.h"
#include "frame_reader.h"

#define OUTSTANDING_MAX 1024                 /* messages */
#define BACKLOG_MAX ((size_t)64 * 1024)      /* bytes that the peer has not read */
#define STORE_HIGH ((size_t)8 * 1024 * 1024) /* bytes on their way to the disk, per worker */
#define STORE_LOW (STORE_HIGH / 2)
#define KEEPALIVE_S 60

struct lottery_conn {
    struct conn base; /* first: so a conn of these ops is a lottery_conn */
    struct session session;
    struct frame_reader reader;
    struct lottery_conn *next_paused; /* in lottery_conns.paused */
    const char *end_reason;           /* for the log; static */
    uint64_t now_ms;                  /* when the bytes that are being looked at came */
    uint64_t heard_ms;                /* when the last message was whole, or the connection began */
    uint64_t frame_ms;                /* when the frame that is incomplete now began */
    uint64_t drained_ms;              /* when nothing was left to send, for the last time */
    bool is_reading;
    bool is_paused; /* in lottery_conns.paused */
    bool has_ended; /* the peer's side is over */
};

static struct lottery_conn *from_base(struct conn *base)
{
    return (struct lottery_conn *)base;
}

static struct lottery_conns *shared(const struct lottery_conn *conn)
{
    return conn->base.set->context;
}

static void close_now(struct lottery_conn *conn, const char *reason)
{
    if (conn->end_reason == NULL)
        conn->end_reason = reason;
    session_fini(&conn->session);
    stream_close(conn->base.stream);
}

/* Says what is left to say, then closes. */
static void finish(struct lottery_conn *conn, const char *reason)
{
    if (conn->end_reason == NULL)
        conn->end_reason = reason;
    conn->is_reading = false;
    stream_finish(conn->base.stream);
}

static bool has_much_outstanding(const struct lottery_conn *conn)
{
    return conn->session.outstanding >= OUTSTANDING_MAX ||
           conn->session.outstanding_bytes >= shared(conn)->buffered_max ||
           stream_backlog(conn->base.stream) >= BACKLOG_MAX;
}

static void start_reading(struct lottery_conn *conn)
{
    if (conn->is_reading || conn->has_ended)
        return;
    conn->is_reading = true;
    if (stream_read_start(conn->base.stream) != STATUS_OK)
        close_now(conn, "can not read");
}

static void stop_reading(struct lottery_conn *conn)
{
    conn->is_reading = false;
    stream_read_stop(conn->base.stream);
}

static void pause_for_store(struct lottery_conn *conn)
{
    struct lottery_conns *all = shared(conn);

    stop_reading(conn);
    if (conn->is_paused)
        return;
    conn->is_paused = true;
    conn->next_paused = all->paused;
    all->paused = conn;
}

static void leave_paused(struct lottery_conn *conn)
{
    struct lottery_conn **link = &shared(conn)->paused;

    if (!conn->is_paused)
        return;
    while (*link != conn)
        link = &(*link)->next_paused;
    *link = conn->next_paused;
    conn->is_paused = false;
}

/* Reads on or holds back, as the limits say. */
static void regulate(struct lottery_conn *conn)
{
    struct lottery_conns *all = shared(conn);

    if (stream_is_finishing(conn->base.stream) || stream_is_closing(conn->base.stream) ||
        conn->session.state == SESSION_CLOSED)
        return;
    if (store_backlog(all->store) >= STORE_HIGH)
        pause_for_store(conn);
    else if (has_much_outstanding(conn))
        stop_reading(conn);
    else if (!conn->is_paused)
        start_reading(conn);
}

/* The store has caught up: all that waited for it may go on. */
static void wake_paused(struct lottery_conns *all)
{
    if (all->paused == NULL || store_backlog(all->store) > STORE_LOW)
        return;
    struct lottery_conn *conn = all->paused;
    all->paused = NULL;
    while (conn != NULL) {
        struct lottery_conn *next = conn->next_paused;
        conn->is_paused = false;
        regulate(conn);
        conn = next;
    }
}

static void on_session_send(void *owner, const uint8_t *frame, size_t size)
{
    struct lottery_conn *conn = owner;

    if (stream_send(conn->base.stream, frame, size) != STATUS_OK)
        stream_close(conn->base.stream); /* the agency asks again on its next connection */
}

static size_t on_session_backlog(void *owner)
{
    struct lottery_conn *conn = owner;

    return stream_backlog(conn->base.stream);
}

static void finish_if_idle(struct lottery_conn *conn)
{
    if (conn->has_ended && session_is_idle(&conn->session))
        finish(conn, "the peer is done");
}

static void on_session_progress(void *owner)
{
    struct lottery_conn *conn = owner;

    wake_paused(shared(conn));
    regulate(conn);
    finish_if_idle(conn);
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
    struct lottery_conn *conn = context;

    bool goes_on = session_receive(&conn->session, frame->opcode, frame->body, frame->body_size);
    conn->frame_ms = conn->now_ms;
    if (conn->session.agency != 0) /* who names no agency has not been heard of */
        conn->heard_ms = conn->now_ms;
    return goes_on;
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct lottery_conn *conn = owner;

    conn->now_ms = clock_monotonic_ms();
    if (!frame_reader_is_inside(&conn->reader))
        conn->frame_ms = conn->now_ms;
    enum status status = frame_reader_feed(&conn->reader, data, size, on_frame, conn);
    switch ((int)status) {
    case STATUS_OK:
        break;
    case STATUS_MALFORMED:
        session_malformed(&conn->session, "frame over the limit of 8192 bytes");
        stop_reading(conn);
        return;
    case STATUS_STOPPED:
        stop_reading(conn);
        return;
    default:
        close_now(conn, status_text(status));
        return;
    }
    regulate(conn);
}

static void on_end(void *owner, enum status status, const char *detail)
{
    struct lottery_conn *conn = owner;

    (void)detail;
    conn->has_ended = true;
    conn->is_reading = false;
    if (status != STATUS_OK) {
        close_now(conn, "the connection broke");
        return;
    }
    finish_if_idle(conn);
}

static void on_drain(void *owner)
{
    struct lottery_conn *conn = owner;

    conn->drained_ms = clock_monotonic_ms();
    session_continue(&conn->session);
    regulate(conn);
    finish_if_idle(conn);
}

static void on_closed(void *owner)
{
    struct lottery_conn *conn = owner;

    leave_paused(conn);
    session_fini(&conn->session);
    frame_reader_fini(&conn->reader);
    conn_free(&conn->base, conn->end_reason != NULL ? conn->end_reason : "done");
}

static const struct stream_events stream_events = {
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_closed = on_closed,
};

static enum status start(struct conn *base)
{
    struct lottery_conn *conn = from_base(base);
    struct lottery_conns *all = shared(conn);

    session_init(&conn->session, all->service, &session_events, conn);
    frame_reader_init(&conn->reader);
    conn->heard_ms = clock_monotonic_ms();
    conn->drained_ms = conn->heard_ms;
    /* A peer whose machine is gone would otherwise be waited for until the raffle. */
    stream_set_keepalive(base->stream, KEEPALIVE_S);
    start_reading(conn);
    return STATUS_OK;
}

static const char *overdue(const struct lottery_conn *conn, uint64_t now)
{
    const struct lottery_conns *all = shared(conn);
    const struct session *session = &conn->session;

    if (stream_backlog(conn->base.stream) > 0)
        return now - conn->drained_ms >= all->frame_ms ? "answers are not read" : NULL;
    if (stream_is_finishing(conn->base.stream))
        return NULL; /* all is said; the stream sees to the rest */
    if (session->outstanding > 0 || conn->is_paused)
        return NULL; /* it is we who owe */
    if (frame_reader_is_inside(&conn->reader) && now - conn->frame_ms >= all->frame_ms)
        return "a frame was not completed in time";
    if (session->agency == 0 && now - conn->heard_ms >= all->handshake_ms)
        return "no message in time";
    if (session->state == SESSION_BETTING && now - conn->heard_ms >= all->idle_ms)
        return "idle for too long";
    return NULL;
}

static void check(struct conn *base, uint64_t now)
{
    struct lottery_conn *conn = from_base(base);

    if (stream_is_closing(base->stream))
        return;
    /* The last operations in the store may have been those of connections that are gone. */
    wake_paused(shared(conn));
    if (stream_backlog(base->stream) == 0)
        conn->drained_ms = now;
    const char *reason =
        conn->has_ended && stream_was_reset(base->stream) ? "the peer is gone" : overdue(conn, now);
    if (reason != NULL)
        close_now(conn, reason);
}

/* What was read is finished and answered: the worker waits for the store, then closes. */
static void stop(struct conn *base)
{
    struct lottery_conn *conn = from_base(base);

    stop_reading(conn);
    conn->has_ended = true;
    leave_paused(conn);
    if (conn->end_reason == NULL)
        conn->end_reason = "the server stops";
    if (conn->session.outstanding == 0)
        finish(conn, NULL);
}

const struct conn_ops lottery_conn_ops = {
    .size = sizeof(struct lottery_conn),
    .events = &stream_events,
    .start = start,
    .check = check,
    .stop = stop,
};
