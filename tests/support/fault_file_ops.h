/* fault_file_ops.h - the store's file operations with planned faults, and a model of the disk.
 *
 * The operations are the system calls until a plan makes one fail. Written bytes reach the model of
 * the disk only when a sync of the file succeeds, and names when one of the folder does; after a
 * failed sync it treats the bytes as clean, as kernels do. So a test can see what a power cut would
 * leave.
 *
 * One plan per process, and one folder at a time; not for several threads.
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
    FAULT_UNLINKAT = 64,
    FAULT_ANY = 127
};

enum fault_kind {
    FAULT_ERROR,       /* does nothing and fails with the given errno */
    FAULT_SHORT,       /* a write takes half of its bytes; the next write fails with the errno */
    FAULT_EXIT_BEFORE, /* the process ends before the call */
    FAULT_EXIT_HALF,   /* ... after half of its bytes */
    FAULT_EXIT_AFTER   /* ... right after it */
};

#define FAULT_EXIT_STATUS 77 /* exit status of a process that a plan ended */

/* Starts over: no plan, all counts 0, no file on the disk. Syncs are only modelled. */
void fault_reset(void);

/* From now on `after` calls of the operations `ops` (bits) succeed and the next one fails in the
 * way of `kind`; with `stays`, so do all after it. */
void fault_plan(unsigned ops, unsigned after, enum fault_kind kind, int error, bool stays);

/* Ends the plan. Returns whether it struck. */
bool fault_end(void);

/* How often an operation was called since fault_reset. */
unsigned fault_count(enum fault_op op);

/* How many of the fdatasync calls were for folders. */
unsigned fault_folder_syncs(void);

/* `on_call` runs before every operation except pread. NULL for none. */
void fault_watch(void (*on_call)(void *context), void *context);

/* Reads the file `name` in `dir`, as it is on the modelled disk, into `out`, at most `capacity`
 * bytes. Returns the size, or -1 if the disk has no such file. With a seed other than 0, some of
 * what was not synced has reached the disk too, as below. */
long fault_disk_read(const char *dir, const char *name, unsigned char *out, size_t capacity,
                     unsigned seed);

/* The power fails: writes to the folder `dir`, in the place of what is there, what the disk has.
 * With a seed other than 0, some of what was not synced has reached it too: each file's bytes in
 * pieces of 512, each or not, its size or not, and the first few of the changes of names. May be
 * called from on_call. */
void fault_power_cut(const char *dir, unsigned seed);

#endif
