/* replay.h - reads the journal from a known good point and checks it against bets.csv.
 *
 * The same code serves the start (from the beginning), the check (changing nothing) and the repair
 * after a process died within a commit (from the last commit point). It trusts no byte: every
 * record must have its checksum, its own offset and the folder's id, continue bets.csv where the
 * one before ended, and the bets must match its checksum of them.
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
    struct state *state; /* gets what the records say, but for sizes and the draw */
    uint64_t journal_at; /* where to begin */
    uint64_t bets_at;
    uint64_t synced; /* in: known to be on disk; out: the furthest that any record knows */

    /* Out: the end of what is good. */
    uint64_t journal_end;
    uint64_t bets_end;
    uint64_t journal_used; /* up to the last byte that is not spare room, at least journal_end */
    uint64_t journal_size; /* of the files as they are */
    uint64_t bets_size;
    uint64_t bets;              /* bets in the records that were read */
    struct journal_record draw; /* the raffle's record */
    bool has_draw;              /* one was read */
};

/* Reads to the end or to the first thing that is not good. Returns STATUS_OK when what follows the
 * good part (if anything) may be a torn tail; STATUS_DAMAGED with file and offset when it was on
 * disk once; STATUS_INVALID for a record of an agency beyond N; or an I/O status. */
enum status replay_run(struct replay *replay, struct errbuf *err);

/* Puts the draw that was read, if any, into the state: from then on everybody tells of it. */
void replay_publish_draw(const struct replay *replay);

#endif
