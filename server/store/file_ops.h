/* file_ops.h - the file operations of the store; tests replace them to inject faults.
 *
 * Each one except start_write has the contract of the system call it is named after: -1 and errno
 * on failure.
 */
#ifndef LOTTERY_FILE_OPS_H
#define LOTTERY_FILE_OPS_H

#include "errbuf.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

struct file_ops {
    int (*openat)(int dir, const char *name, int flags, mode_t mode);
    int (*fstat)(int fd, struct stat *out);
    int (*fstatat)(int dir, const char *name, struct stat *out, int flags);
    ssize_t (*pread)(int fd, void *bytes, size_t size, off_t offset);
    ssize_t (*pwritev)(int fd, const struct iovec *parts, int count, off_t offset);
    int (*fdatasync)(int fd);
    void (*start_write)(int fd); /* asks the kernel to start writing; does not wait */
    int (*ftruncate)(int fd, off_t size);
    int (*renameat)(int dir, const char *from, const char *to);
    int (*unlinkat)(int dir, const char *name);
};

/* The system calls themselves. */
extern const struct file_ops file_ops_system;

/* Writes all parts at `offset`, in as many calls as the kernel needs. Changes `parts` on the way.
 * Returns STATUS_NOSPACE, STATUS_IO, ...; then some of the bytes may be written. Blocks. */
enum status file_write(const struct file_ops *ops, int fd, struct iovec *parts, size_t count,
                       uint64_t offset);

/* Reads up to `size` bytes, fewer only at the end of the file. Blocks. */
enum status file_read(const struct file_ops *ops, int fd, void *bytes, size_t size, uint64_t offset,
                      size_t *out_size);

/* Opens a file for reading, and tells its size. A symbolic link is refused, and a FIFO does not
 * keep us waiting. NOTFOUND, NOMEM, IO, ...; *err says why. Blocks. */
enum status file_open(const struct file_ops *ops, int dir_fd, const char *name, int *out_fd,
                      uint64_t *out_size, struct errbuf *err);

/* The CRC32C of the `size` bytes at `offset`, or of as many as the file has. Blocks. */
enum status file_crc(const struct file_ops *ops, int fd, uint64_t offset, uint64_t size,
                     uint32_t *out);

/* Sets *err to "what: " and the text of `status`. Returns `status`. */
enum status file_fail(struct errbuf *err, const char *what, enum status status);

/* The size of an open file. */
enum status file_size(const struct file_ops *ops, int fd, uint64_t *out);

/* Which file or directory it is, whatever its name: the same as long as it is open. */
struct file_id {
    dev_t device;
    ino_t inode;
};

/* That of an open one. */
enum status file_identify(const struct file_ops *ops, int fd, struct file_id *out);

/* Is `info` of that file? */
static inline bool file_is(const struct file_id *id, const struct stat *info)
{
    return info->st_dev == id->device && info->st_ino == id->inode;
}

#endif
