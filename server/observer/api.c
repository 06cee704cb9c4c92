#include "api.h"

#include "control_json.h"
#include "control_message.h"
#include "control_news.h"
#include "json_print.h"
#include "json_value.h"
#include "readiness.h"

#include <string.h>

#define NS_IN_S 1e9

static enum status api_end_line(enum status status, struct buffer *out)
{
    return status == STATUS_OK ? buffer_append(out, "\n", 1) : status;
}

/* An array of the lines of `reasons`. */
static json_t *api_reasons(char *reasons)
{
    json_t *array = json_array();
    char *rest = NULL;

    for (const char *line = strtok_r(reasons, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        json_value_append(&array, json_value_text(line));
    return array;
}

static json_t *api_workers(const struct scoreboard *scoreboard)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < scoreboard->workers; i++) {
        const struct scoreboard_worker worker = scoreboard_worker(scoreboard, i);
        json_t *row = json_object();
        json_value_add(&row, "worker", json_value_uint(i));
        json_value_add(&row, "alive", json_boolean(worker.is_alive));
        json_value_add(&row, "connections", json_value_uint(worker.connections));
        json_value_append(&array, row);
    }
    return array;
}

static json_t *api_sync(const struct observer_view *view)
{
    if (view->news == NULL)
        return json_null();
    const struct scoreboard_syncs syncs = scoreboard_syncs(view->scoreboard);
    json_t *object = json_object();
    json_value_add(&object, "count", json_value_uint(syncs.count));
    json_value_add(&object, "seconds", json_real((double)syncs.total_ns / NS_IN_S));
    return object;
}

static json_t *api_server(const struct observer_view *view)
{
    const struct scoreboard *scoreboard = view->scoreboard;
    struct errbuf reasons = {{0}};
    const bool is_ready = readiness(view, &reasons);
    json_t *object = json_object();

    json_value_add(&object, "version", json_value_text(LOTTERY_VERSION));
    json_value_add(&object, "mode", json_value_text(server_mode_name(view->settings->mode)));
    json_value_add(&object, "started", json_value_time(view->started_s));
    json_value_add(&object, "ready", json_boolean(is_ready));
    json_value_add(&object, "reasons", api_reasons(reasons.text));
    json_value_add(&object, "connections", json_value_uint(scoreboard_connections(scoreboard)));
    json_value_add(&object, "bets_stored", json_value_uint(scoreboard_bets_stored(scoreboard)));
    json_value_add(&object, "workers", api_workers(scoreboard));
    json_value_add(&object, "sync", api_sync(view));
    return object;
}

enum status api_write_status(const struct observer_view *view, struct buffer *out)
{
    static const struct ledger_news nothing;
    struct control_status status;
    struct control_status_message message;

    control_news_status(view->news != NULL ? view->news : &nothing,
                        scoreboard_draw_bets(view->scoreboard), NULL, &status);
    control_message_fill_status(&status, 0, &message);
    json_t *object = control_json_status(&message.message);
    json_value_add(&object, "server", api_server(view));
    return api_end_line(json_print_buffer(object, out), out);
}

static json_t *api_agency(const struct observer_view *view, uint32_t id)
{
    const struct scoreboard_agency agency = scoreboard_agency(view->scoreboard, id);
    json_t *row = control_json_agency(id, agency.bets, agency.has_finished);

    json_value_add(&row, "connected", json_boolean(agency.connections > 0));
    return row;
}

/* Row by row: thousands of values at once would take more time and memory. */
enum status api_write_agencies(const struct observer_view *view, struct buffer *out)
{
    const uint32_t agencies = view->news != NULL ? view->news->agencies : 0;
    enum status status = buffer_append(out, "[", 1);

    for (uint32_t id = 1; id <= agencies && status == STATUS_OK; id++) {
        if (id > 1)
            status = buffer_append(out, ",", 1);
        if (status == STATUS_OK)
            status = json_print_buffer(api_agency(view, id), out);
    }
    if (status == STATUS_OK)
        status = buffer_append(out, "]", 1);
    return api_end_line(status, out);
}
