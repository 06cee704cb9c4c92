#include "sim_process.h"

#include "sim_fd.h"
#include "sim_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sim_process *sim_current;
struct sim_memory_faults sim_memory_faults;

/* In front of each block that a simulated process allocates. */
struct block {
    struct list_node node; /* in sim_process.blocks; in no list: the simulator's */
    size_t size;           /* bytes that were asked for */
};

/* The linker's --wrap gives these their names. */
void *__real_malloc(size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *bytes, size_t size);
void __wrap_free(void *bytes);

void *sim_realloc(void *block, size_t size)
{
    block = __real_realloc(block, size);
    if (block == NULL)
        abort();
    return block;
}

void sim_free(void *block)
{
    __real_free(block);
}

/* Does an allocation of the current process fail? */
static bool memory_fails(void)
{
    if (sim_current == NULL || !sim_chance(sim_memory_faults.prng, sim_memory_faults.parts))
        return false;
    sim_memory_faults.count++;
    return true;
}

/* Hands the block out, as one of the current process. */
static void *give(struct block *block, size_t size)
{
    if (block == NULL)
        abort();
    *block = (struct block){.size = size};
    if (sim_current != NULL)
        list_append(&sim_current->blocks, &block->node);
    return block + 1;
}

void *__wrap_malloc(size_t size)
{
    return memory_fails() ? NULL : give(__real_malloc(sizeof(struct block) + size), size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    struct block *block;

    if (size > 0 && count > SIZE_MAX / 2 / size)
        return NULL;
    if (memory_fails())
        return NULL;
    size *= count;
    block = __real_malloc(sizeof(*block) + size);
    return memset(give(block, size), 0, size);
}

void __wrap_free(void *bytes)
{
    struct block *block = bytes;

    if (block == NULL)
        return;
    list_remove(&block[-1].node);
    __real_free(block - 1);
}

void *__wrap_realloc(void *bytes, size_t size)
{
    const struct block *block = bytes;
    void *moved = __wrap_malloc(size);

    if (moved != NULL && block != NULL) {
        memcpy(moved, bytes, block[-1].size < size ? block[-1].size : size);
        __wrap_free(bytes);
    }
    return moved;
}

void sim_process_start(struct sim_process *process, const char *name)
{
    bool may_write = process->may_write;

    *process = (struct sim_process){.name = name, .is_alive = true, .may_write = may_write};
    list_init(&process->blocks);
}

static void process_release(struct sim_process *process)
{
    process->is_alive = process->is_doomed = false;
    for (struct list_node *node; (node = list_pop(&process->blocks)) != NULL;)
        __real_free(LIST_ITEM(node, struct block, node));
    sim_fd_close_all(process);
}

bool sim_process_turn(struct sim_process *process, void (*body)(void *context), void *context)
{
    struct sim_process *before = sim_current;

    process->depth++;
    sim_current = process;
    if (setjmp(process->end) == 0)
        body(context);
    sim_current = before;
    process->depth--;
    if (!process->is_doomed)
        return true;
    process_release(process);
    return false;
}

void sim_process_kill(struct sim_process *process)
{
    if (!process->is_alive)
        return;
    if (process->depth > 0)
        process->is_doomed = true;
    else
        process_release(process);
}

void sim_process_exit(void)
{
    sim_current->is_doomed = true;
    longjmp(sim_current->end, 1);
}

bool sim_process_dies_here(void)
{
    return sim_current != NULL &&
           (sim_current->is_doomed || (sim_current->points > 0 && --sim_current->points == 0));
}

void sim_process_point(void)
{
    if (sim_process_dies_here())
        sim_process_exit();
}
