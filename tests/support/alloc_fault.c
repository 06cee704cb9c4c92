#include "alloc_fault.h"

#include <stddef.h>

/* The linker's --wrap gives these their names. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

static bool is_armed;
static bool has_failed;
static unsigned left;

void alloc_fault_after(unsigned after)
{
    is_armed = true;
    has_failed = false;
    left = after;
}

bool alloc_fault_end(void)
{
    is_armed = false;
    return has_failed;
}

static bool fails_now(void)
{
    if (!is_armed || has_failed || left-- > 0)
        return false;
    has_failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails_now() ? NULL : __real_realloc(block, size);
}
