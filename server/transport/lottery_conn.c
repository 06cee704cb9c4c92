/* A lottery connection.
 *
 * Happy path: bytes become frames, frames go to the session, its answers go to the stream. The peer
 * ends its side when it has its winners; the stream is finished when all answers are sent.
 *
 * Failure modes: a frame over the limit ends the session with MALFORMED. The connection breaks: it
 * is closed; operations that the ledger has taken are still stored. The peer sends faster than the
 * ledger stores, or does not read: we stop reading from it until that has changed. The peer takes
 * too long: the connection is closed. The ledger takes long, or is away: the peer cannot help it,
 * so that time does not count.
 *
 * Closing: whatever the reason, the stream calls lottery_conn_on_closed once; it ends the session
 * if that is still open, and conn_free frees the memory.
 */
#include "lottery_conn.h"

#include "assertion.h"
#include "clock.h"
#include "dispatch.h"
#include "frame_reader.h"
#include "log_output.h"
#include "session.h"

#define OUTSTANDING_MAX 1024                  /* messages */
#define BACKLOG_MAX ((size_t)64 * 1024)       /* bytes that the peer has not read */
#define LEDGER_HIGH ((size_t)8 * 1024 * 1024) /* bytes on their way to the disk, per worker */
#define LEDGER_LOW (LEDGER_HIGH / 2)
#define KEEPALIVE_S 60

enum lottery_conn_state {
    LOTTERY_CONN_HELD,    /* not read from: too much is outstanding or unread, or it was refused */
    LOTTERY_CONN_READING, /* messages are read as they arrive */
    LOTTERY_CONN_PAUSED,  /* not read from: waits, in `paused`, for the ledger or the log */
    LOTTERY_CONN_ENDED,   /* nothing more will be read; remaining answers are still sent */
    LOTTERY_CONN_CLOSING  /* no more answers will come; collected ones may still be sent */
};

struct lottery_conn {
    struct conn base; /* first: a conn of these ops is a lottery_conn */
    struct session session;
    struct frame_reader reader;
    enum lottery_conn_state state;
    struct list_node in_paused; /* linked in LOTTERY_CONN_PAUSED, and only then */
    const char *end_reason;     /* for the log; static; NULL until the end begins */
    uint64_t now_ms;            /* when the current bytes arrived */
    uint64_t heard_ms;          /* when the last message was complete, or the connection began */
    uint64_t frame_ms;          /* when the current incomplete frame began; this and the one above
                                   move on while the peer waits for the ledger */
    uint64_t drained_ms;        /* when there was last nothing left to send */
};

void lottery_conns_init(struct lottery_conns *conns, const struct lottery_conns_config *config)
{
    conns->config = *config;
    list_init(&conns->paused);
}

static struct lottery_conn *lottery_conn_of(struct conn *base)
{
    return (struct lottery_conn *)base;
}

static struct lottery_conns *lottery_conn_shared(const struct lottery_conn *conn)
{
    return conn->base.set->config.context;
}

static void lottery_conn_set_state(struct lottery_conn *conn, enum lottery_conn_state state)
{
    ASSERT(state >= conn->state || conn->state < LOTTERY_CONN_ENDED);
    if (conn->state == LOTTERY_CONN_PAUSED)
        list_remove(&conn->in_paused);
    conn->state = state;
    if (state == LOTTERY_CONN_PAUSED)
        list_append(&lottery_conn_shared(conn)->paused, &conn->in_paused);
}

static void lottery_conn_note_reason(struct lottery_conn *conn, const char *reason)
{
    if (conn->end_reason == NULL)
        conn->end_reason = reason;
}

static void lottery_conn_close(struct lottery_conn *conn, const char *reason)
{
    lottery_conn_note_reason(conn, reason);
    lottery_conn_set_state(conn, LOTTERY_CONN_CLOSING);
    session_fini(&conn->session);
    stream_close(conn->base.stream);
}

/* Sends the collected answers, then closes. */
static void lottery_conn_finish(struct lottery_conn *conn, const char *reason)
{
    lottery_conn_note_reason(conn, reason);
    lottery_conn_set_state(conn, LOTTERY_CONN_CLOSING);
    stream_finish(conn->base.stream);
}

static bool lottery_conn_has_much_outstanding(const struct lottery_conn *conn)
{
    return conn->session.outstanding >= OUTSTANDING_MAX ||
           conn->session.outstanding_bytes >= lottery_conn_shared(conn)->config.buffered_max ||
           stream_backlog(conn->base.stream) >= BACKLOG_MAX;
}

static void lottery_conn_read(struct lottery_conn *conn)
{
    if (conn->state == LOTTERY_CONN_READING)
        return;
    lottery_conn_set_state(conn, LOTTERY_CONN_READING);
    if (stream_read_start(conn->base.stream) != STATUS_OK)
        lottery_conn_close(conn, "cannot read");
}

