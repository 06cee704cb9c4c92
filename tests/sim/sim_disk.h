/* sim_disk.h - a disk with one directory, in memory: struct file_ops with power cuts and faults.
 *
 * What was not synced may be lost when the power is cut: of a file, any of its pieces of 512 bytes,
 * its size and its cuts (sim_file.h); of the directory, the last of the names that were made,
 * changed or removed. Descriptors have numbers that no real one has, so close() and stat() of the
 * code under test can be told from real ones (they are wrapped by the linker).
 */
#ifndef LOTTERY_SIM_DISK_H
#define LOTTERY_SIM_DISK_H

#include "file_ops.h"
#include "sim_file.h"
#include "sim_process.h"

#define SIM_DIR_PATH "sim-data" /* what stat() knows the directory as */
#define SIM_NO_LIMIT UINT64_MAX

/* Chances in 1000, for each operation. */
struct sim_disk_faults {
    uint32_t write_fails;
    uint32_t sync_fails;
    uint32_t open_fails;
    uint32_t short_transfer; /* fewer bytes than asked for, as is allowed */
};

struct sim_disk_counts {
    uint64_t operations;
    uint64_t power_cuts;
    uint64_t failed_writes; /* also for lack of space */
    uint64_t failed_syncs;
};

extern const struct file_ops sim_disk_ops;
extern struct sim_disk_faults sim_disk_faults;
extern struct sim_disk_counts sim_disk_counts;

/* Called within an operation of a process that only reads: others may have their turns. */
extern void (*sim_disk_while_reading)(void);

/* Begins with an empty directory. `prng` is borrowed. No descriptor may be open. */
void sim_disk_reset(struct prng *prng);

/* The power is cut: only what is on disk is left. All processes must be dead. */
void sim_disk_cut_power(void);

/* Lets the kernel write some of what is dirty, and drop some of what it failed to write. */
void sim_disk_work_in_background(void);

/* No more faults; what the kernel failed to write is dropped from memory. */
void sim_disk_calm_down(void);

/* From now on all files together may have `bytes` more bytes than now; SIM_NO_LIMIT. */
void sim_disk_set_space(uint64_t bytes);

/* A descriptor of the directory for the current process. */
int sim_disk_open_dir(void);

/* Another descriptor for the same file, for `owner`: a process, or a link on which it is sent. */
int sim_disk_send(int fd, const void *owner);

/* Closes the descriptors of a process, or those that are on their way on a link. */
void sim_disk_close_all(const void *owner);

/* The file with that name as processes see it; NULL if there is none. For the checker. */
struct sim_file *sim_disk_find(const char *name);

#endif
