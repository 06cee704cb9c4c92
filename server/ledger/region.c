#include "region.h"

#include "assertion.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

enum status region_create(size_t size, struct region *out, struct errbuf *err)
{
    int fd = memfd_create("lottery-bets", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) {
        errbuf_set(err, "memory for the ledger: %s", strerror(errno));
        return status_from_errno(errno);
    }
    if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, SIZE_SEALS) == 0) {
        char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory != MAP_FAILED) {
            *out = (struct region){.memory = memory, .size = size, .fd = fd};
            return STATUS_OK;
        }
    }
    enum status status = status_from_errno(errno);
    errbuf_set(err, "memory for the ledger: %s", strerror(errno));
    (void)close(fd);
    return status;
}

void region_fini(struct region *region)
{
    if (region->memory == NULL)
        return;
    (void)munmap(region->memory, region->size);
    (void)close(region->fd);
    *region = (struct region){.fd = -1};
}

char *region_reserve(struct region *region, size_t size)
{
    if (size > region->size)
        return NULL;
    if (region->head == region->tail) {
        /* From the beginning of the memory, which is more likely to be in the processor's cache. */
        region->head = 0;
        region->tail = 0;
    }
    size_t to_end = region->size - (size_t)(region->head % region->size);
    uint64_t next = size <= to_end ? region->head : region->head + to_end;
    if (next + size - region->tail > region->size)
        return NULL;
    region->next = next;
    return region->memory + next % region->size;
}

uint64_t region_take(struct region *region, size_t size)
{
    uint64_t at = region->next % region->size;

    ASSERT(size > 0 && size <= region->size - at && region->next >= region->head);
    region->head = region->next + size;
    ASSERT(region->head - region->tail <= region->size);
    return at;
}

void region_free(struct region *region, uint64_t at, size_t size)
{
    uint64_t place = region->tail % region->size;

    /* Before a place at the beginning of the memory there may be a rest that nobody used. */
    if (at != place) {
        ASSERT(at == 0);
        region->tail += region->size - place;
    }
    region->tail += size;
    ASSERT(region->tail <= region->head);
}

enum status region_map(int fd, size_t size, const char **out)
{
    struct stat stat;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & SIZE_SEALS) != SIZE_SEALS || fstat(fd, &stat) < 0 ||
        stat.st_size < 0 || (size_t)stat.st_size != size)
        return STATUS_INVALID;
    const char *memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return STATUS_NOMEM;
    *out = memory;
    return STATUS_OK;
}

void region_unmap(const char *memory, size_t size)
{
    if (memory != NULL)
        (void)munmap((void *)(uintptr_t)memory, size);
}
