/* Connecting to the central.
 *
 * Happy path: look the name up, try its addresses in turn, open; bytes flow; closed; the owner
 * calls dialer_connect() for the next one.
 *
 * Failure modes: no such name, no address that answers: a pause (exponential, with jitter), then
 * again, until patience is over. The connection breaks: on_closed, and the owner decides. A lookup
 * can not be interrupted: dialer_close() leaves it running, its result is thrown away.
 */
#include "dialer.h"

#include "clock.h"
#include "log.h"
#include "values.h"

#include <stdio.h>
#include <string.h>

#define FIRST_PAUSE_MS 100
#define MAX_PAUSE_MS 5000
#define KEEPALIVE_S 60

static void try_address(struct dialer *dialer);

/* An attempt may take as long as the network likes: patience ends it. */
static void on_patience_over(uv_timer_t *timer)
{
    struct dialer *dialer = timer->data;

    dialer->events->on_give_up(dialer->owner, dialer->failure != NULL
                                                  ? dialer->failure
                                                  : "no answer to the attempt to connect");
}

static void watch_patience(struct dialer *dialer)
{
    uint64_t waited = clock_monotonic_ms() - dialer->progress_ms;

    /* One that is over already lets this attempt be the last, however it ends. */
    if (waited < dialer->patience_ms)
        (void)uv_timer_start(&dialer->timer, on_patience_over, dialer->patience_ms - waited, 0);
}

void dialer_init(struct dialer *dialer, struct stream_hub *hub, const char *address,
                 uint64_t patience_ms, const struct dialer_events *events, void *owner)
{
    uint16_t port = 0;

    memset(dialer, 0, sizeof(*dialer));
    dialer->hub = hub;
    dialer->events = events;
    dialer->owner = owner;
    dialer->patience_ms = patience_ms;
    dialer->backoff = (struct backoff){FIRST_PAUSE_MS, MAX_PAUSE_MS, 0};
    dialer->progress_ms = clock_monotonic_ms();
    (void)value_address(address, dialer->host, sizeof(dialer->host), &port);
    (void)snprintf(dialer->port, sizeof(dialer->port), "%u", port);
    (void)uv_timer_init(stream_hub_loop(hub), &dialer->timer);
    dialer->timer.data = dialer;
    dialer->lookup.data = dialer;
}

void dialer_made_progress(struct dialer *dialer)
{
    dialer->progress_ms = clock_monotonic_ms();
    dialer->failure = NULL;
    backoff_reset(&dialer->backoff);
}

bool dialer_is_patience_over(const struct dialer *dialer)
{
    return dialer->patience_ms > 0 &&
           clock_monotonic_ms() - dialer->progress_ms >= dialer->patience_ms;
}

static void free_addresses(struct dialer *dialer)
{
    uv_freeaddrinfo(dialer->addresses);
    dialer->addresses = NULL;
    dialer->address = NULL;
}

/* An attempt that will be repeated is no failure yet. */
static void attempt_failed(struct dialer *dialer, const char *reason)
{
    free_addresses(dialer);
    (void)uv_timer_stop(&dialer->timer);
    dialer->state = DIALER_IDLE;
    dialer->failure = reason;
    if (dialer_is_patience_over(dialer)) {
        dialer->events->on_give_up(dialer->owner, reason);
        return;
    }
    LOG(INFO, "connect", IN_PROGRESS, LOG_TEXT("server", dialer->host), LOG_TEXT("reason", reason));
    dialer_connect_later(dialer);
}

static void on_connect(void *owner, enum status status, const char *detail)
{
    struct dialer *dialer = owner;

    if (status != STATUS_OK) {
        dialer->end_detail = detail;
        stream_close(dialer->stream);
        return;
    }
    free_addresses(dialer);
    (void)uv_timer_stop(&dialer->timer);
    dialer->state = DIALER_OPEN;
    dialer->was_open = true;
    /* A central whose machine is gone would otherwise be waited for until the end of days. */
    stream_set_keepalive(dialer->stream, KEEPALIVE_S);
    if (stream_read_start(dialer->stream) != STATUS_OK) {
        dialer_drop(dialer, STATUS_IO, "can not read");
        return;
    }
    LOG(DEBUG, "connect", SUCCESS, LOG_TEXT("server", dialer->host));
    dialer->events->on_open(dialer->owner);
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct dialer *dialer = owner;

    dialer->events->on_data(dialer->owner, data, size);
}

static void on_end(void *owner, enum status status, const char *detail)
{
    dialer_drop(owner, status == STATUS_OK ? STATUS_IO : status,
                status == STATUS_OK ? "the central closed the connection" : detail);
}

static void on_drain(void *owner)
{
    struct dialer *dialer = owner;

    dialer->events->on_drain(dialer->owner);
}

