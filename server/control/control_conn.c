/* The connections of the operator's socket.
 *
 * Happy path: bytes become frames, frames are commands of the session, whose answers go to the
 * stream; when an answer has left, the session may go on. The peer ends its side when it knows
 * enough: the stream is closed after the last answer.
 *
 * What is read is bounded, as a peer may send one command at a time: more of them end the
 * connection. What is sent is bounded, as the session sends one page, and the next one when it has
 * left.
 *
 * Failure modes: a frame over the limit, or one that the session does not take: closed, and the log
 * says why. The peer is silent between two commands, or within a frame, or does not read: closed
 * after a time. It leaves while its command runs: the stream is closed, the rest stays until the
 * backend has ended the request. The server stops: what was answered is sent, then the stream is
 * closed.
 */
#include "control_conn.h"

#include "assertion.h"
#include "clock.h"
#include "control_session.h"
#include "frame_reader.h"
#include "log.h"
#include "log_limit.h"

#include <stdlib.h>
#include <unistd.h>

struct control_conn {
    struct control_conns *conns;
    struct stream *stream; /* NULL: it is gone */
    struct frame_reader reader;
    struct control_session session;
    struct list_node in_conns;
    uint32_t uid;      /* of the peer */
    bool has_ended;    /* the peer has ended its side: it sends no more */
    uint64_t since_ms; /* monotonic: when what the limits of time are about began */
};

void control_conns_init(struct control_conns *conns, const struct control_conns_config *config)
{
    conns->config = *config;
    list_init(&conns->conns);
    conns->count = 0;
    conns->open = 0;
}

static void control_conn_free(struct control_conn *conn)
{
    list_remove(&conn->in_conns);
    conn->conns->count--;
    free(conn);
}

static void control_conn_close(struct control_conn *conn)
{
    control_session_leave(&conn->session);
    stream_close(conn->stream);
}

/* Closes it because of what the peer did. */
static void control_conn_refuse(struct control_conn *conn, const char *reason)
{
    if (stream_is_finishing(conn->stream))
        return;
    LOG_LIMITED(LOG_BURST, WARNING, "control", FAIL, LOG_TEXT("reason", reason),
                LOG_UINT("uid", conn->uid));
    control_conn_close(conn);
}

/* Ends it after what was sent. */
static void control_conn_finish(struct control_conn *conn)
{
    control_session_leave(&conn->session);
    stream_finish(conn->stream);
}

static void control_conn_on_send(void *owner, const uint8_t *frame, size_t size)
{
    struct control_conn *conn = owner;

    conn->since_ms = clock_monotonic_ms();
    if (stream_send(conn->stream, frame, size) != STATUS_OK)
        control_conn_refuse(conn, status_text(STATUS_NOMEM));
}

static void control_conn_on_ended(void *owner)
{
    struct control_conn *conn = owner;

    if (conn->stream == NULL)
        control_conn_free(conn);
    else if (conn->has_ended && conn->session.state == CONTROL_SESSION_ANSWERED)
        control_conn_finish(conn);
}

static const struct control_session_events control_conn_session_events = {
    .send = control_conn_on_send,
    .ended = control_conn_on_ended,
};

static bool control_conn_on_frame(void *context, const struct frame *frame)
{
    struct control_conn *conn = context;
    const char *reason = control_session_take(&conn->session, frame);

    if (reason != NULL)
        control_conn_refuse(conn, reason);
    return !stream_is_finishing(conn->stream);
}

static void control_conn_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct control_conn *conn = owner;

    if (!frame_reader_is_inside(&conn->reader))
        conn->since_ms = clock_monotonic_ms();
    enum status status = frame_reader_feed(&conn->reader, data, size, control_conn_on_frame, conn);
    if (status == STATUS_MALFORMED)
        control_conn_refuse(conn, "a frame over the limit");
    else if (status == STATUS_NOMEM)
        control_conn_refuse(conn, status_text(status));
}

static void control_conn_on_end(void *owner, enum status status, const char *detail)
{
    struct control_conn *conn = owner;

    (void)detail;
    conn->has_ended = true;
    if (status != STATUS_OK)
        control_conn_close(conn);
    else if (conn->session.state == CONTROL_SESSION_IDLE)
        control_conn_finish(conn);
}

static void control_conn_on_drain(void *owner)
{
    struct control_conn *conn = owner;

    conn->since_ms = clock_monotonic_ms();
    control_session_read(&conn->session);
    if (conn->has_ended && conn->session.state == CONTROL_SESSION_IDLE)
        control_conn_finish(conn);
}

