/* state.h - what the processes on one data folder share, in memory inherited through fork().
 *
 * The lock is a robust mutex: when its holder dies, the next one is told so and repairs (see
 * group.c). The sizes are the commit point: they move last, after the files are written and the
 * agencies' numbers are updated. Bytes beyond them do not count.
 */
#ifndef LOTTERY_STORE_STATE_H
#define LOTTERY_STORE_STATE_H

#include "journal.h"
#include "status.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state_agency {
    _Atomic uint64_t received;     /* bets stored */
    _Atomic uint32_t has_finished; /* bool */
};

struct state {
    pthread_mutex_t lock;   /* robust, shared by processes; guards all writing of what follows */
    uint64_t id;            /* of the data folder, see journal.h */
    uint64_t header_writes; /* how often the journal's header was written */
    _Atomic uint64_t bets_size;        /* committed bytes of bets.csv */
    _Atomic uint64_t journal_size;     /* committed bytes of the journal */
    _Atomic uint64_t journal_capacity; /* size of its file: zeros from journal_size on */
    _Atomic uint64_t next_bets;        /* the sizes that state_commit sets: if the holder of the */
    _Atomic uint64_t next_journal;     /* lock dies between the two, they would not match */
    _Atomic uint32_t is_moving;        /* bool: next_* are set, the move has to be finished */
    _Atomic uint32_t sync_failed;      /* bool: what is in the files may never reach the disk; the
                                          data folder has to be opened again */
    _Atomic uint64_t synced;           /* journal bytes on disk, with their bets; only grows */
    _Atomic uint32_t finished;         /* agencies that have finished */
    _Atomic uint32_t has_draw;         /* bool */
    struct journal_record draw;        /* written before has_draw, never changed afterwards */
    uint32_t agencies;                 /* N */
    size_t mapped_size;                /* bytes of this mapping */
    struct state_agency agency[];      /* [1..agencies] */
};

/* Maps a zeroed state for `agencies` agencies into *out. STATUS_NOMEM when that fails. */
enum status state_create(uint32_t agencies, struct state **out);

/* Unmaps it from this process only. NULL is allowed. */
void state_destroy(struct state *state);

/* Takes the lock; blocks while another holds it. Sets *out_repair when the last holder died while
 * holding it: then the caller repairs files and state and calls state_lock_repaired(). */
void state_lock(struct state *state, bool *out_repair);
void state_lock_repaired(struct state *state);
void state_unlock(struct state *state);

/* Moves the commit point, which never moves back: both sizes together. If the process dies in
 * between, the next holder's state_finish_commit completes the move. The caller holds the lock. */
void state_commit(struct state *state, uint64_t bets_size, uint64_t journal_size);

/* Completes the move of a holder that died during it. The caller holds the lock. */
void state_finish_commit(struct state *state);

/* Raises `synced` to `to`, unless it is already there or beyond. Needs no lock. */
void state_raise_synced(struct state *state, uint64_t to);

#endif