/* Stops reading; `state` says why. */
static void lottery_conn_read_stop(struct lottery_conn *conn, enum lottery_conn_state state)
{
    lottery_conn_set_state(conn, state);
    stream_read_stop(conn->base.stream);
}

/* Starts or stops reading, as the limits require. */
static void lottery_conn_regulate(struct lottery_conn *conn)
{
    if (conn->state >= LOTTERY_CONN_ENDED || conn->session.state == SESSION_CLOSED ||
        conn->state == LOTTERY_CONN_PAUSED)
        return;
    if (ledger_backlog(lottery_conn_shared(conn)->config.ledger) >= LEDGER_HIGH ||
        log_output_is_full())
        lottery_conn_read_stop(conn, LOTTERY_CONN_PAUSED);
    else if (lottery_conn_has_much_outstanding(conn))
        lottery_conn_read_stop(conn, LOTTERY_CONN_HELD);
    else
        lottery_conn_read(conn);
}

void lottery_conns_wake(struct lottery_conns *all)
{
    if (list_is_empty(&all->paused) || ledger_backlog(all->config.ledger) > LEDGER_LOW ||
        log_output_is_full())
        return;
    struct list paused;
    list_move(&paused, &all->paused);
    for (struct list_node *node; (node = list_pop(&paused)) != NULL;) {
        struct lottery_conn *conn = LIST_ITEM(node, struct lottery_conn, in_paused);
        lottery_conn_set_state(conn, LOTTERY_CONN_HELD);
        lottery_conn_regulate(conn);
    }
}

static void lottery_conn_on_send(void *owner, const uint8_t *frame, size_t size)
{
    struct lottery_conn *conn = owner;

    if (stream_send(conn->base.stream, frame, size) == STATUS_OK)
        return;
    /* No memory for the answer: the agency will ask again on its next connection. */
    lottery_conn_set_state(conn, LOTTERY_CONN_CLOSING);
    stream_close(conn->base.stream);
}

static size_t lottery_conn_on_backlog(void *owner)
{
    const struct lottery_conn *conn = owner;

    return stream_backlog(conn->base.stream);
}

static void lottery_conn_finish_if_idle(struct lottery_conn *conn)
{
    if (conn->state == LOTTERY_CONN_ENDED && session_is_idle(&conn->session))
        lottery_conn_finish(conn, "the peer is done");
}

static void lottery_conn_on_progress(void *owner)
{
    struct lottery_conn *conn = owner;

    lottery_conns_wake(lottery_conn_shared(conn));
    lottery_conn_regulate(conn);
    lottery_conn_finish_if_idle(conn);
}

static void lottery_conn_on_finish(void *owner)
{
    lottery_conn_finish(owner, "refused");
}

static const struct session_events lottery_conn_session_events = {
    .send = lottery_conn_on_send,
    .backlog = lottery_conn_on_backlog,
    .progress = lottery_conn_on_progress,
    .finish = lottery_conn_on_finish,
};

static bool lottery_conn_on_frame(void *context, const struct frame *frame)
{
    struct lottery_conn *conn = context;

    bool goes_on = dispatch_message(&conn->session, frame->opcode, frame->body, frame->body_size);
    conn->frame_ms = conn->now_ms;
    if (!dispatch_is_question(frame->opcode, frame->body_size))
        conn_heard(&conn->base, conn->session.agency != 0);
    if (conn->session.agency != 0) /* before that, the handshake's time limit runs on */
        conn->heard_ms = conn->now_ms;
    return goes_on;
}

static void lottery_conn_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct lottery_conn *conn = owner;

    conn->now_ms = clock_monotonic_ms();
    if (!frame_reader_is_inside(&conn->reader))
        conn->frame_ms = conn->now_ms;
    enum status status = frame_reader_feed(&conn->reader, data, size, lottery_conn_on_frame, conn);
    if (status == STATUS_OK) {
        lottery_conn_regulate(conn);
    } else if (status == STATUS_NOMEM) {
        lottery_conn_close(conn, status_text(status));
    } else { /* the session sends its last answer, and nothing more is read */
        if (status == STATUS_MALFORMED)
            session_malformed(&conn->session, "frame over the limit of 8192 bytes");
        if (conn->state < LOTTERY_CONN_ENDED)
            lottery_conn_read_stop(conn, LOTTERY_CONN_HELD);
    }
}

static void lottery_conn_on_end(void *owner, enum status status, const char *detail)
{
    struct lottery_conn *conn = owner;

    (void)detail;
    if (conn->state == LOTTERY_CONN_CLOSING)
        return;
    if (status != STATUS_OK) {
        lottery_conn_close(conn, "the connection broke");
        return;
    }
    lottery_conn_set_state(conn, LOTTERY_CONN_ENDED);
    lottery_conn_finish_if_idle(conn);
}

