#include "ctl_show.h"

#include "ctl_json.h"
#include "ctl_text.h"

#include <inttypes.h>

#define NAME_WIDTH 10 /* of the first column of the status */

typedef Lottery__Control__V1__Status ctl_status;

const char *ctl_show_draw_name(const char *draw)
{
    return draw[0] != '\0' ? draw : "(without id)";
}

static const char *ctl_phase_name(const ctl_status *status)
{
    switch ((int)status->phase) {
    case LOTTERY__CONTROL__V1__PHASE__PHASE_OPEN:
        return "open";
    case LOTTERY__CONTROL__V1__PHASE__PHASE_CLOSED:
        return "closed";
    case LOTTERY__CONTROL__V1__PHASE__PHASE_SEALED:
        return "sealed";
    case LOTTERY__CONTROL__V1__PHASE__PHASE_DRAWN:
        return "drawn";
    default:
        return "unknown";
    }
}

static const char *ctl_mode_name(const ctl_status *status)
{
    return status->mode == LOTTERY__CONTROL__V1__MODE__MODE_MANUAL ? "manual" : "auto";
}

static const char *ctl_closed_by_name(const ctl_status *status)
{
    switch ((int)status->closed_by) {
    case LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_ALL_FINISHED:
        return "all finished";
    case LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_DEADLINE:
        return "deadline";
    case LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_OPERATOR:
        return "operator";
    default:
        return "unknown";
    }
}

static bool ctl_is_known(const ctl_status *status)
{
    return status->phase != LOTTERY__CONTROL__V1__PHASE__PHASE_UNSPECIFIED;
}

static bool ctl_is_closed(const ctl_status *status)
{
    return status->phase >= LOTTERY__CONTROL__V1__PHASE__PHASE_CLOSED;
}

static bool ctl_is_drawn(const ctl_status *status)
{
    return status->phase == LOTTERY__CONTROL__V1__PHASE__PHASE_DRAWN;
}

/* The begin of a line of the status. */
static void ctl_show_name(FILE *out, const char *name)
{
    (void)fprintf(out, "%-*s ", NAME_WIDTH, name);
}

static void ctl_show_text(FILE *out, const char *name, const char *text)
{
    ctl_show_name(out, name);
    ctl_text_print(out, text);
    (void)fputc('\n', out);
}

/* A time, without the end of the line. */
static void ctl_show_time(FILE *out, const char *name, uint64_t seconds)
{
    char text[RFC3339_SIZE];

    rfc3339_format(seconds, text);
    ctl_show_name(out, name);
    (void)fputs(text, out);
}

void ctl_show_closed(FILE *out, const ctl_status *status)
{
    ctl_show_time(out, "closed", status->closed_at);
    switch ((int)status->closed_by) {
    case LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_ALL_FINISHED:
        (void)fputs(", all agencies had finished\n", out);
        break;
    case LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_DEADLINE:
        (void)fputs(", at its closing time\n", out);
        break;
    case LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_OPERATOR:
        (void)fprintf(out, ", by user %" PRIu32 "\n", status->closed_uid);
        break;
    default:
        (void)fputc('\n', out);
    }
    if (status->root.len == 0)
        return;
    ctl_show_time(out, "sealed", status->sealed_at);
    (void)fputc('\n', out);
    ctl_show_name(out, "root");
    ctl_text_print_base64(out, status->root.data, status->root.len);
    (void)fputc('\n', out);
    if (status->vkey[0] != '\0')
        ctl_show_text(out, "key", status->vkey);
}

void ctl_show_drawn(FILE *out, const ctl_status *status)
{
    ctl_show_time(out, "drawn", status->drawn_at);
    if (status->mode == LOTTERY__CONTROL__V1__MODE__MODE_MANUAL)
        (void)fprintf(out, ", by user %" PRIu32, status->drawn_uid);
    (void)fputc('\n', out);
    ctl_show_name(out, "number");
    (void)fprintf(out, "%" PRIu32 "\n", status->number);
    if (status->source[0] != '\0')
        ctl_show_text(out, "source", status->source);
    ctl_show_name(out, "winners");
    (void)fprintf(out, "%" PRIu64 "%s\n", status->winners,
                  status->has_winners ? "" : ", not readable at the moment");
}

static void ctl_show_status_table(FILE *out, const ctl_status *status)
{
    if (!ctl_is_known(status)) {
        ctl_show_text(out, "phase", "not known yet: the server has just started");
        return;
    }
    ctl_show_text(out, "draw", ctl_show_draw_name(status->draw));
    ctl_show_name(out, "mode");
    (void)fprintf(out, "%s%s\n", ctl_mode_name(status), status->has_seal ? ", with a seal" : "");
    ctl_show_text(out, "phase", ctl_phase_name(status));
    ctl_show_name(out, "agencies");
    (void)fprintf(out, "%" PRIu32 ", %" PRIu32 " finished\n", status->agencies, status->finished);
    if (status->has_bets) {
        ctl_show_name(out, "bets");
        (void)fprintf(out, "%" PRIu64 "\n", status->bets);
    }
    if (!ctl_is_closed(status) && status->close_at != 0) {
        ctl_show_time(out, "closes", status->close_at);
        (void)fputc('\n', out);
    }
    if (ctl_is_closed(status))
        ctl_show_closed(out, status);
    if (ctl_is_drawn(status))
        ctl_show_drawn(out, status);
}

