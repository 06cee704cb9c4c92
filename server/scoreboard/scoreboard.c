/* The scoreboard's memory, and what one process writes there and another reads.
 *
 * Failure modes: a process dies between two stores that belong together, for instance the time of a
 * sync and its place in the histogram: the first counts for nothing then, and no number goes
 * backwards. The number of stored bets is the difference of two numbers, of which only one ever
 * changes: it is right at every moment.
 */
#include "scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* since Linux 5.1 */
#endif

const uint64_t scoreboard_sync_bounds_ns[SCOREBOARD_SYNC_BOUNDS] = {
    100000,   250000,   500000,    1000000,   2500000,   5000000,    10000000,
    25000000, 50000000, 100000000, 250000000, 500000000, 1000000000, 2500000000};

/* What earlier generations had counted: written by the supervisor, while nobody else counts. */
struct scoreboard_carried {
    _Atomic uint64_t count[SCOREBOARD_COUNTS];
    _Atomic uint64_t bets;
    _Atomic uint64_t groups;
    _Atomic uint64_t sync_ns;
    _Atomic uint64_t syncs[SCOREBOARD_SYNC_BOUNDS + 1];
};

/* The memory itself. */
struct scoreboard_shared {
    struct scoreboard_carried carried;
    struct scoreboard_ledger ledger;
    struct scoreboard_row row[];
};

static size_t size_of(uint32_t workers)
{
    return sizeof(struct scoreboard_shared) + workers * sizeof(struct scoreboard_row);
}

static uint64_t scoreboard_get(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static void scoreboard_set(_Atomic uint64_t *at, uint64_t value)
{
    atomic_store_explicit(at, value, memory_order_relaxed);
}

/* ------------------------------------------------------------------ the memory */

/* A handle for memory that is mapped here. NULL: no memory. */
static struct scoreboard *scoreboard_wrap(void *memory, uint32_t workers, int fd)
{
    struct scoreboard *self = malloc(sizeof(*self));

    if (self == NULL)
        return NULL;
    *self = (struct scoreboard){.workers = workers, .fd = fd, .shared = memory};
    self->ledger = &self->shared->ledger;
    self->row = self->shared->row;
    return self;
}

/* From now on nobody can map the memory for writing, but for the mapping that is there. That is
 * what the seal says; on a kernel that does not know it, it is at least so for whoever has nothing
 * but the descriptor that is left. Returns a descriptor for reading; where there is no /proc, `fd`.
 */
static int scoreboard_protect(int fd)
{
    char path[32];

    if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0)
        (void)fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    if (reader < 0)
        return fd;
    (void)close(fd);
    return reader;
}

enum status scoreboard_create(uint32_t workers, struct scoreboard **out)
{
    const size_t size = size_of(workers);
    int fd = memfd_create("lottery-scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *memory = MAP_FAILED;

    if (fd < 0)
        return status_from_errno(errno);
    if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, SIZE_SEALS) == 0)
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        enum status status = status_from_errno(errno);
        (void)close(fd);
        return status;
    }
    fd = scoreboard_protect(fd);
    *out = scoreboard_wrap(memory, workers, fd);
    if (*out != NULL)
        return STATUS_OK;
    (void)munmap(memory, size);
    (void)close(fd);
    return STATUS_NOMEM;
}

void scoreboard_destroy(struct scoreboard *scoreboard)
{
    if (scoreboard == NULL)
        return;
    (void)munmap(scoreboard->shared, size_of(scoreboard->workers));
    if (scoreboard->fd >= 0)
        (void)close(scoreboard->fd);
    free(scoreboard);
}

int scoreboard_fd(const struct scoreboard *scoreboard)
{
    return scoreboard->fd;
}

enum status scoreboard_view(int fd, const struct scoreboard **out)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return status_from_errno(errno);
    size_t size = (size_t)info.st_size;
    if (size < sizeof(struct scoreboard_shared))
        return STATUS_DAMAGED;
    uint32_t workers =
        (uint32_t)((size - sizeof(struct scoreboard_shared)) / sizeof(struct scoreboard_row));
    if (size_of(workers) != size)
        return STATUS_DAMAGED;
    void *memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return status_from_errno(errno);
    struct scoreboard *view = scoreboard_wrap(memory, workers, -1);
    if (view == NULL) {
        (void)munmap(memory, size);
        return STATUS_NOMEM;
    }
    *out = view;
    return STATUS_OK;
}

void scoreboard_unview(const struct scoreboard *view)
{
    /* Const only so that nobody who has it tries to write. */
    scoreboard_destroy((struct scoreboard *)(uintptr_t)view);
}

/* ------------------------------------------------------------------ from one to the next */

static void scoreboard_copy_draw(struct scoreboard_ledger *to, const struct scoreboard_ledger *from)
{
    for (uint32_t id = 1; id <= SCOREBOARD_AGENCIES_MAX; id++) {
        scoreboard_set(&to->bets[id], scoreboard_get(&from->bets[id]));
        atomic_store(&to->has_finished[id], atomic_load(&from->has_finished[id]));
    }
    scoreboard_set(&to->draw_bets, scoreboard_get(&from->draw_bets));
    scoreboard_set(&to->first_bets, scoreboard_get(&from->first_bets));
    atomic_store(&to->is_known, atomic_load(&from->is_known));
}

