/* fault_file_ops.h - the store's file operations with faults, and with a disk that forgets.
 *
 * The operations are the kernel's own until a plan says otherwise. Beside them runs a model of the
 * disk: it learns what a file holds only when a sync succeeds, and after a sync that fails it takes
 * what was written for clean, as kernels do. What a power cut leaves can thus be looked at.
 *
 * One plan per process; all functions may be called from any thread.
 */
#ifndef LOTTERY_FAULT_FILE_OPS_H
#define LOTTERY_FAULT_FILE_OPS_H

#include "file_ops.h"

#include <stdbool.h>
#include <stddef.h>

extern const struct file_ops fault_file_ops;

/* Bits, so that a plan can count several operations together. */
enum fault_op {
    FAULT_OPENAT = 1,
    FAULT_PREAD = 2,
    FAULT_PWRITEV = 4,
    FAULT_FDATASYNC = 8,
    FAULT_FTRUNCATE = 16,
    FAULT_RENAMEAT = 32,
    FAULT_ANY = 63
};

enum fault_kind {
    FAULT_ERROR,       /* fails with the given errno, having done nothing */
    FAULT_SHORT,       /* a write takes half of its bytes; the next one fails with the errno */
    FAULT_EXIT_BEFORE, /* the process is gone before the call */
    FAULT_EXIT_HALF,   /* ... after half of its bytes */
    FAULT_EXIT_AFTER   /* ... right after it */
};

#define FAULT_EXIT_STATUS 77 /* of a process that a plan ended */

/* Nothing fails, nothing was counted, the disk knows no file; syncs are only modelled. */
void fault_reset(void);

/* From now on `after` calls among `ops` succeed and the next one fails. With `stays`, so do all
 * that follow it. */
void fault_plan(unsigned ops, unsigned after, enum fault_kind kind, int error, bool stays);

/* Ends the plan. Returns whether it struck. */
bool fault_end(void);

/* How often an operation was called since fault_reset. */
unsigned fault_count(enum fault_op op);

/* Syncs of folders among the calls of fdatasync. */
unsigned fault_folder_syncs(void);

/* Between the two, a sync of bets.csv or the journal waits at its beginning. */
void fault_hold_syncs(void);
void fault_release_syncs(void);

/* Is a sync waiting? */
bool fault_sync_waits(void);

/* Called before every operation but pread, with the operation's number. NULL for none. */
void fault_watch(void (*on_call)(void *context), void *context);

/* What the disk holds of the file `name` in `dir`: its size, or -1 when it never saw it. `out` has
 * room for `room` bytes. With a seed other than 0, half of what was written but not synced since
 * has reached the disk too, in pieces of 64 bytes. Callable from the watch. */
long fault_disk_read(const char *dir, const char *name, unsigned char *out, size_t capacity,
                     unsigned seed);

#endif
