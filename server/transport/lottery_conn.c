/* A lottery connection.
 *
 * Happy path: bytes become frames, frames go to the session, its answers go to the stream. The peer
 * ends its side when it has its winners; the stream is finished when all answers are sent.
 *
 * Turns: in one turn of the loop a connection is read from once, and TURN_MESSAGES of its messages
 * are taken; if more have come, it waits in `ready` for the next turn. When a limit is reached,
 * also between two messages of one read, the rest stays in the frame reader. Of one read that is
 * not much while few connections keep a rest; while many do, all are read from in small pieces.
 *
 * States, and what ends each of them:
 *
 *   READING  a read brings more messages than belong in a turn (READY), fills the connection
 *            (HELD), or finds no room in the worker (PAUSED); the peer ends its side (ENDED)
 *   READY    the next turn of the loop; `turns` is active as long as anybody is ready
 *   HELD     what fills the connection goes: an answer is sent (on_progress), or the peer has read
 *            all answers (on_drain); if the session was closed, its last answer (on_finish)
 *   PAUSED   `turns` comes to it while the worker has room. lottery_conns_wake starts that: after
 *            an answer to anybody, when the log has room, and once a second, as an answer that
 *            nobody is left to get wakes nobody
 *   ENDED    the last answer is sent (on_progress, on_drain); the peer resets the connection, which
 *            is looked at once a second; the server stops, and the ledger has ended all messages
 *   CLOSING  the stream is closed (on_closed), about a second after all is sent at the latest
 *
 * Besides, a broken connection ends each of them, and answers that the peer does not read for too
 * long. While READING there is a limit of time for the peer's messages too; READY, HELD and PAUSED
 * are times in which it cannot send any, so they do not count.
 *
 * Failure modes: a frame over the limit ends the session with MALFORMED. The connection breaks: it
 * is closed; operations that the ledger has taken are still stored. The peer sends faster than the
 * ledger stores, or does not read: we stop reading from it until that has changed. All peers
 * together do: whoever sends more waits in `paused`, and they go on one after the other. The peer
 * takes too long: the connection is closed. The ledger takes long, or is away: the peer cannot help
 * it, so that time does not count.
 *
 * Closing: whatever the reason, the stream calls lottery_conn_on_closed once; it ends the session
 * if that is still open, and conn_free frees the memory.
 */
#include "lottery_conn.h"

#include "assertion.h"
#include "clock.h"
#include "conn_handshake.h"
#include "dispatch.h"
#include "frame_reader.h"
#include "log_output.h"
#include "session.h"
#include "tls_peer.h"

#define OUTSTANDING_MAX 1024                  /* messages */
#define REFUSED_MAX 64                        /* of these: their answers are the longest */
#define BACKLOG_MAX ((size_t)16 * 1024)       /* bytes that the peer has not read */
#define LEDGER_HIGH ((size_t)8 * 1024 * 1024) /* bytes on their way to the disk, per worker */
#define LEDGER_LOW (LEDGER_HIGH / 2)
#define MESSAGES_HIGH ((size_t)32 * 1024) /* without an answer, per worker */
#define MESSAGES_LOW (MESSAGES_HIGH / 2)
#define RESTS_MAX ((size_t)4 * 1024 * 1024) /* bytes of rests of reads, per worker */
#define TURN_MESSAGES 64                    /* taken from one connection in one turn of the loop */
#define TURN_WAKES 16                       /* paused connections that go on in one turn */
#define KEEPALIVE_S 60

enum lottery_conn_state {
    LOTTERY_CONN_HELD,    /* not read from: too much is outstanding or unread, or it was refused */
    LOTTERY_CONN_READING, /* messages are read as they arrive */
    LOTTERY_CONN_READY,   /* not read from: waits, in `ready`, for the next turn of the loop */
    LOTTERY_CONN_PAUSED,  /* not read from: waits, in `paused`, for the ledger or the log */
    LOTTERY_CONN_ENDED,   /* nothing more will be read; remaining answers are still sent */
    LOTTERY_CONN_CLOSING  /* no more answers will come; collected ones may still be sent */
};

