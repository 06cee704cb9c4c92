#include "ctl_show.h"

#include "control_json.h"
#include "ctl_text.h"
#include "json_print.h"

#include <inttypes.h>

#define NAME_WIDTH 10 /* of the first column of the status */

typedef Lottery__Control__V1__Status ctl_status;

const char *ctl_show_draw_name(const char *draw)
{
    return draw[0] != '\0' ? draw : "(without id)";
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

/* One value as a line of JSON. */
static enum status ctl_show_line(FILE *out, json_t *value)
{
    const enum status status = json_print_file(value, out);

    (void)fputc('\n', out);
    return status;
}

static void ctl_show_status_table(FILE *out, const ctl_status *status)
{
    if (!control_json_is_known(status)) {
        ctl_show_text(out, "phase", "not known yet: the server has just started");
        return;
    }
    ctl_show_text(out, "draw", ctl_show_draw_name(status->draw));
    ctl_show_name(out, "mode");
    (void)fprintf(out, "%s%s\n", control_json_mode(status),
                  status->has_seal ? ", with a seal" : "");
    ctl_show_text(out, "phase", control_json_phase(status->phase));
    ctl_show_name(out, "agencies");
    (void)fprintf(out, "%" PRIu32 ", %" PRIu32 " finished\n", status->agencies, status->finished);
    if (status->has_bets) {
        ctl_show_name(out, "bets");
        (void)fprintf(out, "%" PRIu64 "\n", status->bets);
    }
    if (!control_json_is_closed(status) && status->close_at != 0) {
        ctl_show_time(out, "closes", status->close_at);
        (void)fputc('\n', out);
    }
    if (control_json_is_closed(status))
        ctl_show_closed(out, status);
    if (control_json_is_drawn(status))
        ctl_show_drawn(out, status);
}

enum status ctl_show_status(FILE *out, const ctl_status *status, bool is_json)
{
    if (!is_json) {
        ctl_show_status_table(out, status);
        return STATUS_OK;
    }
    return ctl_show_line(out, control_json_status(status));
}

/* A row of a list in JSON, which ctl_show_end() ends. Rows are written one by one: there may be
 * millions of them. */
static enum status ctl_show_row(FILE *out, size_t index, json_t *row)
{
    (void)fputc(index == 0 ? '[' : ',', out);
    return json_print_file(row, out);
}

static void ctl_show_end(FILE *out, size_t count)
{
    (void)fputs(count == 0 ? "[]\n" : "]\n", out);
}

static void ctl_show_agencies_table(FILE *out, const struct ctl_answer *answer)
{
    (void)fprintf(out, "%10s %20s  %s\n", "agency", "bets", "finished");
    for (size_t i = 0; i < answer->agencies_count; i++) {
        const struct ctl_agency *row = &answer->agencies[i];
        (void)fprintf(out, "%10" PRIu32 " %20" PRIu64 "  %s\n", row->id, row->bets,
                      row->has_finished ? "yes" : "no");
    }
}

enum status ctl_show_agencies(FILE *out, const struct ctl_answer *answer, bool is_json)
{
    enum status status = STATUS_OK;

    if (!is_json) {
        ctl_show_agencies_table(out, answer);
        return STATUS_OK;
    }
    for (size_t i = 0; i < answer->agencies_count && status == STATUS_OK; i++) {
        const struct ctl_agency *row = &answer->agencies[i];
        status = ctl_show_row(out, i, control_json_agency(row->id, row->bets, row->has_finished));
    }
    ctl_show_end(out, answer->agencies_count);
    return status;
}

static void ctl_show_winners_table(FILE *out, const struct ctl_answer *answer)
{
    (void)fprintf(out, "%10s  %s\n", "agency", "document");
    for (size_t i = 0; i < answer->winners_count; i++) {
        (void)fprintf(out, "%10" PRIu32 "  ", answer->winners[i].agency);
        ctl_text_print(out, answer->winners[i].document);
        (void)fputc('\n', out);
    }
}

enum status ctl_show_backup(FILE *out, const struct ctl_backup *backup, bool is_json)
{
    const Lottery__Control__V1__Snapshot *snapshot = backup->snapshot;

    if (is_json)
        return ctl_show_line(out, control_json_backup(backup->path, snapshot, backup->bytes));
    ctl_show_text(out, "backup", backup->path);
    ctl_show_text(out, "draw", ctl_show_draw_name(snapshot->draw));
    ctl_show_text(out, "phase", control_json_phase(snapshot->phase));
    ctl_show_name(out, "bets");
    (void)fprintf(out, "%" PRIu64 "\n", snapshot->bets);
    ctl_show_name(out, "bytes");
    (void)fprintf(out, "%" PRIu64 "\n", backup->bytes);
    return STATUS_OK;
}

enum status ctl_show_winners(FILE *out, const struct ctl_answer *answer, bool is_json)
{
    enum status status = STATUS_OK;

    if (!is_json) {
        ctl_show_winners_table(out, answer);
        return STATUS_OK;
    }
    for (size_t i = 0; i < answer->winners_count && status == STATUS_OK; i++) {
        const struct ctl_winner *row = &answer->winners[i];
        status = ctl_show_row(out, i, control_json_winner(row->agency, row->document));
    }
    ctl_show_end(out, answer->winners_count);
    return status;
}

enum status ctl_show_error(FILE *out, const char *text)
{
    return ctl_show_line(out, control_json_error(text));
}
