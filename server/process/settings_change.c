#include "settings_change.h"

#include <string.h>

/* The first of those that can never change while the server runs; NULL if none has. */
static const char *change_find_fixed(const struct server_settings *from,
                                     const struct server_settings *to)
{
    if (from->port != to->port)
        return "SERVER_PORT";
    if (strcmp(from->ip, to->ip) != 0)
        return "SERVER_IP";
    if (strcmp(from->http_address, to->http_address) != 0)
        return "SERVER_HTTP_ADDRESS";
    if (from->listen_backlog != to->listen_backlog)
        return "SERVER_LISTEN_BACKLOG";
    if (from->mode != to->mode)
        return "SERVER_MODE";
    if (strcmp(from->data_dir, to->data_dir) != 0)
        return "LOTTERY_DATA_DIR";
    return NULL;
}

/* The first of those that a draw has for its whole life; NULL if none has changed. */
static const char *change_find_of_draw(const struct settings_change *change)
{
    const struct server_settings *from = change->from;
    const struct server_settings *to = change->to;
    const bool is_drawn = change->phase == DRAW_DRAWN;

    if (from->draw != to->draw)
        return "LOTTERY_DRAW";
    if (server_settings_has_seal(from) != server_settings_has_seal(to))
        return "LOTTERY_SEAL";
    if (from->winner_number != to->winner_number && from->draw == SERVER_DRAW_AUTO && !is_drawn)
        return "LOTTERY_WINNER_NUMBER";
    /* A later draw has its own closing time, whatever the setting is. */
    if (from->close_at_s != to->close_at_s && from->close_at_s == change->close_at_s && !is_drawn)
        return "LOTTERY_CLOSE_AT";
    if (strcmp(from->draw_id, to->draw_id) != 0 && change->id[0] == '\0')
        return "LOTTERY_DRAW_ID";
    if (strcmp(from->seal_key, to->seal_key) != 0 && server_settings_has_seal(from) &&
        change->phase != DRAW_OPEN)
        return "LOTTERY_SEAL_KEY";
    return NULL;
}

static enum status change_check_agencies(const struct settings_change *change, struct errbuf *err)
{
    const uint32_t from = change->from->agencies;
    const uint32_t to = change->to->agencies;

    if (to == from || (to > from && change->phase == DRAW_OPEN))
        return STATUS_OK;
    errbuf_set(err, "LOTTERY_AGENCIES is %u: this draw has %u, and takes %s: set it back", to, from,
               to < from ? "only more" : "no more since it was closed");
    return STATUS_INVALID;
}

enum status settings_change_check(const struct settings_change *change, struct errbuf *err)
{
    const char *name = change_find_fixed(change->from, change->to);

    if (name != NULL) {
        errbuf_set(err,
                   "%s cannot change while the server runs: set it back, or restart the server",
                   name);
        return STATUS_INVALID;
    }
    if (change->is_next || change->to->mode != SERVER_MODE_LOTTERY)
        return STATUS_OK;
    name = change_find_of_draw(change);
    if (name != NULL) {
        errbuf_set(err,
                   "%s cannot change in a draw that has begun: set it back, or wait for the "
                   "next draw",
                   name);
        return STATUS_INVALID;
    }
    return change_check_agencies(change, err);
}
