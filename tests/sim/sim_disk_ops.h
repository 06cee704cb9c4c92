/* sim_disk_ops.h - what the parts of sim_disk_ops share: those that read and write files
 * (sim_disk_data.c), and those that name them (sim_disk_ops.c).
 */
#ifndef LOTTERY_SIM_DISK_OPS_H
#define LOTTERY_SIM_DISK_OPS_H

#include "sim_disk.h"

/* Before each operation: the process may die here, and in one that only reads others go on. */
void sim_disk_begin(bool is_reading);

/* Does an operation of the current process fail that does so with this chance in 1000? */
bool sim_disk_fails(uint32_t parts);

/* Sets errno, and returns -1. */
int sim_disk_error(int error);

/* NULL if the descriptor is not open on a file. */
struct sim_file *sim_disk_file_of(int fd);

/* As of struct file_ops. */
ssize_t sim_disk_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t sim_disk_pwritev(int fd, const struct iovec *parts, int count, off_t offset);
int sim_disk_fdatasync(int fd);
void sim_disk_start_write(int fd);
int sim_disk_ftruncate(int fd, off_t size);

#endif