struct lottery_conn {
    struct conn base; /* first: a conn of these ops is a lottery_conn */
    struct session session;
    struct frame_reader reader;
    enum lottery_conn_state state;
    struct list_node in_list; /* of `ready`, or of one for the paused, while the state says so */
    size_t rest;              /* bytes of the rest of a read, as counted in conns.rests */
    bool has_more;            /* messages were read that were not taken */
    bool is_woken;            /* it was paused, and may be read from before those that are */
    uint64_t now_ms;          /* when the current bytes arrived */
    uint64_t heard_ms;        /* when the last message was complete, or the connection began */
    uint64_t frame_ms;        /* when the current incomplete frame began; this and the one above
                                 move on while the peer waits for the ledger */
    uint64_t drained_ms;      /* when there was last nothing left to send */
};

static void lottery_conns_on_turn(uv_idle_t *idle);

void lottery_conns_init(struct lottery_conns *conns, const struct lottery_conns_config *config)
{
    conns->config = *config;
    list_init(&conns->ready);
    list_init(&conns->paused);
    list_init(&conns->passed_over);
    conns->rests = 0;
    conns->woken = 0;
    (void)uv_idle_init(config->loop, &conns->turns);
    conns->turns.data = conns;
}

void lottery_conns_close(struct lottery_conns *conns)
{
    uv_close((uv_handle_t *)&conns->turns, NULL);
}

static struct lottery_conn *lottery_conn_of(struct conn *base)
{
    return (struct lottery_conn *)base;
}

static struct lottery_conns *lottery_conn_shared(const struct lottery_conn *conn)
{
    return conn->base.set->config.context;
}

static void lottery_conn_set_woken(struct lottery_conn *conn, bool is_woken)
{
    struct lottery_conns *all = lottery_conn_shared(conn);

    all->woken -= conn->is_woken;
    all->woken += is_woken;
    conn->is_woken = is_woken;
}

static void lottery_conn_set_state(struct lottery_conn *conn, enum lottery_conn_state state)
{
    ASSERT(state >= conn->state || conn->state < LOTTERY_CONN_ENDED);
    struct lottery_conns *all = lottery_conn_shared(conn);
    bool was_woken = conn->is_woken;

    list_remove(&conn->in_list);
    conn->state = state;
    if (state != LOTTERY_CONN_READING)
        lottery_conn_set_woken(conn, false);
    if (state == LOTTERY_CONN_READY) {
        list_append(&all->ready, &conn->in_list);
        (void)uv_idle_start(&all->turns, lottery_conns_on_turn);
    } else if (state == LOTTERY_CONN_PAUSED) {
        list_append(was_woken ? &all->passed_over : &all->paused, &conn->in_list);
    }
}

static void lottery_conn_close(struct lottery_conn *conn, const char *reason)
{
    conn_note_reason(&conn->base, reason);
    lottery_conn_set_state(conn, LOTTERY_CONN_CLOSING);
    session_fini(&conn->session);
    stream_close(conn->base.stream);
}

/* Sends the collected answers, then closes. */
static void lottery_conn_finish(struct lottery_conn *conn, const char *reason)
{
    conn_note_reason(&conn->base, reason);
    lottery_conn_set_state(conn, LOTTERY_CONN_CLOSING);
    stream_finish(conn->base.stream);
}

/* The ledger has as much to do as we may give it, or the log has no room for what it would say. */
static bool lottery_conns_are_full(const struct lottery_conns *all)
{
    return log_output_is_full() || ledger_backlog(all->config.ledger) >= LEDGER_HIGH ||
           service_outstanding(all->config.service) >= MESSAGES_HIGH;
}

static bool lottery_conns_have_room(const struct lottery_conns *all)
{
    return !log_output_is_full() && ledger_backlog(all->config.ledger) <= LEDGER_LOW &&
           service_outstanding(all->config.service) <= MESSAGES_LOW;
}

