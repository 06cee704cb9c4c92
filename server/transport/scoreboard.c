#include "scoreboard.h"

#include <string.h>
#include <sys/mman.h>

static size_t size_of(uint32_t workers)
{
    return sizeof(struct crew) + workers * sizeof(struct crew_row);
}

enum status crew_create(uint32_t workers, struct crew **out)
{
    struct crew *crew =
        mmap(NULL, size_of(workers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (crew == MAP_FAILED)
        return STATUS_NOMEM;
    crew->workers = workers;
    *out = crew;
    return STATUS_OK;
}

void crew_destroy(struct crew *crew)
{
    if (crew != NULL)
        (void)munmap(crew, size_of(crew->workers));
}

void crew_clear(struct crew *crew, uint32_t worker)
{
    memset(&crew->row[worker], 0, sizeof(crew->row[worker]));
}

/* Multiplicative hashing; the high bits are the well-mixed ones. */
static uint32_t bucket_of(struct in_addr ip)
{
    return (ntohl(ip.s_addr) * UINT32_C(2654435761)) >> 20;
}

_Static_assert(CREW_BUCKETS == 1 << (32 - 20), "bucket_of gives 12 bits");

void crew_add(struct crew *crew, uint32_t worker, struct in_addr ip)
{
    atomic_fetch_add(&crew->row[worker].connections, 1);
    atomic_fetch_add(&crew->row[worker].from_bucket[bucket_of(ip)], 1);
}

void crew_remove(struct crew *crew, uint32_t worker, struct in_addr ip)
{
    atomic_fetch_sub(&crew->row[worker].connections, 1);
    atomic_fetch_sub(&crew->row[worker].from_bucket[bucket_of(ip)], 1);
}

uint32_t crew_connections(const struct crew *crew)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < crew->workers; i++)
        sum += atomic_load(&crew->row[i].connections);
    return sum;
}

uint32_t crew_connections_from(const struct crew *crew, struct in_addr ip)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < crew->workers; i++)
        sum += atomic_load(&crew->row[i].from_bucket[bucket_of(ip)]);
    return sum;
}

uint32_t crew_fewest_of_others(const struct crew *crew, uint32_t worker)
{
    uint32_t fewest = UINT32_MAX;

    for (uint32_t i = 0; i < crew->workers; i++) {
        if (i == worker || atomic_load(&crew->row[i].is_alive) == 0)
            continue;
        uint32_t count = atomic_load(&crew->row[i].connections);
        if (count < fewest)
            fewest = count;
    }
    return fewest;
}
