#include "metrics.h"

#include "exposition.h"
#include "readiness.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A family of one sample. */
static void metrics_gauge(struct exposition *out, const char *name, const char *help,
                          uint64_t value)
{
    exposition_family(out, EXPOSITION_GAUGE, name, help);
    exposition_add(out, value);
}

static void metrics_counter(struct exposition *out, const char *name, const char *help,
                            uint64_t value)
{
    exposition_family(out, EXPOSITION_COUNTER, name, help);
    exposition_add(out, value);
}

/* ------------------------------------------------------------------ the server */

static void metrics_write_server(struct exposition *out, const struct observer_view *view)
{
    exposition_family(out, EXPOSITION_GAUGE, "lottery_build_info",
                      "The version of the server that runs; the value is 1.");
    exposition_add_for(out, "version", LOTTERY_VERSION, 1);
    metrics_gauge(out, "lottery_start_time_seconds",
                  "When the server started, in seconds since 1970.", view->started_s);
    metrics_gauge(out, "lottery_ready", "Whether the server is ready, as /readyz says it.",
                  readiness(view, NULL));
    metrics_gauge(out, "lottery_workers", "Worker processes that there are to be.",
                  view->scoreboard->workers);
    metrics_gauge(out, "lottery_workers_alive", "Workers that accept connections.",
                  scoreboard_workers_alive(view->scoreboard));
}

/* ------------------------------------------------------------------ what the workers do */

struct metrics_labelled {
    const char *label_value;
    enum scoreboard_count count;
};

static void metrics_write_counts(struct exposition *out, const struct observer_view *view,
                                 const char *label, const struct metrics_labelled *counts,
                                 size_t count)
{
    for (size_t i = 0; i < count; i++)
        exposition_add_for(out, label, counts[i].label_value,
                           scoreboard_total(view->scoreboard, counts[i].count));
}

static void metrics_write_connections(struct exposition *out, const struct observer_view *view)
{
    static const struct metrics_labelled refused[] = {
        {"server_limit", SCOREBOARD_REFUSED_SERVER},
        {"address_limit", SCOREBOARD_REFUSED_ADDRESS},
        {"resources", SCOREBOARD_REFUSED_RESOURCES},
    };
    const struct scoreboard *scoreboard = view->scoreboard;

    metrics_gauge(out, "lottery_connections", "Connections that are open.",
                  scoreboard_connections(scoreboard));
    metrics_counter(out, "lottery_connections_accepted_total", "Connections that were accepted.",
                    scoreboard_total(scoreboard, SCOREBOARD_ACCEPTED));
    exposition_family(out, EXPOSITION_COUNTER, "lottery_connections_refused_total",
                      "Connections that were closed at once: the server, or their address, had as "
                      "many as it may have, or there were no descriptors or no memory.");
    metrics_write_counts(out, view, "reason", refused, COUNT(refused));
    metrics_counter(out, "lottery_tls_handshakes_failed_total",
                    "TLS handshakes in which one side refused the other, or that took too long.",
                    scoreboard_total(scoreboard, SCOREBOARD_HANDSHAKES_FAILED));
    metrics_counter(out, "lottery_received_bytes_total",
                    "Bytes that came from agencies, inside TLS if there is TLS.",
                    scoreboard_total(scoreboard, SCOREBOARD_RECEIVED_BYTES));
    metrics_counter(out, "lottery_sent_bytes_total",
                    "Bytes that went to agencies, inside TLS if there is TLS.",
                    scoreboard_total(scoreboard, SCOREBOARD_SENT_BYTES));
}

/* By their codes in lottery.proto, from 1 on. */
static const char *const metrics_codes[] = {
    "ok",         "invalid_bet", "offset_gap",    "draw_closed",      "unknown_agency",
    "incomplete", "malformed",   "storage_error", "content_mismatch",
};

_Static_assert(COUNT(metrics_codes) < SCOREBOARD_CODES, "they are counted");

static uint64_t metrics_answers(const struct observer_view *view, size_t code)
{
    return scoreboard_total(view->scoreboard, (enum scoreboard_count)(SCOREBOARD_ANSWERS + code));
}

static void metrics_write_answers(struct exposition *out, const struct observer_view *view)
{
    exposition_family(out, EXPOSITION_COUNTER, "lottery_answers_total",
                      "Acks to agencies, by their code.");
    for (size_t i = 0; i < COUNT(metrics_codes); i++)
        exposition_add_for(out, "code", metrics_codes[i], metrics_answers(view, i + 1));
    metrics_counter(out, "lottery_bets_acknowledged_total",
                    "Bets that Acks said were stored with them.",
                    scoreboard_total(view->scoreboard, SCOREBOARD_BETS));
}

static void metrics_write_messages(struct exposition *out, const struct observer_view *view)
{
    static const struct metrics_labelled received[] = {
        {"new_bets", SCOREBOARD_NEW_BETS},
        {"question", SCOREBOARD_QUESTIONS},
        {"finished", SCOREBOARD_FINISHED},
        {"malformed", SCOREBOARD_MALFORMED},
    };
    static const struct metrics_labelled sent[] = {
        {"winners", SCOREBOARD_WINNERS},
        {"seal", SCOREBOARD_SEALS},
    };
    uint64_t acks = 0;

    for (size_t i = 0; i < COUNT(metrics_codes); i++)
        acks += metrics_answers(view, i + 1);
    exposition_family(out, EXPOSITION_COUNTER, "lottery_messages_received_total",
                      "Messages from agencies; a question is a NewBets without bets, as also "
                      "health checks send it.");
    metrics_write_counts(out, view, "message", received, COUNT(received));
    exposition_family(out, EXPOSITION_COUNTER, "lottery_messages_sent_total",
                      "Messages to agencies.");
    exposition_add_for(out, "message", "ack", acks);
    metrics_write_counts(out, view, "message", sent, COUNT(sent));
    metrics_write_answers(out, view);
}