/* Does anybody wait for the ledger or the log? */
static bool lottery_conns_wait(const struct lottery_conns *all)
{
    return !list_is_empty(&all->paused) || !list_is_empty(&all->passed_over);
}

/* Has the worker more to do than it may have, or do others wait that were there first? */
static bool lottery_conn_has_to_wait(const struct lottery_conn *conn)
{
    const struct lottery_conns *all = lottery_conn_shared(conn);

    return lottery_conns_are_full(all) || (lottery_conns_wait(all) && !conn->is_woken);
}

/* Bytes of messages that may still come until too many are outstanding. */
static size_t lottery_conn_room(const struct lottery_conn *conn)
{
    size_t max = lottery_conn_shared(conn)->config.buffered_max;
    size_t used = conn->session.outstanding_bytes;

    return used < max ? max - used : 0;
}

static bool lottery_conn_has_much_outstanding(const struct lottery_conn *conn)
{
    return conn->session.outstanding >= OUTSTANDING_MAX || lottery_conn_room(conn) == 0 ||
           conn->session.refused >= REFUSED_MAX || stream_backlog(conn->base.stream) >= BACKLOG_MAX;
}

/* Is there room for a whole read? Where that is more than the limit, only when nothing is
 * outstanding. Going on for less would mean many small reads. */
static bool lottery_conn_has_room_again(const struct lottery_conn *conn)
{
    return !lottery_conn_has_much_outstanding(conn) &&
           (lottery_conn_room(conn) >= STREAM_READ_SIZE || conn->session.outstanding_bytes == 0 ||
            conn->has_more);
}

/* Reads from the peer, maybe again. Its time begins, because until now it could not send anything;
 * only that of the handshake runs on. */
static void lottery_conn_read(struct lottery_conn *conn)
{
    if (conn->state == LOTTERY_CONN_READING)
        return;
    lottery_conn_set_state(conn, LOTTERY_CONN_READING);
    conn->frame_ms = clock_monotonic_ms();
    if (conn->session.agency != 0)
        conn->heard_ms = conn->frame_ms;
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
    if (conn->state >= LOTTERY_CONN_PAUSED || conn->session.state == SESSION_CLOSED)
        return;
    if (conn->state == LOTTERY_CONN_HELD ? !lottery_conn_has_room_again(conn)
                                         : lottery_conn_has_much_outstanding(conn))
        lottery_conn_read_stop(conn, LOTTERY_CONN_HELD);
    else if (!conn->has_more)
        lottery_conn_read(conn);
    else if (lottery_conn_has_to_wait(conn))
        lottery_conn_read_stop(conn, LOTTERY_CONN_PAUSED);
    else if (conn->state != LOTTERY_CONN_READY)
        lottery_conn_read_stop(conn, LOTTERY_CONN_READY);
}

/* What is wrong with a frame that is none. TLS begins with a record of handshake messages (RFC
 * 8446, 5.1), which can only be such a frame. */
static const char *lottery_conn_bad_frame(struct lottery_conn *conn)
{
    const uint8_t *header = frame_reader_bad_header(&conn->reader);

    if (conn->base.set->config.tls != NULL || header[0] != 0x16 || header[1] != 0x03)
        return "frame over the limit of 8192 bytes";
    conn_heard(&conn->base, false);
    conn_note_reason(&conn->base, "the peer speaks TLS, which is off here");
    return "this looks like TLS, which this server does not speak: it has no TLS_CERT, TLS_KEY and "
           "TLS_CA";
}

/* Takes the next message. Returns whether there may be another one. */
static bool lottery_conn_take_one(struct lottery_conn *conn)
{
    struct frame frame;

    switch (frame_reader_next(&conn->reader, &frame)) {
    case FRAME_NEED_MORE:
        conn->has_more = false;
        return false;
    case FRAME_BAD:
        session_malformed(&conn->session, lottery_conn_bad_frame(conn));
        return false;
    case FRAME_OK:
        break;
    }
    conn->frame_ms = conn->now_ms;
    bool goes_on = dispatch_message(&conn->session, frame.opcode, frame.body, frame.body_size);
    if (!dispatch_is_question(frame.opcode, frame.body_size))
        conn_heard(&conn->base, conn->session.agency != 0);
    if (conn->session.agency != 0) /* before that, the handshake's time limit runs on */
        conn->heard_ms = conn->now_ms;
    return goes_on;
}

