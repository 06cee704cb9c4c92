/* Connecting to a server.
 *
 * Happy path: look the name up, race its addresses (race.h), with TLS also their handshakes,
 * on_open; bytes flow; on_closed; the owner calls dialer_connect() for the next connection.
 *
 * Failure modes: no such name, or no address answers, or none is trusted: the next entry of the
 * list; after the last one, all again after a pause (exponential, with jitter). An entry that takes
 * longer than ATTEMPT_MS, or than its share of the patience: the same. The connection breaks, or
 * our certificate is refused: on_closed, and the owner decides. No answer for answer_ms: the
 * connection is dropped. No progress for patience_ms: on_give_up, in whatever state. A lookup
 * cannot be interrupted: it goes on by itself; another attempt at the same name waits for it, and
 * after dialer_close() its result is thrown away.
 */
#include "dialer.h"

#include "assertion.h"
#include "clock.h"

#include <stdio.h>
#include <string.h>

#define FIRST_PAUSE_MS 100
#define MAX_PAUSE_MS 5000
#define KEEPALIVE_S 60
#define ATTEMPT_MS 10000

static void dialer_attempt(struct dialer *dialer);
static void dialer_on_tick(uv_timer_t *timer);
static const struct race_events dialer_race_events;

static bool dialer_is_attempting(const struct dialer *dialer)
{
    return dialer->state == DIALER_RESOLVING || dialer->state == DIALER_CONNECTING;
}

static bool dialer_is_open(const struct dialer *dialer)
{
    return dialer->state == DIALER_OPEN || dialer->state == DIALER_SHUT;
}

static bool dialer_is_attempt_late(const struct dialer *dialer)
{
    return dialer_is_attempting(dialer) && dialer->attempt_ms >= dialer->attempt_limit_ms;
}

/* With several entries each gets a share of the patience, so that all of them have a turn. */
static uint64_t dialer_attempt_limit(const struct dialer *dialer)
{
    uint64_t share_ms = dialer->patience.limit_ms / dialer->target_count;

    return dialer->target_count > 1 && share_ms > 0 && share_ms < ATTEMPT_MS ? share_ms
                                                                             : ATTEMPT_MS;
}

void dialer_init(struct dialer *dialer, const struct dialer_config *config)
{
    const struct dialer_events *events = config->events;
    uv_loop_t *loop = stream_hub_loop(config->hub);

    ASSERT(events->on_open != NULL && events->on_data != NULL);
    ASSERT(events->on_closed != NULL && events->on_give_up != NULL);
    memset(dialer, 0, sizeof(*dialer));
    dialer->hub = config->hub;
    dialer->events = events;
    dialer->owner = config->owner;
    dialer->delay_ms = config->delay_ms;
    dialer->backoff = (struct backoff){FIRST_PAUSE_MS, MAX_PAUSE_MS, 0};
    dialer->target_count = dialer_target_read_list(config->addresses, dialer, dialer->targets);
    patience_init(&dialer->patience, config->patience_ms, config->answer_ms, clock_monotonic_ms());
    dialer->attempt_limit_ms = dialer_attempt_limit(dialer);
    race_init(&dialer->race, config->hub, &dialer_race_events, dialer);
    dialer->race.tls = config->tls;
    dialer->tls_server_name = config->tls_server_name;
    dialer->tls_any_name = config->tls_any_name;
    (void)uv_timer_init(loop, &dialer->pause);
    (void)uv_timer_init(loop, &dialer->ticker);
    (void)uv_check_init(loop, &dialer->judge);
    dialer->pause.data = dialer;
    dialer->ticker.data = dialer;
    dialer->judge.data = dialer;
}

/* Sets the ticker to when the next limit may be reached. */
static void dialer_watch(struct dialer *dialer)
{
    uint64_t next_ms = patience_next_ms(&dialer->patience);

    if (dialer->state == DIALER_CLOSED)
        return;
    if (next_ms == 0 && dialer_is_attempting(dialer))
        next_ms = PATIENCE_TICK_MS;
    if (next_ms > 0)
        (void)uv_timer_start(&dialer->ticker, dialer_on_tick, next_ms, 0);
    else
        (void)uv_timer_stop(&dialer->ticker);
}

