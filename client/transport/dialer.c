/* The way to the central.
 *
 * Happy path: look the name up, try its addresses in turn, open; bytes flow; closed; the owner
 * calls central_connect() for the next one.
 *
 * Failure modes: no such name, no address that answers: a pause (exponential, with jitter), then
 * again, until patience is over. The connection breaks: on_closed, and the owner decides. A lookup
 * can not be interrupted: central_close() leaves it running, its result is thrown away.
 */
#include "dialer.h"

#include "clock.h"
#include "log.h"
#include "values.h"

#include <stdio.h>
#include <string.h>

#define FIRST_PAUSE_MS 100
#define MOST_PAUSE_MS 5000
#define KEEPALIVE_S 60

static void try_address(struct central *central);

/* An attempt may take as long as the network likes: patience ends it. */
static void on_patience_over(uv_timer_t *timer)
{
    struct central *central = timer->data;

    central->events->on_give_up(central->owner, central->failure != NULL
                                                    ? central->failure
                                                    : "no answer to the attempt to connect");
}

static void watch_patience(struct central *central)
{
    uint64_t waited = clock_monotonic_ms() - central->progress_ms;

    /* One that is over already lets this attempt be the last, however it ends. */
    if (waited < central->patience_ms)
        (void)uv_timer_start(&central->timer, on_patience_over, central->patience_ms - waited, 0);
}

void central_init(struct central *central, struct stream_hub *hub, const char *address,
                  uint64_t patience_ms, const struct central_events *events, void *owner)
{
    uint16_t port = 0;

    memset(central, 0, sizeof(*central));
    central->hub = hub;
    central->events = events;
    central->owner = owner;
    central->patience_ms = patience_ms;
    central->backoff = (struct backoff){FIRST_PAUSE_MS, MOST_PAUSE_MS, 0};
    central->progress_ms = clock_monotonic_ms();
    (void)value_address(address, central->host, sizeof(central->host), &port);
    (void)snprintf(central->port, sizeof(central->port), "%u", port);
    (void)uv_timer_init(hub->loop, &central->timer);
    central->timer.data = central;
    central->lookup.data = central;
}

void central_made_progress(struct central *central)
{
    central->progress_ms = clock_monotonic_ms();
    central->failure = NULL;
    backoff_reset(&central->backoff);
}

bool central_is_patience_over(const struct central *central)
{
    return central->patience_ms > 0 &&
           clock_monotonic_ms() - central->progress_ms >= central->patience_ms;
}

static void free_addresses(struct central *central)
{
    uv_freeaddrinfo(central->addresses);
    central->addresses = NULL;
    central->address = NULL;
}

/* An attempt that will be repeated is no failure yet. */
static void attempt_failed(struct central *central, const char *reason)
{
    free_addresses(central);
    (void)uv_timer_stop(&central->timer);
    central->state = CENTRAL_IDLE;
    central->failure = reason;
    if (central_is_patience_over(central)) {
        central->events->on_give_up(central->owner, reason);
        return;
    }
    LOG(INFO, "connect", IN_PROGRESS, LOG_TEXT("server", central->host),
        LOG_TEXT("reason", reason));
    central_connect_later(central);
}

static void on_connect(void *owner, enum status status, const char *detail)
{
    struct central *central = owner;

    if (status != STATUS_OK) {
        central->end_detail = detail;
        stream_close(&central->stream);
        return;
    }
    free_addresses(central);
    (void)uv_timer_stop(&central->timer);
    central->state = CENTRAL_OPEN;
    central->was_open = true;
    /* A central whose machine is gone would otherwise be waited for until the end of days. */
    (void)uv_tcp_keepalive(&central->stream.handle.tcp, 1, KEEPALIVE_S);
    if (stream_read_start(&central->stream) != STATUS_OK) {
        central_drop(central, STATUS_IO, "can not read");
        return;
    }
    LOG(DEBUG, "connect", SUCCESS, LOG_TEXT("server", central->host));
    central->events->on_open(central->owner);
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct central *central = owner;

    central->events->on_data(central->owner, data, size);
}

