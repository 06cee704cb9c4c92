/* scan_work.h - the work of a scan job: what each of its processes does, and what they share.
 *
 * Everything here is called in turn and blocks; scan_job.h says in which process and when. The
 * processes get a copy of struct scan_work by the fork; only the results are shared memory.
 */
#ifndef LOTTERY_SCAN_WORK_H
#define LOTTERY_SCAN_WORK_H

#include "journal_file.h"
#include "ledger.h"
#include "winner_files.h"

#include <stddef.h>
#include <stdint.h>

#define SCAN_PARTS_MAX 64
#define SCAN_FDS_MAX (2 + SCAN_PARTS_MAX)

/* What a process leaves behind, complete when it ends with status 0. */
struct scan_result {
    enum status status;
    struct errbuf err;       /* why, if it is not OK; may be empty */
    uint64_t bets;           /* scanner: that the part has */
    struct draw_drawn drawn; /* joiner: winners, winners_size and winners_crc */
};

struct scan_work {
    const struct data_dir *data_dir; /* borrowed */
    struct draw draw;                /* as closed, from the checkpoint; to check, only agencies */
    struct bets_extent extent;       /* of bets.csv, from the checkpoint */
    unsigned parts;                  /* of bets.csv, for each of which there is a scanner */
    int fds[SCAN_FDS_MAX];           /* owned: winners.csv, its index, then those of the parts */
    size_t files;                    /* how many of fds are open */
    struct scan_results *results;    /* shared with the processes; NULL: none */
    struct draw_drawn drawn;         /* what is to be checked, or the outcome of a scan */
};

void scan_work_init(struct scan_work *work, const struct data_dir *data_dir);

/* Closes the files and gives back what an attempt had; none of its processes may run any more. The
 * next attempt may follow. */
void scan_work_clear(struct scan_work *work);

/* Prepares to scan the draw that the news says is closed or drawn, in 1..scanners parts: reads how
 * far bets.csv goes and what its checksums are, as the draw was closed with. DAMAGED: that cannot
 * be found; IO, NOMEM, ...; *err says why. */
enum status scan_work_prepare(struct scan_work *work, const struct ledger_news *news,
                              unsigned scanners, struct errbuf *err);

/* Prepares to check the files of news->drawn. NOMEM. */
enum status scan_work_prepare_check(struct scan_work *work, const struct ledger_news *news,
                                    struct errbuf *err);

/* What the process `index` has left behind: a scanner that of its part, joiner and checker that of
 * 0. Valid until scan_work_clear(). */
const struct scan_result *scan_work_result(const struct scan_work *work, unsigned index);

/* What the processes do. A scanner writes the winners of its part to the part's file; the joiner
 * makes winners.csv and its index of all of these; the checker looks whether the two in the data
 * directory are right. */
void scan_work_scan(const struct scan_work *work, unsigned part);
void scan_work_join(const struct scan_work *work);
void scan_work_check(const struct scan_work *work);

/* Have the scanners together found as many bets as the draw was closed with? If not, one that was
 * acknowledged might have won: DAMAGED, and *err says so. */
enum status scan_work_count_bets(const struct scan_work *work, struct errbuf *err);

/* Sets work->drawn to the outcome, which has to have the winners that the scanners have found:
 * otherwise DAMAGED. */
enum status scan_work_take_outcome(struct scan_work *work, struct errbuf *err);

#endif