static void dialer_note(struct dialer *dialer, bool is_connected, const char *reason)
{
    (void)snprintf(dialer->failure, sizeof(dialer->failure), "%s", reason);
    dialer->is_failure_connected = is_connected;
    dialer->is_failure_kept = is_connected;
}

void dialer_note_failure(struct dialer *dialer, const char *reason)
{
    dialer_note(dialer, true, reason);
}

void dialer_expect(struct dialer *dialer, enum patience_wait wait)
{
    patience_expect(&dialer->patience, wait, clock_monotonic_ms());
    dialer_watch(dialer);
}

void dialer_made_progress(struct dialer *dialer)
{
    patience_progress(&dialer->patience, clock_monotonic_ms());
    dialer->failure[0] = '\0';
    dialer->has_progress = true;
    backoff_reset(&dialer->backoff);
}

static const char *dialer_silence(const struct dialer *dialer)
{
    if (dialer_is_open(dialer))
        return "the central does not answer";
    return dialer->state == DIALER_RESOLVING ? "no answer from the name service"
                                             : "no answer to the attempt to connect";
}

static void dialer_give_up(struct dialer *dialer)
{
    (void)uv_timer_stop(&dialer->pause);
    (void)uv_timer_stop(&dialer->ticker);
    race_stop(&dialer->race, NULL);
    if (dialer->failure[0] == '\0')
        dialer_note(dialer, dialer_is_open(dialer), dialer_silence(dialer));
    if (dialer_is_attempting(dialer) || dialer->state == DIALER_WAITING)
        dialer->state = DIALER_IDLE;
    dialer->events->on_give_up(dialer->owner, dialer->is_failure_connected, dialer->failure);
}

static void dialer_address_failed(struct dialer *dialer, const char *reason)
{
    dialer->attempt_reason = reason;
    dialer_note(dialer, false, reason);
    if (dialer->events->on_failed != NULL)
        dialer->events->on_failed(dialer->owner, reason);
}

/* Goes on to the next entry of the list, or to a pause after the last one. */
static void dialer_target_failed(struct dialer *dialer, const char *reason)
{
    if (dialer->state == DIALER_CLOSED)
        return;
    dialer->state = DIALER_IDLE;
    dialer->target = (dialer->target + 1) % dialer->target_count;
    if (++dialer->tried < dialer->target_count) {
        dialer_attempt(dialer);
        return;
    }
    if (dialer->events->on_retry != NULL)
        dialer->events->on_retry(dialer->owner, reason);
    dialer_connect_later(dialer); /* does nothing if the owner has closed */
}

static void dialer_attempt_is_over(struct dialer *dialer)
{
    const char *reason = dialer_silence(dialer);

    if (race_is_running(&dialer->race))
        race_stop(&dialer->race, reason);
    else
        dialer_address_failed(dialer, reason);
    dialer_target_failed(dialer, reason);
}

/* A limit was reached, and whatever had arrived by then has been handed out: is it still so? */
static void dialer_on_judge(uv_check_t *judge)
{
    struct dialer *dialer = judge->data;

    (void)uv_check_stop(judge);
    if (patience_is_over(&dialer->patience)) {
        dialer_give_up(dialer);
        return;
    }
    if (dialer_is_open(dialer) && patience_is_silent(&dialer->patience))
        dialer_drop(dialer, STATUS_IO, "no answer in time");
    else if (dialer_is_attempt_late(dialer))
        dialer_attempt_is_over(dialer);
}

static void dialer_on_tick(uv_timer_t *timer)
{
    struct dialer *dialer = timer->data;
    uint64_t step_ms = patience_count(&dialer->patience, clock_monotonic_ms());

    if (dialer_is_attempting(dialer))
        dialer->attempt_ms += step_ms;
    if (patience_is_over(&dialer->patience) || patience_is_silent(&dialer->patience) ||
        dialer_is_attempt_late(dialer))
        (void)uv_check_start(&dialer->judge, dialer_on_judge);
    dialer_watch(dialer);
}

