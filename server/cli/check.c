#include "check.h"

#include "base64.h"
#include "draws.h"
#include "rfc3339.h"
#include "store_csv.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

static void check_print_agencies(const struct draw *draw)
{
    for (uint32_t i = 1; i <= draw->agencies; i++) {
        const struct draw_agency *agency = &draw->agency[i];
        if (agency->received > 0 || agency->has_finished)
            (void)printf("agency %" PRIu32 ": %" PRIu64 " bets, %s\n", i, agency->received,
                         agency->has_finished ? "finished" : "not finished");
    }
    (void)printf("in all: %" PRIu64 " bets, %" PRIu32 " agencies finished\n", draw->bets,
                 draw->finished);
}

static const char *check_time(uint64_t time_s, char out[RFC3339_SIZE])
{
    rfc3339_format(time_s, out);
    return out;
}

/* What only draws have that somebody runs: what they were opened with. */
static void check_print_terms(const struct draw_terms *terms)
{
    if (terms->id[0] != '\0')
        (void)printf("id: %s\n", terms->id);
    (void)printf("mode: %s, %s\n", terms->mode == DRAW_MANUAL ? "manual" : "auto",
                 terms->has_seal ? "with a seal" : "without a seal");
    if (terms->close_at_s > 0) {
        char time[RFC3339_SIZE];
        (void)printf("closing time: %s\n", check_time(terms->close_at_s, time));
    }
}

static void check_print_closed(const struct draw_closed *closed)
{
    char time[RFC3339_SIZE];

    (void)printf("closed: %s, ", check_time(closed->time_s, time));
    switch (closed->by) {
    case DRAW_BY_ALL_FINISHED:
        (void)puts("all agencies had finished");
        break;
    case DRAW_BY_DEADLINE:
        (void)puts("the closing time had come");
        break;
    case DRAW_BY_OPERATOR:
        (void)printf("by uid %" PRIu32 "\n", closed->uid);
        break;
    }
}

static void check_print_sealed(const struct draw_sealed *sealed)
{
    char root[BASE64_SIZE(DRAW_ROOT_SIZE)]; /* as it stands in seal.txt */
    char time[RFC3339_SIZE];

    (void)base64_encode(sealed->root, sizeof(sealed->root), root);
    (void)printf("sealed: %s, root %.*s\n", check_time(sealed->time_s, time), (int)sizeof(root),
                 root);
}

static void check_print_drawn(const struct draw *draw)
{
    const struct draw_drawn *drawn = &draw->drawn;
    char time[RFC3339_SIZE];

    (void)printf("drawn: %s, number %" PRIu32, check_time(drawn->time_s, time),
                 drawn->winner_number);
    if (draw->terms.mode == DRAW_MANUAL)
        (void)printf(", by uid %" PRIu32, drawn->uid);
    if (drawn->source.size > 0)
        (void)printf(", source: %.*s", (int)drawn->source.size, drawn->source.data);
    (void)puts("");
}

/* Nothing for a draw that nobody runs, and which nobody has tried to. */
static void check_print_history(const struct draw *draw)
{
    const struct draw_terms *terms = &draw->terms;
    char time[RFC3339_SIZE];

    if (terms->mode != DRAW_AUTO || terms->has_seal || terms->close_at_s > 0 ||
        terms->id[0] != '\0') {
        check_print_terms(terms);
        if (draw->phase >= DRAW_CLOSED)
            check_print_closed(&draw->closed);
        if (draw->is_sealed)
            check_print_sealed(&draw->sealed);
        if (draw->phase == DRAW_DRAWN)
            check_print_drawn(draw);
    }
    for (size_t i = 0; i < draw->acts_count; i++) {
        const struct draw_act *act = draw->acts[i];
        (void)printf("act: %s, uid %" PRIu32 ": %.*s\n", check_time(act->time_s, time), act->uid,
                     (int)act->text.size, act->text.data);
    }
}

static const char *check_phase(enum draw_phase phase)
{
    return phase == DRAW_OPEN ? "open" : "closed";
}

/* A folder of version 1 does not say for which settings its draw was opened. */
static void check_print_draw(const struct draw *draw, bool is_carried_over)
{
    if (is_carried_over)
        (void)puts("draw: of an earlier release, whose folder the next start carries over");
    else if (draw->phase == DRAW_NEW)
        (void)puts("draw: not opened");
    else if (draw->terms.mode == DRAW_MANUAL)
        (void)printf("draw: %s, %" PRIu32 " agencies\n", check_phase(draw->phase), draw->agencies);
    else
        (void)printf("draw: %s, %" PRIu32 " agencies, winning number %" PRIu32 "\n",
                     check_phase(draw->phase), draw->agencies, draw->winner_number);
    if (draw->phase == DRAW_DRAWN)
        (void)printf("raffle: held with number %" PRIu32 ", %" PRIu64 " winners\n",
                     draw->drawn.winner_number, draw->drawn.winners);
    else
        (void)puts("raffle: not held");
    check_print_history(draw);
}

static void check_print_tail(const struct store_csv_report *report)
{
    if (report->bets_torn == 0 && report->journal_torn == 0)
        return;
    (void)printf("torn tail, which the next start cuts: %" PRIu64 " bytes of bets.csv, %" PRIu64
                 " of bets.journal\n",
                 report->bets_torn, report->journal_torn);
    (void)puts("what is cut is kept, in files that are named bets.torn-TIME");
    (void)puts("a crash leaves such a tail; if files were copied or restored, it may hold "
               "acknowledged bets");
}

/* Opens the folder of the draw in force: `dir`, or the one in it that `current` names; its path is
 * put into `path`. */
static enum status check_open(const char *dir, char path[PATH_MAX], struct data_dir *out,
                              struct errbuf *err)
{
    char id[DRAW_ID_MAX + 1];

    enum status status = data_dir_open_check(dir, &file_ops_system, out, err);
    if (status != STATUS_OK)
        return status;
    status = draws_read_current(out, id, err);
    if (status == STATUS_OK && id[0] == '\0')
        return STATUS_OK;
    data_dir_close(out);
    if (status != STATUS_OK)
        return status;
    (void)snprintf(path, PATH_MAX, "%s/%s", dir, id); /* one that is cut is not there */
    status = data_dir_open_check(path, &file_ops_system, out, err);
    if (status != STATUS_OK)
        errbuf_wrap(err, "%s, the draw in force", id);
    else
        (void)printf("in force: %s\n", id);
    return status;
}

static enum status check_read(const char *dir, struct draw *draw, struct store_csv_report *report,
                              struct errbuf *err)
{
    struct data_dir data_dir;
    char path[PATH_MAX];

    enum status status = check_open(dir, path, &data_dir, err);
    if (status != STATUS_OK)
        return status;
    status = store_csv_check(&data_dir, draw, report, err);
    data_dir_close(&data_dir);
    return status;
}

int check_folder(const char *dir)
{
    struct store_csv_report report = {0};
    struct errbuf err = {{0}};
    struct draw draw;

    draw_init(&draw);
    enum status status = check_read(dir, &draw, &report, &err);
    if (status == STATUS_OK) {
        check_print_agencies(&draw);
        check_print_draw(&draw, report.is_carried_over);
        if (report.lacks_result)
            (void)puts("result.txt: not there; the next start makes it");
        check_print_tail(&report);
        (void)puts("sound");
    } else {
        (void)fprintf(stderr, "lottery-server: data directory %s: %s\n", dir, err.text);
    }
    draw_fini(&draw);
    return status == STATUS_OK ? 0 : 1;
}