static void control_conn_on_closed(void *owner)
{
    struct control_conn *conn = owner;
    struct control_conns *conns = conn->conns;

    control_session_leave(&conn->session); /* the stream may have closed by itself */
    frame_reader_fini(&conn->reader);
    conn->stream = NULL;
    conns->open--;
    if (!control_session_is_running(&conn->session))
        control_conn_free(conn);
    conns->config.on_gone(conns->config.owner);
}

static const struct stream_events control_conn_events = {
    .on_data = control_conn_on_data,
    .on_end = control_conn_on_end,
    .on_drain = control_conn_on_drain,
    .on_closed = control_conn_on_closed,
};

enum status control_conns_add(struct control_conns *conns, int fd, uint32_t uid)
{
    const struct control_conns_config *config = &conns->config;
    struct control_conn *conn = calloc(1, sizeof(*conn));
    enum status status = STATUS_NOMEM;

    if (conn == NULL)
        goto err_close_fd;
    status = stream_create_unix(config->hub, &control_conn_events, conn, &conn->stream);
    if (status != STATUS_OK)
        goto err_free;
    /* From here on the stream has to be closed, and its on_closed frees the connection. */
    conn->conns = conns;
    conn->uid = uid;
    conn->since_ms = clock_monotonic_ms();
    frame_reader_init(&conn->reader);
    control_session_init(&conn->session, &(struct control_session_config){
                                             .backend = config->backend,
                                             .backend_owner = config->backend_owner,
                                             .events = &control_conn_session_events,
                                             .owner = conn,
                                             .instance = config->instance,
                                             .uid = uid,
                                         });
    list_append(&conns->conns, &conn->in_conns);
    conns->count++;
    conns->open++;
    status = stream_open(conn->stream, fd);
    if (status != STATUS_OK)
        (void)close(fd);
    else
        status = stream_read_start(conn->stream);
    if (status != STATUS_OK)
        stream_close(conn->stream);
    return status;

err_free:
    free(conn);
err_close_fd:
    (void)close(fd);
    return status;
}

/* Why the connection has to be closed now; NULL: it may stay. While the backend runs a command
 * there is no limit. */
static const char *control_conn_overdue(const struct control_conn *conn, uint64_t now)
{
    const struct control_conns_config *limits = &conn->conns->config;
    const uint64_t waited = now - conn->since_ms;

    if (stream_backlog(conn->stream) > 0)
        return waited >= limits->unread_ms ? "the answer is not read" : NULL;
    if (conn->session.state != CONTROL_SESSION_IDLE)
        return NULL;
    if (frame_reader_is_inside(&conn->reader))
        return waited >= limits->frame_ms ? "a frame was not completed in time" : NULL;
    return waited >= limits->idle_ms ? "no command in time" : NULL;
}

static void control_conn_check(struct control_conn *conn, uint64_t now)
{
    const char *reason = control_conn_overdue(conn, now);

    if (stream_is_finishing(conn->stream))
        return;
    if (reason != NULL)
        control_conn_refuse(conn, reason);
    /* A peer that has ended its side and is gone: what was sent to it was thrown away. */
    else if (conn->has_ended && stream_backlog(conn->stream) == 0 &&
             conn->session.state == CONTROL_SESSION_PAGING)
        control_conn_close(conn);
}

void control_conns_check(struct control_conns *conns, uint64_t now_ms)
{
    LIST_FOR_EACH (node, &conns->conns) {
        struct control_conn *conn = LIST_ITEM(node, struct control_conn, in_conns);
        if (conn->stream != NULL)
            control_conn_check(conn, now_ms);
    }
}

void control_conns_stop(struct control_conns *conns)
{
    LIST_FOR_EACH (node, &conns->conns) {
        struct control_conn *conn = LIST_ITEM(node, struct control_conn, in_conns);
        if (conn->stream == NULL)
            continue;
        control_session_stop(&conn->session);
        stream_finish(conn->stream);
    }
}

void control_conns_close(struct control_conns *conns)
{
    LIST_FOR_EACH (node, &conns->conns) {
        struct control_conn *conn = LIST_ITEM(node, struct control_conn, in_conns);
        if (conn->stream != NULL)
            control_conn_close(conn);
    }
}

void control_conns_fini(struct control_conns *conns)
{
    ASSERT(conns->open == 0);
    LIST_FOR_EACH (node, &conns->conns) {
        control_conn_free(LIST_ITEM(node, struct control_conn, in_conns));
    }
}