static void dialer_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct dialer *dialer = owner;

    patience_heard(&dialer->patience);
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

/* After a long wait without a limit, pauses are short again. */
static void dialer_forget_losses(struct dialer *dialer)
{
    (void)patience_count(&dialer->patience, clock_monotonic_ms());
    if (dialer->patience.spent_ms == 0)
        backoff_reset(&dialer->backoff);
}

static void dialer_on_closed(void *owner)
{
    struct dialer *dialer = owner;

    dialer->stream = NULL;
    if (dialer->state == DIALER_CLOSED)
        return;
    dialer->state = DIALER_IDLE;
    if (dialer->patience.wait == PATIENCE_ANSWER)
        dialer_expect(dialer, PATIENCE_RUNS);
    else
        dialer_forget_losses(dialer);
    if (dialer->end_status != STATUS_OK) {
        dialer_note(dialer, dialer->end_status != STATUS_UNTRUSTED, dialer->end_detail);
        dialer->is_failure_kept = true;
    }
    if (dialer->end_status != STATUS_OK && !dialer->has_progress)
        dialer->target = (dialer->target + 1) % dialer->target_count;
    dialer->events->on_closed(dialer->owner, dialer->end_status, dialer->end_detail);
}

static const struct stream_events dialer_stream_events = {
    .on_data = dialer_on_data,
    .on_end = dialer_on_end,
    .on_drain = dialer_on_drain,
    .on_closed = dialer_on_closed,
};

static void dialer_set_address(struct dialer *dialer, const struct sockaddr *address)
{
    const struct sockaddr_storage *any = (const void *)address;

    dialer->address[0] = '\0';
    if (any->ss_family == AF_INET6)
        (void)uv_ip6_name((const void *)any, dialer->address, sizeof(dialer->address));
    else
        (void)uv_ip4_name((const void *)any, dialer->address, sizeof(dialer->address));
}

static void dialer_on_address_failed(void *owner, const struct sockaddr *address,
                                     const char *reason)
{
    dialer_set_address(owner, address);
    dialer_address_failed(owner, reason);
}

static void dialer_on_won(void *owner, struct stream *stream, const struct sockaddr *address)
{
    struct dialer *dialer = owner;

    stream_hand_over(stream, &dialer_stream_events, dialer);
    dialer_set_address(dialer, address);
    dialer->stream = stream;
    dialer->state = DIALER_OPEN;
    dialer->end_status = STATUS_OK;
    dialer->end_detail = "";
    dialer->has_progress = false;
    dialer->tried = 0;
    if (!dialer->is_failure_kept)
        dialer->failure[0] = '\0';
    /* Without keepalive we would never notice that the server's machine is gone. */
    stream_set_keepalive(stream, KEEPALIVE_S, dialer->patience.answer_ms);
    if (stream_read_start(stream) != STATUS_OK) {
        dialer_drop(dialer, STATUS_IO, "cannot read");
        return;
    }
    dialer->events->on_open(dialer->owner);
}

static void dialer_on_lost(void *owner)
{
    struct dialer *dialer = owner;

    dialer_target_failed(dialer, dialer->attempt_reason);
}

static const struct race_events dialer_race_events = {
    .on_failed = dialer_on_address_failed,
    .on_won = dialer_on_won,
    .on_lost = dialer_on_lost,
};

/* Whose certificate the server has to have. */
static const char *dialer_server_name(const struct dialer *dialer)
{
    if (dialer->tls_any_name)
        return NULL;
    return dialer->tls_server_name != NULL ? dialer->tls_server_name : dialer_host(dialer);
}

static void dialer_race(struct dialer *dialer)
{
    dialer->state = DIALER_CONNECTING;
    dialer->race.tls_server_name = dialer_server_name(dialer);
    dialer_set_address(dialer, (const struct sockaddr *)&dialer->race.addresses[0]);
    race_start(&dialer->race);
}

static void dialer_lookup_failed(struct dialer *dialer, int code)
{
    const char *reason = uv_strerror(code);

    dialer_address_failed(dialer, reason);
    dialer_target_failed(dialer, reason);
}

