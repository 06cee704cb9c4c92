#include "check.h"

#include "draws.h"
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

/* A folder of version 1 does not say for which settings its draw was opened. */
static void check_print_draw(const struct draw *draw, bool is_carried_over)
{
    if (is_carried_over)
        (void)puts("draw: of an earlier release, whose folder the next start carries over");
    else if (draw->phase == DRAW_NEW)
        (void)puts("draw: not opened");
    else
        (void)printf("draw: %s, %" PRIu32 " agencies, winning number %" PRIu32 "\n",
                     draw->phase == DRAW_OPEN ? "open" : "closed", draw->agencies,
                     draw->winner_number);
    if (draw->phase == DRAW_DRAWN)
        (void)printf("raffle: held with number %" PRIu32 ", %" PRIu64 " winners\n",
                     draw->drawn.winner_number, draw->drawn.winners);
    else
        (void)puts("raffle: not held");
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
        check_print_tail(&report);
        (void)puts("sound");
    } else {
        (void)fprintf(stderr, "lottery-server: data directory %s: %s\n", dir, err.text);
    }
    draw_fini(&draw);
    return status == STATUS_OK ? 0 : 1;
}
