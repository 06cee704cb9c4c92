/* Connecting to a server.
 *
 * Happy path: look the name up, try its addresses in turn, on_open; bytes flow; on_closed; the
 * owner calls dialer_connect() for the next connection.
 *
 * Failure modes: no such name, or no address answers: try again after a pause (exponential, with
 * jitter), until there was no progress for patience_ms. The connection breaks: on_closed, and the
 * owner decides. A lookup cannot be interrupted: dialer_close() leaves it running, and its result
 * is thrown away.
 */
#include "dialer.h"

#include "assertion.h"
#include "clock.h"
#include "log_output.h"
#include "values.h"

#include <stdio.h>
#include <string.h>

#define FIRST_PAUSE_MS 100
#define MAX_PAUSE_MS 5000
#define KEEPALIVE_S 60

static void dialer_try_address(struct dialer *dialer);

/* Ends an attempt: nothing else limits how long one may take. */
static void dialer_on_patience_over(uv_timer_t *timer)
{
    struct dialer *dialer = timer->data;

    dialer->events->on_give_up(dialer->owner, dialer->failure != NULL
                                                  ? dialer->failure
                                                  : "no answer to the attempt to connect");
}

static void dialer_watch_patience(struct dialer *dialer)
{
    uint64_t waited = clock_monotonic_ms() - dialer->progress_ms;

    /* If patience_ms is already over, this attempt is the last, and may take as long as it needs.
     */
    if (waited < dialer->patience_ms)
        (void)uv_timer_start(&dialer->timer, dialer_on_patience_over, dialer->patience_ms - waited,
                             0);
}

void dialer_init(struct dialer *dialer, const struct dialer_config *config)
{
    const struct dialer_events *events = config->events;
    uint16_t port;

    ASSERT(config->hub != NULL);
    ASSERT(events->on_open != NULL && events->on_data != NULL);
    ASSERT(events->on_closed != NULL && events->on_give_up != NULL);
    memset(dialer, 0, sizeof(*dialer));
    dialer->hub = config->hub;
    dialer->events = events;
    dialer->owner = config->owner;
    dialer->patience_ms = config->patience_ms;
    dialer->delay_ms = config->delay_ms;
    dialer->backoff = (struct backoff){FIRST_PAUSE_MS, MAX_PAUSE_MS, 0};
    dialer->progress_ms = clock_monotonic_ms();
    const char *list = config->address;
    bool is_address = value_address_next(&list, dialer->host, sizeof(dialer->host), &port);
    ASSERT(is_address); /* it was checked when the setting was read */
    (void)snprintf(dialer->port, sizeof(dialer->port), "%u", port);
    (void)uv_timer_init(stream_hub_loop(config->hub), &dialer->timer);
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
    const uint64_t now = clock_monotonic_ms();

    /* While the log had no room we waited for its reader, not for the server. */
    return dialer->patience_ms > 0 && now - dialer->progress_ms >= dialer->patience_ms &&
           now - log_output_room_since_ms() >= dialer->patience_ms;
}

static void dialer_free_addresses(struct dialer *dialer)
{
    uv_freeaddrinfo(dialer->addresses);
    dialer->addresses = NULL;
    dialer->address = NULL;
}

/* Repeats a failed attempt after a pause, or gives up. */
static void dialer_attempt_failed(struct dialer *dialer, const char *reason)
{
    dialer_free_addresses(dialer);
    (void)uv_timer_stop(&dialer->timer);
    dialer->state = DIALER_IDLE;
    dialer->failure = reason;
    if (dialer_is_patience_over(dialer)) {
        dialer->events->on_give_up(dialer->owner, reason);
        return;
    }
    if (dialer->events->on_retry != NULL)
        dialer->events->on_retry(dialer->owner, reason);
    dialer_connect_later(dialer); /* does nothing if the owner has closed */
}

static void dialer_on_connect(void *owner, enum status status, const char *detail)
{
    struct dialer *dialer = owner;

    if (status != STATUS_OK) {
        dialer->end_detail = detail;
        stream_close(dialer->stream);
        return;
    }
    dialer_free_addresses(dialer);
    (void)uv_timer_stop(&dialer->timer);
    dialer->state = DIALER_OPEN;
    /* Without keepalive we would never notice that the server's machine is gone. */
    stream_set_keepalive(dialer->stream, KEEPALIVE_S);
    if (stream_read_start(dialer->stream) != STATUS_OK) {
        dialer_drop(dialer, STATUS_IO, "cannot read");
        return;
    }
    dialer->events->on_open(dialer->owner);
}

static void dialer_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct dialer *dialer = owner;

    dialer->events->on_data(dialer->owner, data, size);
}

static void dialer_on_end(void *owner, enum status status, const char *detail)
{
    const struct dialer *dialer = owner;

    if (status != STATUS_OK)
        dialer_drop(owner, status, detail);
    else if (dialer->state == DIALER_SHUT)
        dialer_drop(owner, STATUS_OK, "");
    else
        dialer_drop(owner, STATUS_IO, "the central closed the connection");
}

