#include "check.h"

#include "server_settings.h"
#include "store_csv.h"

#include <inttypes.h>
#include <stdio.h>

/* As many as there can be, because LOTTERY_AGENCIES is not known here. */
struct agencies {
    uint64_t received[SERVER_AGENCIES_MAX + 1];
    bool has_finished[SERVER_AGENCIES_MAX + 1];
};

static void check_print_agencies(const struct agencies *agencies)
{
    for (uint32_t i = 1; i <= SERVER_AGENCIES_MAX; i++) {
        if (agencies->received[i] > 0 || agencies->has_finished[i])
            (void)printf("agency %" PRIu32 ": %" PRIu64 " bets, %s\n", i, agencies->received[i],
                         agencies->has_finished[i] ? "finished" : "not finished");
    }
}

static void check_print_report(const struct store_report *report)
{
    (void)printf("in all: %" PRIu64 " bets, %" PRIu32 " agencies finished\n", report->bets,
                 report->finished);
    if (report->has_draw)
        (void)printf("raffle: held with number %" PRIu32 ", %" PRIu64 " winners\n",
                     report->winner_number, report->winners);
    else
        (void)puts("raffle: not held");
    if (report->bets_cut > 0 || report->journal_cut > 0)
        (void)printf("torn tail, never acknowledged, which the next start cuts: %" PRIu64
                     " bytes of bets.csv, %" PRIu64 " of bets.journal\n",
                     report->bets_cut, report->journal_cut);
    (void)puts("sound");
}

int check_folder(const char *dir)
{
    static struct agencies agencies;
    struct store_report report;
    struct errbuf err = {{0}};

    enum status status = data_dir_check(dir, SERVER_AGENCIES_MAX, &file_ops_system, &report,
                                        agencies.received, agencies.has_finished, &err);
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "lottery-server: data folder %s: %s\n", dir, err.text);
        return 1;
    }
    check_print_agencies(&agencies);
    check_print_report(&report);
    return 0;
}