static void lottery_conn_on_drain(void *owner)
{
    struct lottery_conn *conn = owner;

    conn->drained_ms = clock_monotonic_ms();
    session_continue(&conn->session);
    lottery_conn_regulate(conn);
    lottery_conn_finish_if_idle(conn);
}

static void lottery_conn_on_closed(void *owner)
{
    struct lottery_conn *conn = owner;

    lottery_conn_set_state(conn, LOTTERY_CONN_CLOSING); /* the set may have closed the stream */
    if (conn->session.service != NULL)                  /* the conversation has begun */
        session_fini(&conn->session);
    frame_reader_fini(&conn->reader);
    conn_free(&conn->base, conn->end_reason != NULL ? conn->end_reason : "done");
}

static const struct stream_events lottery_conn_events = {
    .on_data = lottery_conn_on_data,
    .on_end = lottery_conn_on_end,
    .on_drain = lottery_conn_on_drain,
    .on_closed = lottery_conn_on_closed,
};

static enum status lottery_conn_start(struct conn *base)
{
    struct lottery_conn *conn = lottery_conn_of(base);
    struct lottery_conns *all = lottery_conn_shared(conn);

    session_init(&conn->session, all->config.service, &lottery_conn_session_events, conn);
    frame_reader_init(&conn->reader);
    conn->heard_ms = clock_monotonic_ms();
    conn->drained_ms = conn->heard_ms;
    /* Without keepalive, a peer whose machine is gone would stay connected until the draw. */
    stream_set_keepalive(base->stream, KEEPALIVE_S);
    lottery_conn_read(conn);
    return STATUS_OK;
}

/* Does the peer wait for the ledger, or for the log? */
static bool lottery_conn_is_waiting(const struct lottery_conn *conn)
{
    return conn->session.outstanding > 0 || conn->state == LOTTERY_CONN_PAUSED;
}

static const char *lottery_conn_overdue(const struct lottery_conn *conn, uint64_t now)
{
    const struct lottery_conns_config *limits = &lottery_conn_shared(conn)->config;
    const struct session *session = &conn->session;

    if (stream_backlog(conn->base.stream) > 0)
        return now - conn->drained_ms >= limits->frame_ms ? "answers are not read" : NULL;
    if (stream_is_finishing(conn->base.stream))
        return NULL; /* all answers are sent; the stream closes within its own time limit */
    if (lottery_conn_is_waiting(conn))
        return NULL;
    if (frame_reader_is_inside(&conn->reader) && now - conn->frame_ms >= limits->frame_ms)
        return "a frame was not completed in time";
    if (session->agency == 0 && now - conn->heard_ms >= limits->handshake_ms)
        return "no message in time";
    if (session->state == SESSION_BETTING && now - conn->heard_ms >= limits->idle_ms)
        return "idle for too long";
    return NULL;
}

static uint64_t later_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* While the log had no room we did not do our part, so that time does not count. */
static void lottery_conn_excuse(struct lottery_conn *conn)
{
    const uint64_t room_ms = log_output_room_since_ms();

    conn->heard_ms = later_of(conn->heard_ms, room_ms);
    conn->frame_ms = later_of(conn->frame_ms, room_ms);
    conn->drained_ms = later_of(conn->drained_ms, room_ms);
}

static void lottery_conn_check(struct conn *base, uint64_t now)
{
    struct lottery_conn *conn = lottery_conn_of(base);

    if (stream_is_closing(base->stream))
        return;
    /* Before anybody is woken: a ledger that was away for long must not end in closed connections.
     */
    if (lottery_conn_is_waiting(conn)) {
        conn->heard_ms = now;
        conn->frame_ms = now;
    }
    lottery_conn_excuse(conn);
    /* If the last operations in the ledger belonged to connections that are gone, nothing else
     * wakes the paused ones. */
    lottery_conns_wake(lottery_conn_shared(conn));
    if (stream_backlog(base->stream) == 0)
        conn->drained_ms = now;
    /* A peer that has ended its side is not read from any more, so only this shows a reset. */
    const char *reason = conn->state >= LOTTERY_CONN_ENDED && stream_was_reset(base->stream)
                             ? "the peer is gone"
                             : lottery_conn_overdue(conn, now);
    if (reason != NULL)
        lottery_conn_close(conn, reason);
}

/* Stops reading. Messages that were read are still stored and answered; then the connection closes.
 */
static void lottery_conn_stop(struct conn *base)
{
    struct lottery_conn *conn = lottery_conn_of(base);

    if (conn->state == LOTTERY_CONN_CLOSING)
        return;
    lottery_conn_read_stop(conn, LOTTERY_CONN_ENDED);
    lottery_conn_note_reason(conn, "the server stops");
    if (conn->session.outstanding == 0)
        lottery_conn_finish(conn, NULL);
}

const struct conn_ops lottery_conn_ops = {
    .size = sizeof(struct lottery_conn),
    .events = &lottery_conn_events,
    .start = lottery_conn_start,
    .check = lottery_conn_check,
    .stop = lottery_conn_stop,
};
