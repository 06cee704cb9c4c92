#include "key_file.h"

#include "clock.h"
#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS (S_IRWXG | S_IRWXO) /* bits of a mode that let somebody else in */
#define ROOT ((uid_t)0)

static enum status key_file_fail(struct errbuf *err)
{
    int error = errno;

    errbuf_set(err, "%s", strerror(error));
    return error == EEXIST ? STATUS_INUSE : status_from_errno(error);
}

static off_t key_file_max(enum key_file_access access)
{
    return access == KEY_FILE_PUBLIC ? KEY_FILE_PUBLIC_MAX : KEY_FILE_MAX;
}

static enum status key_file_check_access(const struct stat *info, enum key_file_access access,
                                         struct errbuf *err)
{
    bool is_shared = access == KEY_FILE_USER && info->st_uid == ROOT;
    mode_t refused = is_shared ? OTHERS & ~(mode_t)S_IRGRP : OTHERS;

    if (access == KEY_FILE_PUBLIC)
        return STATUS_OK;
    if (access == KEY_FILE_USER && info->st_uid != ROOT && info->st_uid != geteuid()) {
        errbuf_set(err, "it is another user's (uid %u); chown it to this one (uid %u) or to root",
                   (unsigned)info->st_uid, (unsigned)geteuid());
        return STATUS_INVALID;
    }
    if ((info->st_mode & refused) != 0) {
        errbuf_set(err,
                   "others may access it (mode %04o), and a key is for nobody else; chmod %s it",
                   (unsigned)(info->st_mode & 07777), is_shared ? "640" : "600");
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

/* *out_size: how many bytes it has. */
static enum status key_file_check(int fd, enum key_file_access access, size_t *out_size,
                                  struct errbuf *err)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return key_file_fail(err);
    if (!S_ISREG(info.st_mode)) {
        errbuf_set(err, "not a regular file");
        return STATUS_INVALID;
    }
    enum status status = key_file_check_access(&info, access, err);
    if (status == STATUS_OK && info.st_size > key_file_max(access)) {
        errbuf_set(err, "larger than %lld bytes", (long long)key_file_max(access));
        return STATUS_INVALID;
    }
    *out_size = (size_t)info.st_size;
    return status;
}

/* Reads `size` bytes, or fewer. The buffer does not move, so that no copy is left in freed memory.
 */
static enum status key_file_read_all(int fd, size_t size, struct buffer *out, struct errbuf *err)
{
    enum status status = buffer_reserve(out, size > 0 ? size : 1);

    while (status == STATUS_OK && out->size < out->capacity) {
        ssize_t count = read(fd, out->data + out->size, out->capacity - out->size);
        if (count == 0)
            return STATUS_OK;
        if (count > 0)
            out->size += (size_t)count;
        else if (errno != EINTR)
            return key_file_fail(err);
    }
    return status;
}

enum status key_file_read(int dir_fd, const char *path, enum key_file_access access,
                          struct buffer *out, struct errbuf *err)
{
    /* A FIFO must not keep us waiting. */
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t size = 0;

    if (fd < 0)
        return key_file_fail(err);
    enum status status = key_file_check(fd, access, &size, err);
    if (access != KEY_FILE_PUBLIC)
        privileges_leave_no_core();
    if (status == STATUS_OK)
        status = key_file_read_all(fd, size, out, err);
    (void)close(fd);
    return status;
}

static enum status key_file_write_all(int fd, struct text bytes, struct errbuf *err)
{
    while (bytes.size > 0) {
        ssize_t count = write(fd, bytes.data, bytes.size);
        if (count < 0 && errno != EINTR)
            return key_file_fail(err);
        if (count > 0) {
            bytes.data += count;
            bytes.size -= (size_t)count;
        }
    }
    return fsync(fd) == 0 ? STATUS_OK : key_file_fail(err);
}

/* Makes the names in the file's directory durable. */
static enum status key_file_sync_folder(int dir_fd, const char *path, struct errbuf *err)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];

    (void)snprintf(folder, sizeof(folder), "%.*s", slash != NULL ? (int)(slash - path + 1) : 1,
                   slash != NULL ? path : ".");
    int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return key_file_fail(err);
    enum status status = fsync(fd) == 0 ? STATUS_OK : key_file_fail(err);
    (void)close(fd);
    return status;
}

enum status key_file_create(int dir_fd, const char *path, struct text bytes, struct errbuf *err)
{
    char other[PATH_MAX];
    int size = snprintf(other, sizeof(other), "%s.%08" PRIx32, path, clock_random());

    if (size < 0 || (size_t)size >= sizeof(other)) {
        errbuf_set(err, "the name is too long");
        return STATUS_INVALID;
    }
    privileges_leave_no_core();
    int fd = openat(dir_fd, other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return key_file_fail(err);
    enum status status = key_file_write_all(fd, bytes, err);
    (void)close(fd);
    /* A second name, unlike a new name, does not replace a file. */
    if (status == STATUS_OK && linkat(dir_fd, other, dir_fd, path, 0) != 0)
        status = key_file_fail(err);
    (void)unlinkat(dir_fd, other, 0);
    return status == STATUS_OK ? key_file_sync_folder(dir_fd, path, err) : status;
}

void key_file_forget(struct buffer *buffer)
{
    if (buffer->data != NULL)
        explicit_bzero(buffer->data, buffer->capacity);
    buffer_fini(buffer);
}
