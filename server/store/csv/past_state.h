/* past_state.h - what the journal of a draw that is over says of it. */
#ifndef LOTTERY_STORE_PAST_STATE_H
#define LOTTERY_STORE_PAST_STATE_H

#include "data_dir.h"
#include "draw.h"
#include "errbuf.h"
#include "status.h"

/* Reads the state of the draw in `data_dir`, of which only `ops`, `path` and `fd` count: no lock is
 * needed, as nobody writes there any more. Its bets are not read. Changes nothing on disk; blocks
 * on the journal.
 *
 * *draw is an initialised state; the caller ends it in any case. NOTFOUND: there is no journal, or
 * the draw is not drawn; DAMAGED, IO, NOMEM; *err says what. */
enum status past_state_read(const struct data_dir *data_dir, struct draw *draw, struct errbuf *err);

#endif