/* Sets `*carried` so that a sum that is `mine` without it is `all`. */
static void scoreboard_carry(_Atomic uint64_t *carried, uint64_t all, uint64_t mine)
{
    scoreboard_set(carried, all - mine);
}

static uint64_t scoreboard_own_total(const struct scoreboard *self, enum scoreboard_count count)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < self->workers; i++)
        sum += scoreboard_get(&self->row[i].count[count]);
    return sum;
}

static uint64_t scoreboard_own_bets(const struct scoreboard *self)
{
    const struct scoreboard_ledger *ledger = self->ledger;

    if (atomic_load_explicit(&ledger->is_known, memory_order_acquire) == 0)
        return 0;
    return scoreboard_get(&ledger->draw_bets) - scoreboard_get(&ledger->first_bets);
}

void scoreboard_take_over(struct scoreboard *to, const struct scoreboard *from, bool is_same_draw)
{
    const struct scoreboard_ledger *ledger = to->ledger;
    struct scoreboard_carried *carried = &to->shared->carried;
    const struct scoreboard_carried *before = &from->shared->carried;

    if (is_same_draw)
        scoreboard_copy_draw(to->ledger, from->ledger);
    for (int i = 0; i < SCOREBOARD_COUNTS; i++)
        scoreboard_carry(&carried->count[i], scoreboard_total(from, (enum scoreboard_count)i),
                         scoreboard_own_total(to, (enum scoreboard_count)i));
    scoreboard_carry(&carried->bets, scoreboard_bets_stored(from), scoreboard_own_bets(to));
    scoreboard_carry(&carried->groups, scoreboard_groups(from), scoreboard_get(&ledger->groups));
    scoreboard_carry(&carried->sync_ns,
                     scoreboard_get(&before->sync_ns) + scoreboard_get(&from->ledger->sync_ns),
                     scoreboard_get(&ledger->sync_ns));
    for (int i = 0; i <= SCOREBOARD_SYNC_BOUNDS; i++)
        scoreboard_carry(&carried->syncs[i],
                         scoreboard_get(&before->syncs[i]) +
                             scoreboard_get(&from->ledger->syncs[i]),
                         scoreboard_get(&ledger->syncs[i]));
}

/* ------------------------------------------------------------------ for those who only look */

struct scoreboard_agency scoreboard_agency(const struct scoreboard *scoreboard, uint32_t id)
{
    struct scoreboard_agency agency = {0};

    if (id == 0 || id > SCOREBOARD_AGENCIES_MAX)
        return agency;
    agency.bets = scoreboard_get(&scoreboard->ledger->bets[id]);
    agency.has_finished = atomic_load(&scoreboard->ledger->has_finished[id]) != 0;
    for (uint32_t i = 0; i < scoreboard->workers; i++)
        agency.connections += atomic_load(&scoreboard->row[i].claims[id]);
    return agency;
}

uint64_t scoreboard_draw_bets(const struct scoreboard *scoreboard)
{
    return scoreboard_get(&scoreboard->ledger->draw_bets);
}

uint64_t scoreboard_bets_stored(const struct scoreboard *scoreboard)
{
    return scoreboard_get(&scoreboard->shared->carried.bets) + scoreboard_own_bets(scoreboard);
}

enum status scoreboard_store_status(const struct scoreboard *scoreboard)
{
    return (enum status)atomic_load(&scoreboard->ledger->status);
}

uint64_t scoreboard_groups(const struct scoreboard *scoreboard)
{
    return scoreboard_get(&scoreboard->shared->carried.groups) +
           scoreboard_get(&scoreboard->ledger->groups);
}

struct scoreboard_syncs scoreboard_syncs(const struct scoreboard *scoreboard)
{
    const struct scoreboard_carried *carried = &scoreboard->shared->carried;
    const struct scoreboard_ledger *ledger = scoreboard->ledger;
    struct scoreboard_syncs syncs = {.total_ns = scoreboard_get(&carried->sync_ns) +
                                                 scoreboard_get(&ledger->sync_ns)};

    for (int i = 0; i <= SCOREBOARD_SYNC_BOUNDS; i++) {
        syncs.count += scoreboard_get(&carried->syncs[i]) + scoreboard_get(&ledger->syncs[i]);
        if (i < SCOREBOARD_SYNC_BOUNDS)
            syncs.up_to[i] = syncs.count;
    }
    return syncs;
}

uint64_t scoreboard_total(const struct scoreboard *scoreboard, enum scoreboard_count count)
{
    return scoreboard_get(&scoreboard->shared->carried.count[count]) +
           scoreboard_own_total(scoreboard, count);
}

struct scoreboard_worker scoreboard_worker(const struct scoreboard *scoreboard, uint32_t worker)
{
    const struct scoreboard_row *row = &scoreboard->row[worker];

    return (struct scoreboard_worker){.is_alive = atomic_load(&row->is_alive) != 0,
                                      .connections = atomic_load(&row->connections)};
}