static void on_closed(void *owner)
{
    struct dialer *dialer = owner;

    dialer->stream = NULL;
    if (dialer->is_closing)
        return;
    if (dialer->was_open) {
        dialer->was_open = false;
        dialer->state = DIALER_IDLE;
        dialer->events->on_closed(dialer->owner, dialer->end_status, dialer->end_detail);
        return;
    }
    dialer->address = dialer->address->ai_next;
    if (dialer->address != NULL)
        try_address(dialer);
    else
        attempt_failed(dialer, dialer->end_detail);
}

static const struct stream_events events = {
    .on_connect = on_connect,
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_closed = on_closed,
};

static void try_address(struct dialer *dialer)
{
    if (stream_create_tcp(dialer->hub, &events, dialer, &dialer->stream) != STATUS_OK) {
        attempt_failed(dialer, status_text(STATUS_NOMEM));
        return;
    }
    dialer->end_status = STATUS_OK;
    dialer->end_detail = "";
    dialer->state = DIALER_CONNECTING;
    if (stream_connect(dialer->stream, dialer->address->ai_addr) != STATUS_OK) {
        dialer->end_detail = "can not connect";
        stream_close(dialer->stream);
    }
}

static void on_resolved(uv_getaddrinfo_t *lookup, int code, struct addrinfo *addresses)
{
    struct dialer *dialer = lookup->data;

    dialer->is_lookup_running = false;
    if (dialer->is_closing) {
        uv_freeaddrinfo(addresses);
        return;
    }
    if (code < 0) {
        attempt_failed(dialer, uv_strerror(code));
        return;
    }
    dialer->addresses = addresses;
    dialer->address = addresses;
    try_address(dialer);
}

static void attempt(struct dialer *dialer)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    dialer->state = DIALER_RESOLVING;
    int code = uv_getaddrinfo(stream_hub_loop(dialer->hub), &dialer->lookup, on_resolved,
                              dialer->host, dialer->port, &hints);
    if (code < 0) {
        attempt_failed(dialer, uv_strerror(code));
        return;
    }
    dialer->is_lookup_running = true;
    watch_patience(dialer);
}

static void on_timer(uv_timer_t *timer)
{
    attempt(timer->data);
}

static void on_delay_over(uv_timer_t *timer)
{
    struct dialer *dialer = timer->data;

    dialer->progress_ms = clock_monotonic_ms();
    attempt(dialer);
}

void dialer_delay(struct dialer *dialer, uint64_t delay_ms)
{
    dialer->delay_ms = delay_ms;
}

void dialer_connect(struct dialer *dialer)
{
    if (dialer->is_closing || dialer->state != DIALER_IDLE)
        return;
    if (dialer->delay_ms == 0) {
        attempt(dialer);
        return;
    }
    LOG(INFO, "start_delay", IN_PROGRESS, LOG_TEXT("server", dialer->host),
        LOG_UINT("ms", dialer->delay_ms));
    dialer->state = DIALER_WAITING;
    (void)uv_timer_start(&dialer->timer, on_delay_over, dialer->delay_ms, 0);
    dialer->delay_ms = 0;
}

void dialer_connect_later(struct dialer *dialer)
{
    if (dialer->is_closing || dialer->state != DIALER_IDLE)
        return;
    dialer->state = DIALER_WAITING;
    (void)uv_timer_start(&dialer->timer, on_timer, backoff_next_ms(&dialer->backoff), 0);
}

void dialer_send(struct dialer *dialer, const void *data, size_t size)
{
    if (dialer->state != DIALER_OPEN)
        return;
    if (stream_send(dialer->stream, data, size) != STATUS_OK)
        dialer_drop(dialer, STATUS_NOMEM, status_text(STATUS_NOMEM));
}

size_t dialer_backlog(const struct dialer *dialer)
{
    return dialer->state == DIALER_OPEN ? stream_backlog(dialer->stream) : 0;
}

void dialer_finish(struct dialer *dialer)
{
    if (dialer->state == DIALER_OPEN)
        stream_finish(dialer->stream);
}

void dialer_drop(struct dialer *dialer, enum status status, const char *detail)
{
    if (dialer->stream == NULL || stream_is_closing(dialer->stream))
        return;
    dialer->end_status = status;
    dialer->end_detail = detail;
    stream_close(dialer->stream);
}

bool dialer_is_closing(const struct dialer *dialer)
{
    return dialer->stream != NULL && stream_is_closing(dialer->stream);
}

void dialer_close(struct dialer *dialer)
{
    if (dialer->is_closing)
        return;
    dialer->is_closing = true;
    uv_close((uv_handle_t *)&dialer->timer, NULL);
    if (dialer->is_lookup_running)
        (void)uv_cancel((uv_req_t *)&dialer->lookup);
    if (dialer->stream != NULL)
        stream_close(dialer->stream);
    free_addresses(dialer);
}