/* Keeps what was not taken, and counts it. A session that takes no more messages needs nothing. */
static void lottery_conn_keep_rest(struct lottery_conn *conn)
{
    struct lottery_conns *all = lottery_conn_shared(conn);
    enum status status = STATUS_OK;

    if (conn->session.state == SESSION_CLOSED)
        frame_reader_fini(&conn->reader);
    else
        status = frame_reader_keep(&conn->reader);
    size_t memory = frame_reader_memory(&conn->reader);
    all->rests -= conn->rest;
    conn->rest = memory > FRAME_MAX_SIZE ? memory : 0;
    all->rests += conn->rest;
    if (status != STATUS_OK)
        lottery_conn_close(conn, status_text(status));
}

/* Takes messages that have arrived until a limit is reached, but not more than belong in a turn. */
static void lottery_conn_take(struct lottery_conn *conn)
{
    const struct lottery_conns *all = lottery_conn_shared(conn);
    int count = 0;

    conn->now_ms = clock_monotonic_ms();
    conn->has_more = true;
    while (count < TURN_MESSAGES && !lottery_conn_has_much_outstanding(conn) &&
           !lottery_conns_are_full(all) && lottery_conn_take_one(conn))
        count++;
    lottery_conn_set_woken(conn, false); /* it had its turn */
    lottery_conn_keep_rest(conn);
    if (conn->session.state != SESSION_CLOSED)
        lottery_conn_regulate(conn);
    else if (conn->state < LOTTERY_CONN_ENDED) /* its last answer has to wait for earlier ones */
        lottery_conn_read_stop(conn, LOTTERY_CONN_HELD);
}

/* Lets the first of the paused connections go on. Those that have to read first do so when the loop
 * comes to it, so one that does not have to waits for them. */
static void lottery_conns_wake_some(struct lottery_conns *all)
{
    for (int i = 0; i < TURN_WAKES && lottery_conns_wait(all); i++) {
        const struct list *list =
            list_is_empty(&all->passed_over) ? &all->paused : &all->passed_over;
        struct lottery_conn *conn = LIST_ITEM(list->ring.next, struct lottery_conn, in_list);
        if (lottery_conns_are_full(all) || (conn->has_more && all->woken > 0))
            return;
        lottery_conn_set_state(conn, LOTTERY_CONN_HELD);
        if (conn->has_more) {
            lottery_conn_take(conn);
        } else {
            lottery_conn_set_woken(conn, true);
            lottery_conn_read(conn);
        }
    }
}

/* Everybody who is ready gets a turn; then those who have waited longest, if there is room. */
static void lottery_conns_on_turn(uv_idle_t *idle)
{
    struct lottery_conns *all = idle->data;
    struct list ready;

    list_move(&ready, &all->ready);
    while (!list_is_empty(&ready)) {
        struct lottery_conn *conn = LIST_ITEM(ready.ring.next, struct lottery_conn, in_list);
        lottery_conn_set_state(conn, LOTTERY_CONN_HELD);
        lottery_conn_take(conn);
    }
    lottery_conns_wake_some(all);
    if (list_is_empty(&all->ready) && (!lottery_conns_wait(all) || lottery_conns_are_full(all)))
        (void)uv_idle_stop(&all->turns);
}

void lottery_conns_wake(struct lottery_conns *all)
{
    if (lottery_conns_wait(all) && lottery_conns_have_room(all))
        (void)uv_idle_start(&all->turns, lottery_conns_on_turn);
}

