#include "scoreboard.h"

#include <string.h>
#include <sys/mman.h>

static size_t size_of(uint32_t workers)
{
    return sizeof(struct scoreboard) + workers * sizeof(struct scoreboard_row);
}

enum status scoreboard_create(uint32_t workers, struct scoreboard **out)
{
    struct scoreboard *scoreboard =
        mmap(NULL, size_of(workers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (scoreboard == MAP_FAILED)
        return STATUS_NOMEM;
    scoreboard->workers = workers;
    *out = scoreboard;
    return STATUS_OK;
}

void scoreboard_destroy(struct scoreboard *scoreboard)
{
    if (scoreboard != NULL)
        (void)munmap(scoreboard, size_of(scoreboard->workers));
}

void scoreboard_clear(struct scoreboard *scoreboard, uint32_t worker)
{
    memset(&scoreboard->row[worker], 0, sizeof(scoreboard->row[worker]));
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