/* ------------------------------------------------------------------ the store */

static void metrics_write_store(struct exposition *out, const struct observer_view *view)
{
    const struct scoreboard *scoreboard = view->scoreboard;
    const struct scoreboard_syncs syncs = scoreboard_syncs(scoreboard);

    metrics_counter(out, "lottery_bets_stored_total",
                    "Bets that were stored durably since the server started.",
                    scoreboard_bets_stored(scoreboard));
    metrics_counter(out, "lottery_store_commit_groups_total",
                    "Groups of operations that were written together, or could not be.",
                    scoreboard_groups(scoreboard));
    exposition_family(out, EXPOSITION_HISTOGRAM, "lottery_store_sync_seconds",
                      "How long each sync of the ledger to the disk took.");
    exposition_add_times(out, scoreboard_sync_bounds_ns, syncs.up_to, SCOREBOARD_SYNC_BOUNDS,
                         syncs.count, syncs.total_ns);
    metrics_gauge(out, "lottery_store_writable", "Whether the last group could be written.",
                  scoreboard_store_status(scoreboard) == STATUS_OK);
    metrics_gauge(out, "lottery_ledger_connected", "Whether the ledger is there and recovered.",
                  view->has_ledger);
}

/* ------------------------------------------------------------------ the draw */

/* Which of the phases is it? A draw that is sealed is closed, too, but only one of them is 1. */
static void metrics_write_phase(struct exposition *out, const struct ledger_news *news)
{
    const bool is_closed = news->phase == DRAW_CLOSED;

    exposition_family(out, EXPOSITION_GAUGE, "lottery_draw_phase",
                      "1 for the phase that the draw is in, 0 for the others.");
    exposition_add_for(out, "phase", "open", news->phase == DRAW_OPEN);
    exposition_add_for(out, "phase", "closed", is_closed && !news->is_sealed);
    exposition_add_for(out, "phase", "sealed", is_closed && news->is_sealed);
    exposition_add_for(out, "phase", "drawn", news->phase == DRAW_DRAWN);
}

static uint64_t metrics_connected(const struct observer_view *view)
{
    uint64_t connected = 0;

    for (uint32_t id = 1; id <= view->news->agencies; id++)
        connected += scoreboard_agency(view->scoreboard, id).connections > 0;
    return connected;
}

static void metrics_write_draw(struct exposition *out, const struct observer_view *view)
{
    const struct ledger_news *news = view->news;

    metrics_gauge(out, "lottery_draw_bets", "Bets of the draw that are stored.",
                  scoreboard_draw_bets(view->scoreboard));
    metrics_write_phase(out, news);
    metrics_gauge(out, "lottery_agencies", "Agencies that the draw has.", news->agencies);
    metrics_gauge(out, "lottery_agencies_finished", "Agencies that have finished.", news->finished);
    metrics_gauge(out, "lottery_agencies_connected",
                  "Agencies with a connection over which they have sent bets, or that they have "
                  "finished.",
                  metrics_connected(view));
    metrics_gauge(out, "lottery_winners", "Bets that have won; 0 before the draw.",
                  news->phase == DRAW_DRAWN ? news->drawn.winners : 0);
}

static uint64_t metrics_bets_of(const struct scoreboard_agency *agency)
{
    return agency->bets;
}

static uint64_t metrics_has_finished(const struct scoreboard_agency *agency)
{
    return agency->has_finished;
}

static uint64_t metrics_connections_of(const struct scoreboard_agency *agency)
{
    return agency->connections;
}

static void metrics_write_agencies(struct exposition *out, const struct observer_view *view)
{
    static const struct {
        const char *name;
        const char *help;
        uint64_t (*value)(const struct scoreboard_agency *agency);
    } families[] = {
        {"lottery_agency_bets", "Bets of the agency that are stored.", metrics_bets_of},
        {"lottery_agency_finished", "Whether the agency has finished.", metrics_has_finished},
        {"lottery_agency_connections",
         "Connections over which the agency has sent bets, or that it has finished.",
         metrics_connections_of},
    };

    for (size_t i = 0; i < COUNT(families); i++) {
        exposition_family(out, EXPOSITION_GAUGE, families[i].name, families[i].help);
        for (uint32_t id = 1; id <= view->news->agencies; id++) {
            const struct scoreboard_agency agency = scoreboard_agency(view->scoreboard, id);
            exposition_add_for_number(out, "agency", id, families[i].value(&agency));
        }
    }
}

enum status metrics_write(const struct observer_view *view, struct buffer *out)
{
    struct exposition exposition = {.out = out};

    metrics_write_server(&exposition, view);
    metrics_write_connections(&exposition, view);
    if (view->news == NULL)
        return exposition.status;
    metrics_write_messages(&exposition, view);
    metrics_write_store(&exposition, view);
    if (view->news->phase == DRAW_NEW)
        return exposition.status;
    metrics_write_draw(&exposition, view);
    if (view->settings->metrics == SERVER_METRICS_PER_AGENCY)
        metrics_write_agencies(&exposition, view);
    return exposition.status;
}