static void lottery_conn_on_send(void *owner, const uint8_t *frame, size_t size)
{
    struct lottery_conn *conn = owner;

    if (stream_send(conn->base.stream, frame, size) == STATUS_OK) {
        conn_count(&conn->base, SCOREBOARD_SENT_BYTES, size);
        return;
    }
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

/* As much as may still come; a whole frame always can. While the rests of reads take much memory,
 * no more than what one connection needs in any case. */
static size_t lottery_conn_on_read(void *owner)
{
    struct lottery_conn *conn = owner;
    const struct lottery_conns *all = lottery_conn_shared(conn);
    size_t room = lottery_conn_room(conn);

    if (conn->state == LOTTERY_CONN_READING && lottery_conn_has_to_wait(conn)) {
        lottery_conn_set_state(conn, LOTTERY_CONN_PAUSED);
        return 0;
    }
    if (room <= FRAME_MAX_SIZE || all->rests + STREAM_READ_SIZE > RESTS_MAX)
        return FRAME_MAX_SIZE;
    return room < STREAM_READ_SIZE ? room : STREAM_READ_SIZE;
}

static void lottery_conn_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct lottery_conn *conn = owner;

    conn_count(&conn->base, SCOREBOARD_RECEIVED_BYTES, size);
    if (!frame_reader_is_inside(&conn->reader))
        conn->frame_ms = clock_monotonic_ms();
    frame_reader_give(&conn->reader, data, size);
    lottery_conn_take(conn);
}

static void lottery_conn_on_end(void *owner, enum status status, const char *detail)
{
    struct lottery_conn *conn = owner;

    if (conn->state == LOTTERY_CONN_CLOSING)
        return;
    if (status == STATUS_OK) {
        lottery_conn_set_state(conn, LOTTERY_CONN_ENDED);
        lottery_conn_finish_if_idle(conn);
        return;
    }
    const char *reason = conn_break_reason(&conn->base, status, detail);
    if (stream_is_finishing(conn->base.stream)) /* TLS has failed, and tells the peer why */
        lottery_conn_finish(conn, reason);
    else
        lottery_conn_close(conn, reason);
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
    lottery_conn_shared(conn)->rests -= conn->rest;
    conn_free(&conn->base);
}

static const struct stream_events lottery_conn_events = {
    .on_connect = conn_on_connect,
    .on_read = lottery_conn_on_read,
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
    stream_set_keepalive(base->stream, KEEPALIVE_S, all->config.frame_ms);
    lottery_conn_read(conn);
    return STATUS_OK;
}

static void lottery_conn_prove(struct conn *base, const struct tls_peer *peer)
{
    struct lottery_conn *conn = lottery_conn_of(base);
    const bool is_agency = peer->role == TLS_PEER_AGENCY;

    session_set_proof(&conn->session, is_agency ? SESSION_PROOF_AGENCY : SESSION_PROOF_SERVER,
                      is_agency ? peer->agency : 0);
    conn->drained_ms = clock_monotonic_ms(); /* nothing could be sent before */
}

/* Does the peer wait for the ledger, for the log, or for us? */
static bool lottery_conn_is_waiting(const struct lottery_conn *conn)
{
    return conn->session.outstanding > 0 || conn->state == LOTTERY_CONN_READY ||
           conn->state == LOTTERY_CONN_PAUSED;
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

/* Stops reading. Messages that were taken are still stored and answered; then the connection
 * closes. The rest of a read is not: its messages get no answer, and the agency sends them again.
 */
static void lottery_conn_stop(struct conn *base)
{
    struct lottery_conn *conn = lottery_conn_of(base);

    if (conn->state == LOTTERY_CONN_CLOSING)
        return;
    lottery_conn_read_stop(conn, LOTTERY_CONN_ENDED);
    conn_note_reason(&conn->base, "the server stops");
    if (conn->session.outstanding == 0)
        lottery_conn_finish(conn, NULL);
}

const struct conn_ops lottery_conn_ops = {
    .size = sizeof(struct lottery_conn),
    .events = &lottery_conn_events,
    .start = lottery_conn_start,
    .prove = lottery_conn_prove,
    .check = lottery_conn_check,
    .stop = lottery_conn_stop,
};
