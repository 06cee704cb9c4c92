#include "state.h"

#include "assertion.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum status state_create(uint32_t agencies, struct state **out)
{
    size_t size = sizeof(struct state) + ((size_t)agencies + 1) * sizeof(struct state_agency);
    struct state *state =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;

    if (state == MAP_FAILED)
        return STATUS_NOMEM;
    /* On Linux none of these fails if its arguments are valid. */
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    (void)pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    (void)pthread_mutex_init(&state->lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    state->agencies = agencies;
    state->mapped_size = size;
    *out = state;
    return STATUS_OK;
}

void state_destroy(struct state *state)
{
    if (state != NULL)
        (void)munmap(state, state->mapped_size);
}

void state_lock(struct state *state, bool *out_repair)
{
    int code = pthread_mutex_lock(&state->lock);

    if (code != 0 && code != EOWNERDEAD)
        abort(); /* the mutex is broken, so the state cannot be trusted any more */
    *out_repair = code == EOWNERDEAD;
}

void state_lock_repaired(struct state *state)
{
    (void)pthread_mutex_consistent(&state->lock);
}

void state_unlock(struct state *state)
{
    (void)pthread_mutex_unlock(&state->lock);
}

void state_commit(struct state *state, uint64_t bets_size, uint64_t journal_size)
{
    ASSERT(bets_size >= atomic_load(&state->bets_size));
    ASSERT(journal_size >= atomic_load(&state->journal_size));
    atomic_store(&state->next_bets, bets_size);
    atomic_store(&state->next_journal, journal_size);
    atomic_store(&state->is_moving, 1);
    state_finish_commit(state);
}

void state_finish_commit(struct state *state)
{
    if (atomic_load(&state->is_moving) == 0)
        return;
    atomic_store(&state->bets_size, atomic_load(&state->next_bets));
    atomic_store(&state->journal_size, atomic_load(&state->next_journal));
    atomic_store(&state->is_moving, 0);
}

void state_raise_synced(struct state *state, uint64_t to)
{
    uint64_t seen = atomic_load(&state->synced);

    while (seen < to && !atomic_compare_exchange_weak(&state->synced, &seen, to))
        ;
}
