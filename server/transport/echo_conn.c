/* An echo connection.
 *
 * Happy path: bytes are collected up to the first line feed (or to where the peer ends its side),
 * logged, sent back unchanged, and the connection is finished.
 *
 * Failure modes: no line feed within ECHO_LINE_MAX bytes: logged, closed without an answer. The
 * peer ends its side before it sent anything: closed; the health check does this. The connection
 * breaks or takes too long: closed. TLS fails: the peer is told first.
 */
#include "echo_conn.h"

#include "buffer.h"
#include "clock.h"
#include "conn_handshake.h"
#include "log.h"
#include "log_limit.h"
#include "log_output.h"

#include <ctype.h>
#include <string.h>

struct echo_conn {
    struct conn base;   /* first: a conn of these ops is an echo_conn */
    struct buffer line; /* the part of the line that has arrived */
    uint64_t since_ms;  /* monotonic: when the connection began, or the log had room again */
};

static struct echo_conn *echo_conn_of(struct conn *base)
{
    return (struct echo_conn *)base;
}

static void echo_conn_tell_failed(struct echo_conn *conn, const char *reason)
{
    char ip[CONN_IP_SIZE];

    LOG_LIMITED(LOG_BURST, ERROR, "receive_message", FAIL, LOG_TEXT("ip", conn_ip(&conn->base, ip)),
                LOG_TEXT("reason", reason));
    conn_note_reason(&conn->base, reason);
}

static void echo_conn_fail(struct echo_conn *conn, const char *reason)
{
    echo_conn_tell_failed(conn, reason);
    stream_close(conn->base.stream);
}

/* The message for the log: without the white space at its end. */
static size_t echo_conn_trimmed_size(const struct echo_conn *conn)
{
    size_t size = conn->line.size;

    while (size > 0 && isspace((unsigned char)conn->line.data[size - 1]))
        size--;
    return size;
}

static void echo_conn_answer(struct echo_conn *conn)
{
    char ip[CONN_IP_SIZE];

    LOG(INFO, "receive_message", SUCCESS, LOG_TEXT("ip", conn_ip(&conn->base, ip)),
        LOG_SIZED("msg", conn->line.data, echo_conn_trimmed_size(conn)));
    if (stream_send(conn->base.stream, conn->line.data, conn->line.size) != STATUS_OK) {
        echo_conn_fail(conn, status_text(STATUS_NOMEM));
        return;
    }
    conn_count(&conn->base, SCOREBOARD_SENT_BYTES, conn->line.size);
    stream_finish(conn->base.stream);
}

static void echo_conn_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct echo_conn *conn = owner;
    const uint8_t *newline = memchr(data, '\n', size);
    size_t taken = newline != NULL ? (size_t)(newline - data) + 1 : size;

    conn_heard(&conn->base, true);
    conn_count(&conn->base, SCOREBOARD_RECEIVED_BYTES, size);
    if (taken > ECHO_LINE_MAX - conn->line.size)
        echo_conn_fail(conn, "line longer than 65536 bytes");
    else if (buffer_append(&conn->line, data, taken) != STATUS_OK)
        echo_conn_fail(conn, status_text(STATUS_NOMEM));
    else if (newline != NULL)
        echo_conn_answer(conn);
}

static void echo_conn_break(struct echo_conn *conn, enum status status, const char *detail)
{
    if (status == STATUS_UNTRUSTED)
        conn_note_reason(&conn->base, conn_break_reason(&conn->base, status, detail));
    else
        echo_conn_tell_failed(conn, detail);
    if (!stream_is_finishing(conn->base.stream)) /* else TLS has failed, and tells the peer why */
        stream_close(conn->base.stream);
}

static void echo_conn_on_end(void *owner, enum status status, const char *detail)
{
    struct echo_conn *conn = owner;

    if (status != STATUS_OK)
        echo_conn_break(conn, status, detail);
    else if (conn->line.size > 0)
        echo_conn_answer(conn);
    else
        stream_finish(conn->base.stream); /* also for TLS, where to close would be to cut it */
}

static void echo_conn_on_closed(void *owner)
{
    struct echo_conn *conn = owner;

    buffer_fini(&conn->line);
    conn_free(&conn->base);
}

static const struct stream_events echo_conn_events = {
    .on_connect = conn_on_connect,
    .on_data = echo_conn_on_data,
    .on_end = echo_conn_on_end,
    .on_closed = echo_conn_on_closed,
};

static enum status echo_conn_start(struct conn *base)
{
    echo_conn_of(base)->since_ms = clock_monotonic_ms();
    return stream_read_start(base->stream);
}

static void echo_conn_check(struct conn *base, uint64_t now)
{
    const struct echo_conns *all = base->set->config.context;
    struct echo_conn *conn = echo_conn_of(base);

    if (conn->since_ms < log_output_room_since_ms()) /* we did not do our part before */
        conn->since_ms = log_output_room_since_ms();
    if (!stream_is_closing(base->stream) && now - conn->since_ms >= all->timeout_ms)
        echo_conn_fail(conn, "no whole line in time, or the answer was not read");
}

/* Closes at once: an incomplete line cannot be answered any more. */
static void echo_conn_stop(struct conn *base)
{
    if (stream_is_finishing(base->stream))
        return;
    conn_note_reason(base, "the server stops");
    stream_close(base->stream);
}

const struct conn_ops echo_conn_ops = {
    .size = sizeof(struct echo_conn),
    .events = &echo_conn_events,
    .start = echo_conn_start,
    .check = echo_conn_check,
    .stop = echo_conn_stop,
};
