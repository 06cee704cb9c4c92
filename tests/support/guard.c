#include "guard.h"

#include "cmocka_all.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guarded guarded_copy(const void *data, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t capacity = (size / page + 1) * page;
    struct guarded guarded = {.size = size, .map_size = capacity + page};

    guarded.map =
        mmap(NULL, guarded.map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(guarded.map, MAP_FAILED);
    uint8_t *end = (uint8_t *)guarded.map + capacity;
    assert_int_equal(mprotect(end, page, PROT_NONE), 0);
    guarded.bytes = end - size;
    if (size > 0)
        memcpy(guarded.bytes, data, size);
    return guarded;
}

void guarded_free(struct guarded *guarded)
{
    assert_int_equal(munmap(guarded->map, guarded->map_size), 0);
    guarded->map = NULL;
}
