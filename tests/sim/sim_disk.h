/* sim_disk.h - a disk in memory, with its files and a few directories, one of which is the data
 * directory; struct file_ops with power cuts and faults (sim_disk_ops.c).
 *
 * What was not synced may be lost when the power is cut: of a file, any of its pieces of 512 bytes,
 * its size and its cuts (sim_file.h); of a directory, any of the names that were made, changed or
 * removed (sim_dir.h).
 */
#ifndef LOTTERY_SIM_DISK_H
#define LOTTERY_SIM_DISK_H

#include "file_ops.h"
#include "sim_dir.h"
#include "sim_fd.h"
#include "sim_file.h"
#include "sim_process.h"

#define SIM_DIR_PATH "sim-data" /* where servers look for the data directory */
#define SIM_DIRS_MAX 3
#define SIM_DIR_OF_OPERATOR 2 /* never the data directory */
#define SIM_NO_DIR (-1)
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

struct sim_disk {
    struct sim_dir dirs[SIM_DIRS_MAX];
    int dir_at_path;   /* which of them is at SIM_DIR_PATH; SIM_NO_DIR: none */
    int dir_of_server; /* which one the server has opened; all its processes have inherited it */
    struct prng *prng; /* borrowed */
};

extern const struct file_ops sim_disk_ops;
extern struct sim_disk sim_disk;
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

/* How many of `size` bytes at `offset` of the file have space. */
size_t sim_disk_space_for(const struct sim_file *file, size_t size, uint64_t offset);

/* Is there no space at all? */
bool sim_disk_is_full(void);

/* A new server opens the directory at the path, in which there is one. */
void sim_disk_enter(void);

/* A descriptor of the server's directory for the current process. */
int sim_disk_open_dir(void);

/* A new, empty file without a name; its index. */
int sim_disk_new_file(void);
struct sim_file *sim_disk_file(int index);

/* The file with that name in the directory at the path, as processes see it; NULL if there is none.
 * For the checker. */
struct sim_file *sim_disk_find(const char *name);

/* What a descriptor is open on, for the trace. */
const char *sim_disk_name_of(const struct sim_fd *fd);

#endif