static void ctl_json_closed(struct ctl_json *json, const ctl_status *status)
{
    if (!ctl_is_closed(status)) {
        ctl_json_null(json, "closed");
        return;
    }
    ctl_json_open(json, "closed", '{');
    ctl_json_time(json, "time", status->closed_at);
    ctl_json_text(json, "by", ctl_closed_by_name(status));
    if (status->closed_by == LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_OPERATOR)
        ctl_json_uint(json, "uid", status->closed_uid);
    else
        ctl_json_null(json, "uid");
    ctl_json_close(json, '}');
}

static void ctl_json_sealed(struct ctl_json *json, const ctl_status *status)
{
    if (status->root.len == 0) {
        ctl_json_null(json, "sealed");
        return;
    }
    ctl_json_open(json, "sealed", '{');
    ctl_json_time(json, "time", status->sealed_at);
    ctl_json_base64(json, "root", status->root.data, status->root.len);
    if (status->vkey[0] != '\0')
        ctl_json_text(json, "key", status->vkey);
    else
        ctl_json_null(json, "key");
    ctl_json_close(json, '}');
}

static void ctl_json_drawn(struct ctl_json *json, const ctl_status *status)
{
    if (!ctl_is_drawn(status)) {
        ctl_json_null(json, "drawn");
        return;
    }
    ctl_json_open(json, "drawn", '{');
    ctl_json_time(json, "time", status->drawn_at);
    ctl_json_uint(json, "number", status->number);
    ctl_json_text(json, "source", status->source);
    if (status->mode == LOTTERY__CONTROL__V1__MODE__MODE_MANUAL)
        ctl_json_uint(json, "uid", status->drawn_uid);
    else
        ctl_json_null(json, "uid");
    ctl_json_uint(json, "winners", status->winners);
    ctl_json_bool(json, "winners_readable", status->has_winners);
    ctl_json_close(json, '}');
}

static void ctl_show_status_json(FILE *out, const ctl_status *status)
{
    struct ctl_json json = {.out = out};

    ctl_json_open(&json, NULL, '{');
    ctl_json_text(&json, "phase", ctl_phase_name(status));
    if (ctl_is_known(status)) {
        ctl_json_text(&json, "draw", status->draw);
        ctl_json_text(&json, "mode", ctl_mode_name(status));
        ctl_json_bool(&json, "seal", status->has_seal);
        ctl_json_uint(&json, "agencies", status->agencies);
        ctl_json_uint(&json, "finished", status->finished);
        if (status->has_bets)
            ctl_json_uint(&json, "bets", status->bets);
        else
            ctl_json_null(&json, "bets");
        if (status->close_at != 0)
            ctl_json_time(&json, "close_at", status->close_at);
        else
            ctl_json_null(&json, "close_at");
        ctl_json_closed(&json, status);
        ctl_json_sealed(&json, status);
        ctl_json_drawn(&json, status);
    }
    ctl_json_close(&json, '}');
    (void)fputc('\n', out);
}

void ctl_show_status(FILE *out, const ctl_status *status, bool is_json)
{
    if (is_json)
        ctl_show_status_json(out, status);
    else
        ctl_show_status_table(out, status);
}

void ctl_show_agencies(FILE *out, const struct ctl_answer *answer, bool is_json)
{
    struct ctl_json json = {.out = out};

    if (is_json)
        ctl_json_open(&json, NULL, '[');
    else
        (void)fprintf(out, "%10s %20s  %s\n", "agency", "bets", "finished");
    for (size_t i = 0; i < answer->agencies_count; i++) {
        const struct ctl_agency *row = &answer->agencies[i];
        if (!is_json) {
            (void)fprintf(out, "%10" PRIu32 " %20" PRIu64 "  %s\n", row->id, row->bets,
                          row->has_finished ? "yes" : "no");
            continue;
        }
        ctl_json_open(&json, NULL, '{');
        ctl_json_uint(&json, "agency", row->id);
        ctl_json_uint(&json, "bets", row->bets);
        ctl_json_bool(&json, "finished", row->has_finished);
        ctl_json_close(&json, '}');
    }
    if (is_json) {
        ctl_json_close(&json, ']');
        (void)fputc('\n', out);
    }
}

void ctl_show_winners(FILE *out, const struct ctl_answer *answer, bool is_json)
{
    struct ctl_json json = {.out = out};

    if (is_json)
        ctl_json_open(&json, NULL, '[');
    else
        (void)fprintf(out, "%10s  %s\n", "agency", "document");
    for (size_t i = 0; i < answer->winners_count; i++) {
        const struct ctl_winner *row = &answer->winners[i];
        if (!is_json) {
            (void)fprintf(out, "%10" PRIu32 "  ", row->agency);
            ctl_text_print(out, row->document);
            (void)fputc('\n', out);
            continue;
        }
        ctl_json_open(&json, NULL, '{');
        ctl_json_uint(&json, "agency", row->agency);
        ctl_json_text(&json, "document", row->document);
        ctl_json_close(&json, '}');
    }
    if (is_json) {
        ctl_json_close(&json, ']');
        (void)fputc('\n', out);
    }
}

void ctl_show_error(FILE *out, const char *text)
{
    struct ctl_json json = {.out = out};

    ctl_json_open(&json, NULL, '{');
    ctl_json_text(&json, "error", text);
    ctl_json_close(&json, '}');
    (void)fputc('\n', out);
}
