/* An echo connection.
 *
 * Happy path: bytes are collected up to the first line feed (or to where the peer ends its side),
 * logged, sent back as they came, and the connection is finished.
 *
 * Failure modes: no line feed within ECHO_LINE_MAX bytes: logged, closed without an answer. The
 * peer ends its side before it sent anything: closed; that is how a health check asks whether
 * somebody is there. It breaks or takes too long: closed.
 */
#include "echo_conn.h"

#include "clock.h"
#include "log.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 1024

struct echo_conn {
    struct conn base; /* first: so a conn of these ops is an echo_conn */
    char *line;       /* what has come of it, or NULL */
    size_t size;
    size_t capacity;
    uint64_t since_ms;      /* when the connection began */
    const char *end_reason; /* static */
};

static struct echo_conn *from_base(struct conn *base)
{
    return (struct echo_conn *)base;
}

static bool add(struct echo_conn *conn, const uint8_t *data, size_t size)
{
    if (size > conn->capacity - conn->size) {
        size_t capacity = conn->capacity == 0 ? FIRST_CAPACITY : conn->capacity;
        while (capacity - conn->size < size)
            capacity *= 2;
        char *grown = realloc(conn->line, capacity);
        if (grown == NULL)
            return false;
        conn->line = grown;
        conn->capacity = capacity;
    }
    memcpy(conn->line + conn->size, data, size);
    conn->size += size;
    return true;
}

static void give_up(struct echo_conn *conn, const char *reason)
{
    char ip[CONN_IP_SIZE];

    LOG(ERROR, "receive_message", FAIL, LOG_TEXT("ip", conn_ip(&conn->base, ip)),
        LOG_TEXT("reason", reason));
    conn->end_reason = reason;
    stream_close(conn->base.stream);
}

/* The message for the log: without the white space at its end. */
static size_t trimmed_size(const struct echo_conn *conn)
{
    size_t size = conn->size;

    while (size > 0 && isspace((unsigned char)conn->line[size - 1]))
        size--;
    return size;
}

static void answer(struct echo_conn *conn)
{
    char ip[CONN_IP_SIZE];

    LOG(INFO, "receive_message", SUCCESS, LOG_TEXT("ip", conn_ip(&conn->base, ip)),
        LOG_SIZED("msg", conn->line, trimmed_size(conn)));
    if (stream_send(conn->base.stream, conn->line, conn->size) != STATUS_OK) {
        give_up(conn, status_text(STATUS_NOMEM));
        return;
    }
    stream_finish(conn->base.stream);
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct echo_conn *conn = owner;
    const uint8_t *newline = memchr(data, '\n', size);
    size_t taken = newline != NULL ? (size_t)(newline - data) + 1 : size;

    if (taken > ECHO_LINE_MAX - conn->size)
        give_up(conn, "line longer than 65536 bytes");
    else if (!add(conn, data, taken))
        give_up(conn, status_text(STATUS_NOMEM));
    else if (newline != NULL)
        answer(conn);
}

static void on_end(void *owner, enum status status, const char *detail)
{
    struct echo_conn *conn = owner;

    if (status != STATUS_OK)
        give_up(conn, detail);
    else if (conn->size > 0)
        answer(conn);
    else
        stream_close(conn->base.stream);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_closed(void *owner)
{
    struct echo_conn *conn = owner;

    free(conn->line);
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
    from_base(base)->since_ms = clock_monotonic_ms();
    return stream_read_start(base->stream);
}

static void check(struct conn *base, uint64_t now)
{
    const struct echo_conn_limits *limits = base->set->context;
    struct echo_conn *conn = from_base(base);

    if (!stream_is_closing(base->stream) && now - conn->since_ms >= limits->timeout_ms)
        give_up(conn, "no whole line in time, or the answer was not read");
}

/* A line that is not whole can not be answered any more. */
static void stop(struct conn *base)
{
    struct echo_conn *conn = from_base(base);

    if (stream_is_finishing(base->stream))
        return;
    conn->end_reason = "the server stops";
    stream_close(base->stream);
}

const struct conn_ops echo_conn_ops = {
    .size = sizeof(struct echo_conn),
    .events = &stream_events,
    .start = start,
    .check = check,
    .stop = stop,
};
