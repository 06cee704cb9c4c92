/* Connecting to the first of several addresses that answers.
 *
 * Happy path: begin a lane for the first address; it connects, and its TLS handshake ends; the
 * other lanes are closed, on_won.
 *
 * Failure modes: an address fails, at once or later: on_failed, and the next one begins without
 * waiting for its turn. An address never answers: the others begin meanwhile; the owner limits the
 * whole with race_stop(). A lane that is given up lives on until its stream is closed, without a
 * race. Its peer is not trusted: the same, but the stream is finished, so that the peer is told;
 * of those that do not end, the oldest is closed when there are too many.
 */
#include "race.h"

#include "assertion.h"

#include <stdlib.h>

/* One attempt. */
struct race_lane {
    struct race *race;     /* NULL: it was given up */
    struct stream *stream; /* NULL: it was handed over */
    const struct sockaddr *address;
    struct list_node in_race; /* among race.lanes, or race.ending */
};

static void race_go_on(struct race *race);

void race_init(struct race *race, struct stream_hub *hub, const struct race_events *events,
               void *owner)
{
    ASSERT(events->on_failed != NULL && events->on_won != NULL && events->on_lost != NULL);
    race->hub = hub;
    race->events = events;
    race->owner = owner;
    race->count = 0;
    race->next = 0;
    race->is_running = false;
    race->tls = NULL;
    race->tls_server_name = NULL;
    list_init(&race->lanes);
    list_init(&race->ending);
    (void)uv_timer_init(stream_hub_loop(hub), &race->timer);
    race->timer.data = race;
}

/* Takes a lane out of the race; its stream's on_closed frees it. */
static void race_give_up_lane(struct race_lane *lane)
{
    list_remove(&lane->in_race);
    lane->race = NULL;
    stream_close(lane->stream);
}

/* Takes a lane out of the race; what its peer is to be told is still sent. */
static void race_finish_lane(struct race_lane *lane)
{
    struct race *race = lane->race;
    struct race_lane *oldest = NULL;
    unsigned count = 0;

    list_remove(&lane->in_race);
    lane->race = NULL;
    list_append(&race->ending, &lane->in_race);
    stream_finish(lane->stream);
    LIST_FOR_EACH (node, &race->ending) {
        if (count++ == 0)
            oldest = LIST_ITEM(node, struct race_lane, in_race);
    }
    if (count > RACE_ENDING_MAX)
        race_give_up_lane(oldest);
}

void race_stop(struct race *race, const char *reason)
{
    if (!race->is_running)
        return;
    race->is_running = false;
    (void)uv_timer_stop(&race->timer);
    LIST_FOR_EACH (node, &race->lanes) {
        struct race_lane *lane = LIST_ITEM(node, struct race_lane, in_race);
        const struct sockaddr *address = lane->address;
        race_give_up_lane(lane);
        if (reason != NULL)
            race->events->on_failed(race->owner, address, reason);
    }
}

bool race_is_running(const struct race *race)
{
    return race->is_running;
}

void race_close(struct race *race)
{
    race_stop(race, NULL);
    LIST_FOR_EACH (node, &race->ending)
        race_give_up_lane(LIST_ITEM(node, struct race_lane, in_race));
    uv_close((uv_handle_t *)&race->timer, NULL);
}

static void race_win(struct race *race, struct race_lane *lane)
{
    struct stream *stream = lane->stream;
    const struct sockaddr *address = lane->address;

    list_remove(&lane->in_race);
    race_stop(race, NULL);
    race->events->on_won(race->owner, stream, address);
    free(lane);
}

static void race_on_connect(void *owner, enum status status, const char *detail)
{
    struct race_lane *lane = owner;
    struct race *race = lane->race;
    const struct sockaddr *address = lane->address;

    if (race == NULL)
        return;
    if (status == STATUS_OK) {
        race_win(race, lane);
        return;
    }
    if (status == STATUS_UNTRUSTED)
        race_finish_lane(lane);
    else
        race_give_up_lane(lane);
    race->events->on_failed(race->owner, address, detail);
    race_go_on(race);
}

static void race_on_closed(void *owner)
{
    struct race_lane *lane = owner;

    list_remove(&lane->in_race);
    free(lane);
}

static void race_on_data(void *owner, const uint8_t *data, size_t size)
{
    (void)owner;
    (void)data;
    (void)size;
}

static void race_on_end(void *owner, enum status status, const char *detail)
{
    (void)owner;
    (void)status;
    (void)detail;
}

static const struct stream_events race_stream_events = {
    .on_connect = race_on_connect,
    .on_data = race_on_data, /* nothing is read before the connection is handed over */
    .on_end = race_on_end,
    .on_closed = race_on_closed,
};

static enum status race_create_stream(struct race *race, struct race_lane *lane)
{
    if (race->tls == NULL)
        return stream_create_tcp(race->hub, &race_stream_events, lane, &lane->stream);
    return stream_create_tls(race->hub, race->tls, race->tls_server_name, &race_stream_events, lane,
                             &lane->stream);
}

/* Begins an attempt. Returns NULL, or why it has failed already. */
static const char *race_begin_lane(struct race *race, const struct sockaddr *address)
{
    struct race_lane *lane = malloc(sizeof(*lane));
    const char *reason = NULL;

    if (lane == NULL)
        return status_text(STATUS_NOMEM);
    *lane = (struct race_lane){.race = race, .address = address};
    enum status status = race_create_stream(race, lane);
    if (status != STATUS_OK) {
        free(lane);
        return status_text(status);
    }
    list_append(&race->lanes, &lane->in_race);
    if (stream_connect(lane->stream, address, &reason) != STATUS_OK)
        race_give_up_lane(lane);
    return reason;
}

static void race_on_delay_over(uv_timer_t *timer)
{
    race_go_on(timer->data);
}

/* Begins the next attempt. Without one, and with none going on, the race is lost. */
static void race_go_on(struct race *race)
{
    while (race->is_running && race->next < race->count) {
        const struct sockaddr *address = (const struct sockaddr *)&race->addresses[race->next++];
        const char *reason = race_begin_lane(race, address);
        if (reason == NULL) {
            (void)uv_timer_stop(&race->timer);
            if (race->next < race->count)
                (void)uv_timer_start(&race->timer, race_on_delay_over, RACE_DELAY_MS, 0);
            return;
        }
        race->events->on_failed(race->owner, address, reason);
    }
    if (!race->is_running || !list_is_empty(&race->lanes))
        return;
    race->is_running = false;
    race->events->on_lost(race->owner);
}

void race_start(struct race *race)
{
    ASSERT(!race->is_running && list_is_empty(&race->lanes) && race->count <= ADDRESS_ORDER_MAX);
    race->next = 0;
    race->is_running = true;
    race_go_on(race);
}
