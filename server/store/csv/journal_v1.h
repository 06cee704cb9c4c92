/* journal_v1.h - reads the journal of the first release, whose folders are carried over. */
#ifndef LOTTERY_STORE_JOURNAL_V1_H
#define LOTTERY_STORE_JOURNAL_V1_H

#include "recovery.h"

/* Is the journal one of version 1? If not, this returns OK and is_version_1 stays false. If it is,
 * the journal is read and bets.csv is verified, and *self says what was found. The caller has set
 * both sizes.
 *
 * The draw is opened with self->opened. One that was held is closed and drawn, with number, size
 * and checksum of winners.csv as version 1 recorded them; the number and N are those of that draw,
 * whatever `opened` says, and the times, which were not recorded, are 0. Changes nothing on disk.
 *
 * DAMAGED     data that is known to have been on disk is not what it was
 * INVALID     it has bets of an agency beyond opened.agencies
 * STOPPED     must_stop returned true
 * IO, NOMEM   with a reason in *err */
enum status journal_v1_read(struct recovery *self, struct errbuf *err);

#endif
