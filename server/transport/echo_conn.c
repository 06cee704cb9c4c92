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

#define FIRST_ROOM 1024

struct echo {
    struct peer peer; /* first: a peer of this kind is an echo */
    char *line;       /* what has come of it, or NULL */
    size_t size;
    size_t room;
    uint64_t since_ms;      /* when the connection began */
    const char *end_reason; /* static */
};

static struct echo *from_peer(struct peer *peer)
{
    return (struct echo *)peer;
}

static bool add(struct echo *echo, const uint8_t *data, size_t size)
{
    if (size > echo->room - echo->size) {
        size_t room = echo->room == 0 ? FIRST_ROOM : echo->room;
        while (room - echo->size < size)
            room *= 2;
        char *grown = realloc(echo->line, room);
        if (grown == NULL)
            return false;
        echo->line = grown;
        echo->room = room;
    }
    memcpy(echo->line + echo->size, data, size);
    echo->size += size;
    return true;
}

static void give_up(struct echo *echo, const char *reason)
{
    char ip[PEER_IP_SIZE];

    LOG(ERROR, "receive_message", FAIL, LOG_TEXT("ip", peer_ip(&echo->peer, ip)),
        LOG_TEXT("reason", reason));
    echo->end_reason = reason;
    stream_close(&echo->peer.stream);
}

/* The message for the log: without the white space at its end. */
static size_t trimmed_size(const struct echo *echo)
{
    size_t size = echo->size;

    while (size > 0 && isspace((unsigned char)echo->line[size - 1]))
        size--;
    return size;
}

static void answer(struct echo *echo)
{
    char ip[PEER_IP_SIZE];

    LOG(INFO, "receive_message", SUCCESS, LOG_TEXT("ip", peer_ip(&echo->peer, ip)),
        LOG_SIZED("msg", echo->line, trimmed_size(echo)));
    if (stream_send(&echo->peer.stream, echo->line, echo->size) != STATUS_OK) {
        give_up(echo, status_text(STATUS_NOMEM));
        return;
    }
    stream_finish(&echo->peer.stream);
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct echo *echo = owner;
    const uint8_t *feed = memchr(data, '\n', size);
    size_t taken = feed != NULL ? (size_t)(feed - data) + 1 : size;

    if (taken > ECHO_LINE_MAX - echo->size)
        give_up(echo, "line longer than 65536 bytes");
    else if (!add(echo, data, taken))
        give_up(echo, status_text(STATUS_NOMEM));
    else if (feed != NULL)
        answer(echo);
}

static void on_end(void *owner, enum status status, const char *detail)
{
    struct echo *echo = owner;

    if (status != STATUS_OK)
        give_up(echo, detail);
    else if (echo->size > 0)
        answer(echo);
    else
        stream_close(&echo->peer.stream);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_closed(void *owner)
{
    struct echo *echo = owner;

    free(echo->line);
    peer_free(&echo->peer, echo->end_reason != NULL ? echo->end_reason : "done");
}

static const struct stream_events stream_events = {
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_closed = on_closed,
};

static enum status start(struct peer *peer)
{
    from_peer(peer)->since_ms = clock_monotonic_ms();
    return stream_read_start(&peer->stream);
}

static void check(struct peer *peer, uint64_t now)
{
    const struct echo_limits *limits = peer->set->context;
    struct echo *echo = from_peer(peer);

    if (!peer->stream.is_closing && now - echo->since_ms >= limits->timeout_ms)
        give_up(echo, "no whole line in time, or the answer was not read");
}

/* A line that is not whole can not be answered any more. */
static void stop(struct peer *peer)
{
    struct echo *echo = from_peer(peer);

    if (peer->stream.is_finishing)
        return;
    echo->end_reason = "the server stops";
    stream_close(&peer->stream);
}

const struct peer_kind echo_kind = {
    .size = sizeof(struct echo),
    .events = &stream_events,
    .start = start,
    .check = check,
    .stop = stop,
};
