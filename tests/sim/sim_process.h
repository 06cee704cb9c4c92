/* sim_process.h - the simulated processes: what they have, and how they die.
 *
 * All of them run in the one real process, in turns. What a simulated process allocates, and the
 * descriptors that it opens, are freed when it ends, also when it is killed in the middle of
 * something. It can be killed between two of its turns, and at points within them: each file
 * operation is one.
 */
#ifndef LOTTERY_SIM_PROCESS_H
#define LOTTERY_SIM_PROCESS_H

#include "list.h"
#include "prng.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_process {
    const char *name;   /* for the trace */
    bool is_alive;      /* false: it ended, and was not started again */
    bool is_doomed;     /* killed while it is in a turn: it dies as soon as that goes on */
    bool may_write;     /* the ledger alone writes to files with a name */
    unsigned depth;     /* turns that it is in: 0 or 1 */
    uint64_t points;    /* kills the process at the point where it comes to 0; 0: never */
    struct list blocks; /* memory that it has allocated */
    jmp_buf end;        /* to the beginning of its turn */
};

/* The process that has its turn; NULL between turns. */
extern struct sim_process *sim_current;

/* Starts a process that is not alive. */
void sim_process_start(struct sim_process *process, const char *name);

/* Gives it a turn: body(context) runs with the process as sim_current. Returns false if it died in
 * it. Turns of different processes may be nested. */
bool sim_process_turn(struct sim_process *process, void (*body)(void *context), void *context);

/* Kills it, now or, if it is in a turn, when that goes on. Frees what it had. */
void sim_process_kill(struct sim_process *process);

/* A point at which the current process can die. Does not return if it does. */
void sim_process_point(void);

/* Will the current process die at this point? For operations that may be done in part. */
bool sim_process_dies_here(void);

/* Ends the current process, which does not return. */
void sim_process_exit(void) __attribute__((noreturn));

/* Allocations of the simulated processes that fail. */
struct sim_memory_faults {
    struct prng *prng; /* borrowed */
    uint32_t parts;    /* the chance of each, in 1000 */
    uint64_t count;    /* how many have failed, in all histories */
};
extern struct sim_memory_faults sim_memory_faults;

/* The simulator's own memory, which is no process's. */
void *sim_realloc(void *block, size_t size);
void sim_free(void *block);

#endif