uint32_t scoreboard_workers_alive(const struct scoreboard *scoreboard)
{
    uint32_t alive = 0;

    for (uint32_t i = 0; i < scoreboard->workers; i++)
        alive += scoreboard_worker(scoreboard, i).is_alive;
    return alive;
}

/* ------------------------------------------------------------------ for workers */

void scoreboard_clear(struct scoreboard *scoreboard, uint32_t worker)
{
    struct scoreboard_row *row = &scoreboard->row[worker];

    row->is_alive = 0;
    row->connections = 0;
    for (size_t i = 0; i < SCOREBOARD_BUCKETS; i++)
        row->from_bucket[i] = 0;
    for (size_t i = 0; i <= SCOREBOARD_AGENCIES_MAX; i++)
        row->claims[i] = 0;
}

/* Multiplicative hashing; the high bits are the well-mixed ones. */
static size_t bucket_of(uint64_t address)
{
    return (size_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 52);
}

_Static_assert(SCOREBOARD_BUCKETS == 1 << (64 - 52), "bucket_of gives 12 bits");

void scoreboard_add(struct scoreboard *scoreboard, uint32_t worker, uint64_t address)
{
    atomic_fetch_add(&scoreboard->row[worker].connections, 1);
    atomic_fetch_add(&scoreboard->row[worker].from_bucket[bucket_of(address)], 1);
}

void scoreboard_remove(struct scoreboard *scoreboard, uint32_t worker, uint64_t address)
{
    atomic_fetch_sub(&scoreboard->row[worker].connections, 1);
    atomic_fetch_sub(&scoreboard->row[worker].from_bucket[bucket_of(address)], 1);
}

uint32_t scoreboard_connections(const struct scoreboard *scoreboard)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < scoreboard->workers; i++)
        sum += atomic_load(&scoreboard->row[i].connections);
    return sum;
}

uint32_t scoreboard_connections_from(const struct scoreboard *scoreboard, uint64_t address)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < scoreboard->workers; i++)
        sum += atomic_load(&scoreboard->row[i].from_bucket[bucket_of(address)]);
    return sum;
}

uint32_t scoreboard_fewest_of_others(const struct scoreboard *scoreboard, uint32_t worker)
{
    uint32_t fewest = UINT32_MAX;

    for (uint32_t i = 0; i < scoreboard->workers; i++) {
        if (i == worker || atomic_load(&scoreboard->row[i].is_alive) == 0)
            continue;
        uint32_t count = atomic_load(&scoreboard->row[i].connections);
        if (count < fewest)
            fewest = count;
    }
    return fewest;
}

static void scoreboard_change_claim(struct scoreboard_row *row, uint32_t agency, uint32_t by)
{
    if (row == NULL || agency == 0 || agency > SCOREBOARD_AGENCIES_MAX)
        return;
    uint32_t claims = atomic_load_explicit(&row->claims[agency], memory_order_relaxed);
    atomic_store_explicit(&row->claims[agency], claims + by, memory_order_relaxed);
}

void scoreboard_claim(struct scoreboard_row *row, uint32_t agency)
{
    scoreboard_change_claim(row, agency, 1);
}

void scoreboard_unclaim(struct scoreboard_row *row, uint32_t agency)
{
    scoreboard_change_claim(row, agency, UINT32_MAX);
}

/* ------------------------------------------------------------------ for the ledger */

void scoreboard_set_agency(struct scoreboard_ledger *ledger, uint32_t id, uint64_t bets,
                           bool has_finished)
{
    if (ledger == NULL || id == 0 || id > SCOREBOARD_AGENCIES_MAX)
        return;
    scoreboard_set(&ledger->bets[id], bets);
    atomic_store_explicit(&ledger->has_finished[id], has_finished, memory_order_relaxed);
}

void scoreboard_recovered(struct scoreboard_ledger *ledger, uint64_t draw_bets)
{
    if (ledger == NULL)
        return;
    if (atomic_load(&ledger->is_known) == 0)
        scoreboard_set(&ledger->first_bets, draw_bets);
    scoreboard_set(&ledger->draw_bets, draw_bets);
    atomic_store(&ledger->status, STATUS_OK);
    atomic_store_explicit(&ledger->is_known, 1, memory_order_release);
}

void scoreboard_committed(struct scoreboard_ledger *ledger, enum status status, uint64_t draw_bets)
{
    if (ledger == NULL)
        return;
    if (status == STATUS_OK)
        scoreboard_set(&ledger->draw_bets, draw_bets);
    atomic_store_explicit(&ledger->status, (uint32_t)status, memory_order_relaxed);
    scoreboard_increase(&ledger->groups, 1);
}

void scoreboard_synced(struct scoreboard_ledger *ledger, uint64_t ns)
{
    size_t at = 0;

    if (ledger == NULL)
        return;
    while (at < SCOREBOARD_SYNC_BOUNDS && ns > scoreboard_sync_bounds_ns[at])
        at++;
    scoreboard_increase(&ledger->sync_ns, ns);
    scoreboard_increase(&ledger->syncs[at], 1);
}
