#include "file_ops.h"

#include "crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int file_ops_openat(int dir, const char *name, int flags, mode_t mode)
{
    return openat(dir, name, flags | O_CLOEXEC, mode);
}

static int file_ops_renameat(int dir, const char *from, const char *to)
{
    return renameat(dir, from, dir, to);
}

static int file_ops_unlinkat(int dir, const char *name)
{
    return unlinkat(dir, name, 0);
}

/* Only a hint: fdatasync reports whether the writing succeeded. */
static void file_ops_start_write(int fd)
{
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

const struct file_ops file_ops_system = {
    .openat = file_ops_openat,
    .fstat = fstat,
    .fstatat = fstatat,
    .pread = pread,
    .pwritev = pwritev,
    .fdatasync = fdatasync,
    .start_write = file_ops_start_write,
    .ftruncate = ftruncate,
    .renameat = file_ops_renameat,
    .unlinkat = file_ops_unlinkat,
};

enum status file_write(const struct file_ops *ops, int fd, struct iovec *parts, size_t count,
                       uint64_t offset)
{
    while (count > 0) {
        int some = count > IOV_MAX ? IOV_MAX : (int)count;
        ssize_t written = ops->pwritev(fd, parts, some, (off_t)offset);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            return status_from_errno(errno);
        }
        if (written == 0) /* otherwise a disk that takes no bytes would keep us here forever */
            return STATUS_NOSPACE;
        offset += (uint64_t)written;
        for (size_t left = (size_t)written; count > 0; parts++, count--) {
            size_t step = left < parts->iov_len ? left : parts->iov_len;
            parts->iov_base = (char *)parts->iov_base + step;
            parts->iov_len -= step;
            left -= step;
            if (parts->iov_len > 0)
                break;
        }
    }
    return STATUS_OK;
}

enum status file_read(const struct file_ops *ops, int fd, void *bytes, size_t size, uint64_t offset,
                      size_t *out_size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t count = ops->pread(fd, (char *)bytes + done, size - done, (off_t)(offset + done));
        if (count < 0) {
            if (errno == EINTR)
                continue;
            return status_from_errno(errno);
        }
        if (count == 0)
            break;
        done += (size_t)count;
    }
    *out_size = done;
    return STATUS_OK;
}

enum status file_open(const struct file_ops *ops, int dir_fd, const char *name, int *out_fd,
                      uint64_t *out_size, struct errbuf *err)
{
    int fd = ops->openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);

    if (fd < 0) {
        enum status status = status_from_errno(errno);
        errbuf_set(err, "%s: %s", name, strerror(errno));
        return status;
    }
    enum status status = file_size(ops, fd, out_size);
    if (status != STATUS_OK) {
        (void)close(fd);
        return file_fail(err, name, status);
    }
    *out_fd = fd;
    return STATUS_OK;
}

enum status file_crc(const struct file_ops *ops, int fd, uint64_t offset, uint64_t size,
                     uint32_t *out)
{
    char block[32 * 1024];
    uint32_t crc = 0;
    size_t got = 0;

    for (; size > 0; offset += got, size -= got) {
        size_t want = size < sizeof(block) ? (size_t)size : sizeof(block);
        enum status status = file_read(ops, fd, block, want, offset, &got);
        if (status != STATUS_OK)
            return status;
        if (got == 0)
            break;
        crc = crc32c(crc, block, got);
    }
    *out = crc;
    return STATUS_OK;
}

enum status file_fail(struct errbuf *err, const char *what, enum status status)
{
    errbuf_set(err, "%s: %s", what, status_text(status));
    return status;
}

enum status file_size(const struct file_ops *ops, int fd, uint64_t *out)
{
    struct stat info;

    if (ops->fstat(fd, &info) < 0)
        return status_from_errno(errno);
    *out = (uint64_t)info.st_size;
    return STATUS_OK;
}

enum status file_identify(const struct file_ops *ops, int fd, struct file_id *out)
{
    struct stat info;

    if (ops->fstat(fd, &info) < 0)
        return status_from_errno(errno);
    *out = (struct file_id){info.st_dev, info.st_ino};
    return STATUS_OK;
}
