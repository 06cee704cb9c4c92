/* state.h - what the processes on one data folder share, in memory that fork() hands on.
 *
 * The lock is robust: when its holder dies, the next one is told and repairs (see group.c). The
 * sizes are the commit point: they move last, after the files are written and the agencies' numbers
 * are in place, so that whatever lies beyond them never happened.
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
    pthread_mutex_t lock;              /* robust, between processes; guards all writing below */
    uint64_t id;                       /* of the folder, see journal.h */
    uint64_t header_writes;            /* how often the journal's header was written */
    _Atomic uint64_t bets_size;        /* committed bytes of bets.csv */
    _Atomic uint64_t journal_size;     /* committed bytes of the journal */
    _Atomic uint64_t journal_capacity; /* bytes of the journal's file: zeros behind journal_size */
    _Atomic uint64_t next_bets; /* where state_commit moves them: a holder of the lock that dies */
    _Atomic uint64_t next_journal; /* between the two leaves a pair that does not belong together */
    _Atomic uint32_t is_moving;    /* bool: next_* are set, the move is to be finished */
    _Atomic uint32_t sync_failed;  /* bool: what is in the files may never reach the disk; only a
                                      new opening of the folder helps */
    _Atomic uint64_t synced;       /* journal bytes that are on disk, with their bets; only grows */
    _Atomic uint32_t finished;     /* agencies that have finished */
    _Atomic uint32_t has_draw;     /* bool */
    struct journal_record draw;    /* written before has_draw, and then no more */
    uint32_t agencies;             /* N */
    size_t mapped_size;            /* bytes of this mapping */
    struct state_agency agency[];  /* [1..agencies] */
};

/* Maps a zeroed state for `agencies` agencies. STATUS_NOMEM when it can not. */
enum status state_create(uint32_t agencies, struct state **out);

/* Unmaps it from this process. NULL is fine. */
void state_destroy(struct state *state);

/* Takes the lock. *out_repair tells that its last holder died holding it: the caller brings files
 * and state in order and then calls state_lock_repaired(). May block on the other holders. */
void state_lock(struct state *state, bool *out_repair);
void state_lock_repaired(struct state *state);
void state_unlock(struct state *state);

/* Moves the commit point: both sizes, or - after a death in between - still both, by the next
 * holder's state_finish_commit. Under the lock. */
void state_commit(struct state *state, uint64_t bets_size, uint64_t journal_size);

/* Ends the move of a holder that died within it. Under the lock. */
void state_finish_commit(struct state *state);

/* Raises `synced` to `to`, if it is not there yet. Needs no lock. */
void state_raise_synced(struct state *state, uint64_t to);

#endif