static void dialer_on_resolved(uv_getaddrinfo_t *lookup, int code, struct addrinfo *list)
{
    struct dialer_target *target = lookup->data;
    struct dialer *dialer = target->dialer;

    target->is_looking_up = false;
    if (dialer->state != DIALER_RESOLVING || target != &dialer->targets[dialer->target]) {
        uv_freeaddrinfo(list);
        return;
    }
    if (code < 0) {
        dialer_lookup_failed(dialer, code);
        return;
    }
    dialer->race.count = address_order(list, dialer->race.addresses);
    uv_freeaddrinfo(list);
    if (dialer->race.count == 0)
        dialer_lookup_failed(dialer, UV_EAI_NODATA);
    else
        dialer_race(dialer);
}

static void dialer_look_up(struct dialer *dialer, struct dialer_target *target)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    if (target->is_looking_up) /* since an earlier attempt */
        return;
    int code = uv_getaddrinfo(stream_hub_loop(dialer->hub), &target->lookup, dialer_on_resolved,
                              target->host, target->port, &hints);
    if (code < 0)
        dialer_lookup_failed(dialer, code);
    else
        target->is_looking_up = true;
}

static void dialer_attempt(struct dialer *dialer)
{
    struct dialer_target *target = &dialer->targets[dialer->target];

    dialer->state = DIALER_RESOLVING;
    dialer->named = dialer->target;
    dialer->attempt_ms = 0;
    dialer->address[0] = '\0';
    dialer_expect(dialer, PATIENCE_RUNS);
    dialer->race.count = 1;
    if (dialer_target_take_literal(target, &dialer->race.addresses[0]))
        dialer_race(dialer);
    else
        dialer_look_up(dialer, target);
}

static void dialer_on_pause_over(uv_timer_t *timer)
{
    struct dialer *dialer = timer->data;

    dialer->tried = 0;
    dialer_attempt(dialer);
}

void dialer_connect(struct dialer *dialer)
{
    uint64_t delay_ms = dialer->delay_ms;

    if (dialer->state != DIALER_IDLE)
        return;
    dialer->delay_ms = 0;
    dialer->tried = 0;
    if (delay_ms == 0) {
        dialer_attempt(dialer);
        return;
    }
    dialer->state = DIALER_WAITING;
    (void)uv_timer_start(&dialer->pause, dialer_on_pause_over, delay_ms, 0);
    if (dialer->events->on_delay != NULL)
        dialer->events->on_delay(dialer->owner, delay_ms);
}

void dialer_connect_later(struct dialer *dialer)
{
    if (dialer->state != DIALER_IDLE)
        return;
    dialer->state = DIALER_WAITING;
    dialer_expect(dialer, PATIENCE_RUNS);
    (void)uv_timer_start(&dialer->pause, dialer_on_pause_over, dialer_next_pause_ms(dialer), 0);
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
    if (dialer_is_open(dialer))
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
    return dialer->stream != NULL || race_is_running(&dialer->race);
}

const char *dialer_host(const struct dialer *dialer)
{
    return dialer->targets[dialer->named].host;
}

const char *dialer_port(const struct dialer *dialer)
{
    return dialer->targets[dialer->named].port;
}

const char *dialer_address(const struct dialer *dialer)
{
    return dialer->address;
}

void dialer_close(struct dialer *dialer)
{
    if (dialer->state == DIALER_CLOSED)
        return;
    dialer->state = DIALER_CLOSED;
    for (size_t i = 0; i < dialer->target_count; i++) {
        if (dialer->targets[i].is_looking_up)
            (void)uv_cancel((uv_req_t *)&dialer->targets[i].lookup);
    }
    uv_close((uv_handle_t *)&dialer->pause, NULL);
    uv_close((uv_handle_t *)&dialer->ticker, NULL);
    uv_close((uv_handle_t *)&dialer->judge, NULL);
    race_close(&dialer->race);
    if (dialer->stream != NULL)
        stream_close(dialer->stream);
}