static void on_end(void *owner, enum status status, const char *detail)
{
    central_drop(owner, status == STATUS_OK ? STATUS_IO : status,
                 status == STATUS_OK ? "the central closed the connection" : detail);
}

static void on_drain(void *owner)
{
    struct central *central = owner;

    central->events->on_drain(central->owner);
}

static void on_closed(void *owner)
{
    struct central *central = owner;

    central->has_stream = false;
    if (central->is_closing)
        return;
    if (central->was_open) {
        central->was_open = false;
        central->state = CENTRAL_IDLE;
        central->events->on_closed(central->owner, central->end_status, central->end_detail);
        return;
    }
    central->address = central->address->ai_next;
    if (central->address != NULL)
        try_address(central);
    else
        attempt_failed(central, central->end_detail);
}

static const struct stream_events events = {
    .on_connect = on_connect,
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_closed = on_closed,
};

static void try_address(struct central *central)
{
    if (stream_init_tcp(&central->stream, central->hub, &events, central) != STATUS_OK) {
        attempt_failed(central, status_text(STATUS_NOMEM));
        return;
    }
    central->has_stream = true;
    central->end_status = STATUS_OK;
    central->end_detail = "";
    central->state = CENTRAL_CONNECTING;
    if (stream_connect(&central->stream, central->address->ai_addr) != STATUS_OK) {
        central->end_detail = "can not connect";
        stream_close(&central->stream);
    }
}

static void on_resolved(uv_getaddrinfo_t *lookup, int code, struct addrinfo *addresses)
{
    struct central *central = lookup->data;

    central->is_lookup_running = false;
    if (central->is_closing) {
        uv_freeaddrinfo(addresses);
        return;
    }
    if (code < 0) {
        attempt_failed(central, uv_strerror(code));
        return;
    }
    central->addresses = addresses;
    central->address = addresses;
    try_address(central);
}

static void attempt(struct central *central)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    central->state = CENTRAL_RESOLVING;
    int code = uv_getaddrinfo(central->hub->loop, &central->lookup, on_resolved, central->host,
                              central->port, &hints);
    if (code < 0) {
        attempt_failed(central, uv_strerror(code));
        return;
    }
    central->is_lookup_running = true;
    watch_patience(central);
}

static void on_timer(uv_timer_t *timer)
{
    attempt(timer->data);
}

void central_connect(struct central *central)
{
    if (central->is_closing || central->state != CENTRAL_IDLE)
        return;
    attempt(central);
}

void central_connect_later(struct central *central)
{
    if (central->is_closing || central->state != CENTRAL_IDLE)
        return;
    central->state = CENTRAL_WAITING;
    (void)uv_timer_start(&central->timer, on_timer, backoff_next_ms(&central->backoff), 0);
}

void central_send(struct central *central, const void *data, size_t size)
{
    if (central->state != CENTRAL_OPEN)
        return;
    if (stream_send(&central->stream, data, size) != STATUS_OK)
        central_drop(central, STATUS_NOMEM, status_text(STATUS_NOMEM));
}

size_t central_backlog(const struct central *central)
{
    return central->state == CENTRAL_OPEN ? stream_backlog(&central->stream) : 0;
}

void central_finish(struct central *central)
{
    if (central->state == CENTRAL_OPEN)
        stream_finish(&central->stream);
}

void central_drop(struct central *central, enum status status, const char *detail)
{
    if (!central->has_stream || central->stream.is_closing)
        return;
    central->end_status = status;
    central->end_detail = detail;
    stream_close(&central->stream);
}

void central_close(struct central *central)
{
    if (central->is_closing)
        return;
    central->is_closing = true;
    uv_close((uv_handle_t *)&central->timer, NULL);
    if (central->is_lookup_running)
        (void)uv_cancel((uv_req_t *)&central->lookup);
    if (central->has_stream)
        stream_close(&central->stream);
    free_addresses(central);
}
