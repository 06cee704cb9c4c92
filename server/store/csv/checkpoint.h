/* checkpoint.h - the state at one point of the log: what every journal file begins with.
 *
 * It holds the draw with the agencies' numbers, and how far bets.csv goes, with its checksums.
 */
#ifndef LOTTERY_STORE_CHECKPOINT_H
#define LOTTERY_STORE_CHECKPOINT_H

#include "bets_extent.h"
#include "data_dir.h"
#include "draw.h"
#include "errbuf.h"

/* Reads the newest checkpoint of the journal in a data directory into *draw, an initialised state,
 * and *extent; the caller frees both. In a draw that is closed it covers all that counts. Changes
 * nothing on disk; blocks on the files. DAMAGED, NOTFOUND, IO, NOMEM with a reason in *err. */
enum status checkpoint_read(const struct data_dir *data_dir, struct draw *draw,
                            struct bets_extent *extent, struct errbuf *err);

#endif