static void dialer_on_drain(void *owner)
{
    struct dialer *dialer = owner;

    if (dialer->events->on_drain != NULL)
        dialer->events->on_drain(dialer->owner);
}

static void dialer_on_closed(void *owner)
{
    struct dialer *dialer = owner;

    dialer->stream = NULL;
    if (dialer->state == DIALER_CLOSED)
        return;
    if (dialer->state == DIALER_OPEN || dialer->state == DIALER_SHUT) {
        dialer->state = DIALER_IDLE;
        dialer->events->on_closed(dialer->owner, dialer->end_status, dialer->end_detail);
        return;
    }
    dialer->address = dialer->address->ai_next;
    if (dialer->address != NULL)
        dialer_try_address(dialer);
    else
        dialer_attempt_failed(dialer, dialer->end_detail);
}

static const struct stream_events dialer_stream_events = {
    .on_connect = dialer_on_connect,
    .on_data = dialer_on_data,
    .on_end = dialer_on_end,
    .on_drain = dialer_on_drain,
    .on_closed = dialer_on_closed,
};

static void dialer_try_address(struct dialer *dialer)
{
    if (stream_create_tcp(dialer->hub, &dialer_stream_events, dialer, &dialer->stream) !=
        STATUS_OK) {
        dialer_attempt_failed(dialer, status_text(STATUS_NOMEM));
        return;
    }
    dialer->end_status = STATUS_OK;
    dialer->end_detail = "";
    dialer->state = DIALER_CONNECTING;
    if (stream_connect(dialer->stream, dialer->address->ai_addr, &dialer->end_detail) != STATUS_OK)
        stream_close(dialer->stream);
}

static void dialer_on_resolved(uv_getaddrinfo_t *lookup, int code, struct addrinfo *addresses)
{
    struct dialer *dialer = lookup->data;

    if (dialer->state == DIALER_CLOSED) {
        uv_freeaddrinfo(addresses);
        return;
    }
    if (code < 0) {
        dialer_attempt_failed(dialer, uv_strerror(code));
        return;
    }
    dialer->addresses = addresses;
    dialer->address = addresses;
    dialer_try_address(dialer);
}

static void dialer_attempt(struct dialer *dialer)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    int code = uv_getaddrinfo(stream_hub_loop(dialer->hub), &dialer->lookup, dialer_on_resolved,
                              dialer->host, dialer->port, &hints);
    if (code < 0) {
        dialer_attempt_failed(dialer, uv_strerror(code));
        return;
    }
    dialer->state = DIALER_RESOLVING;
    dialer_watch_patience(dialer);
}

static void dialer_on_pause_over(uv_timer_t *timer)
{
    dialer_attempt(timer->data);
}

static void dialer_on_delay_over(uv_timer_t *timer)
{
    struct dialer *dialer = timer->data;

    dialer->progress_ms = clock_monotonic_ms();
    dialer_attempt(dialer);
}

void dialer_connect(struct dialer *dialer)
{
    uint64_t delay_ms = dialer->delay_ms;

    if (dialer->state != DIALER_IDLE)
        return;
    if (delay_ms == 0) {
        dialer_attempt(dialer);
        return;
    }
    dialer->delay_ms = 0;
    dialer->state = DIALER_WAITING;
    (void)uv_timer_start(&dialer->timer, dialer_on_delay_over, delay_ms, 0);
    if (dialer->events->on_delay != NULL)
        dialer->events->on_delay(dialer->owner, delay_ms);
}

void dialer_connect_later(struct dialer *dialer)
{
    if (dialer->state != DIALER_IDLE)
        return;
    dialer->state = DIALER_WAITING;
    (void)uv_timer_start(&dialer->timer, dialer_on_pause_over, dialer_next_pause_ms(dialer), 0);
}

uint32_t dialer_next_pause_ms(struct dialer *dialer)
{
    return backoff_next_ms(&dialer->backoff);
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

void dialer_shutdown(struct dialer *dialer)
{
    if (dialer->state != DIALER_OPEN || stream_is_finishing(dialer->stream))
        return;
    dialer->state = DIALER_SHUT;
    stream_shutdown(dialer->stream);
}

void dialer_finish(struct dialer *dialer)
{
    if (dialer->state == DIALER_OPEN || dialer->state == DIALER_SHUT)
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

bool dialer_has_connection(const struct dialer *dialer)
{
    return dialer->stream != NULL;
}

const char *dialer_host(const struct dialer *dialer)
{
    return dialer->host;
}

void dialer_close(struct dialer *dialer)
{
    if (dialer->state == DIALER_CLOSED)
        return;
    if (dialer->state == DIALER_RESOLVING)
        (void)uv_cancel((uv_req_t *)&dialer->lookup);
    dialer->state = DIALER_CLOSED;
    uv_close((uv_handle_t *)&dialer->timer, NULL);
    if (dialer->stream != NULL)
        stream_close(dialer->stream);
    dialer_free_addresses(dialer);
}
