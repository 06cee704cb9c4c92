/* replay.h - reads the journal from a known good point and checks it against bets.csv.
 *
 * The same code serves the start (from the beginning), the check (which changes nothing) and the
 * repair after a process died during a commit (from the last commit point). It trusts no byte:
 * every record must have a correct checksum, its own offset and the data folder's id, must continue
 * bets.csv where the previous record ended, and its checksum of the bets must match.
 */
#ifndef LOTTERY_STORE_REPLAY_H
#define LOTTERY_STORE_REPLAY_H

#include "errbuf.h"
#include "file_ops.h"
#include "journal.h"
#include "state.h"

struct replay {
    /* In. */
    const struct file_ops *ops;
    int bets_fd;
    int journal_fd;
    struct state *state; /* gets what the records say, except sizes and the draw */
    uint64_t journal_at; /* where to start in the journal */
    uint64_t bets_at;    /* and in bets.csv */
    uint64_t synced; /* in: journal bytes known to be on disk; out: the highest any record says */

    /* Out: where the valid part ends. */
    uint64_t journal_end;
    uint64_t bets_end;
    uint64_t journal_used; /* end of what is not reserved space, at least journal_end */
    uint64_t journal_size; /* actual sizes of the files */
    uint64_t bets_size;
    uint64_t bets;              /* bets in the records that were read */
    struct journal_record draw; /* the record of the draw */
    bool has_draw;              /* there was one */
};

/* Reads to the end or to the first record that is not valid. Returns STATUS_OK when nothing follows
 * the valid part, or what follows may be a torn tail; STATUS_DAMAGED, with file and offset in *err,
 * when the bytes that follow were on disk before; STATUS_INVALID for a record of an agency beyond
 * N; or STATUS_NOMEM or an I/O status. Blocks on the files. */
enum status replay_run(struct replay *replay, struct errbuf *err);

/* Lets all processes see the draw that was read, if any, and how many agencies have finished: they
 * act on both, so the sizes in the state have to cover everything that was read by then. Counts the
 * agencies again, as a process may have died between two steps of counting. */
void replay_publish(const struct replay *replay);

#endif
