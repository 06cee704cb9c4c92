/* journal_v1.h - reads the journal of the first release, whose folders are carried over.
 *
 * Two header records of 64 bytes at 0 and 512, then, from 1024, records of 64 bytes.
 */
#ifndef LOTTERY_STORE_JOURNAL_V1_H
#define LOTTERY_STORE_JOURNAL_V1_H

#include "bets_extent.h"
#include "data_dir.h"
#include "draw.h"
#include "errbuf.h"
#include "recovery_pace.h"

/* What a folder of version 1 had. */
struct journal_v1_report {
    uint64_t bets_end;     /* valid bytes of bets.csv */
    uint64_t bets_synced;  /* bytes of bets.csv that are known to be on disk */
    uint64_t bets_size;    /* size of the file; what follows bets_end is a torn tail */
    uint64_t journal_end;  /* valid bytes of the journal */
    uint64_t journal_used; /* bytes up to the last one that is not zero */
};

/* Is the journal, open in `fd`, one of version 1? IO with a reason in *err when it cannot be read.
 */
enum status journal_v1_is_one(const struct file_ops *ops, int fd, bool *out, struct errbuf *err);

/* Replays a journal of version 1 into *draw (an initialised state, opened here with `opened`) and
 * *extent, an empty one, and verifies bets.csv. A draw that was held is closed and drawn in *draw,
 * with number, size and checksum of winners.csv as version 1 recorded them; the number and N are
 * those of that draw, whatever `opened` says, and the times, which were not recorded, are 0.
 * Changes nothing on disk. Logs each second how far it is. The caller frees *draw and *extent in
 * any case.
 *
 * DAMAGED     data that is known to have been on disk is not what it was
 * INVALID     it has bets of an agency beyond opened->agencies
 * STOPPED     pace->must_stop returned true
 * IO, NOMEM   with a reason in *err */
enum status journal_v1_replay(const struct data_dir *data_dir, int journal_fd, int bets_fd,
                              const struct draw_opened *opened, struct recovery_pace *pace,
                              struct draw *draw, struct bets_extent *extent,
                              struct journal_v1_report *report, struct errbuf *err);

#endif
