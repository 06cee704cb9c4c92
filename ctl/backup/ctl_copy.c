#include "ctl_copy.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define PART_MAX 128 /* bytes of a part of a name */

/* Like all of the lottery's programs this one is not privileged by its file, but root may run it on
 * the directory of another user: so nothing in there decides what else is read. */
#define FLAGS (O_NOFOLLOW | O_CLOEXEC)

static bool ctl_copy_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || text_is_digit(c);
}

/* The size of the part that `name` begins with; 0: it is not one. */
static size_t ctl_copy_part(const char *name)
{
    size_t size = 0;

    while (ctl_copy_is_letter(name[size]) ||
           (size > 0 && name[size] != '\0' && strchr("._-", name[size]) != NULL))
        size++;
    return size <= PART_MAX ? size : 0;
}

bool ctl_copy_is_name(const char *name)
{
    size_t first = ctl_copy_part(name);

    if (first == 0 || name[first] == '\0')
        return first > 0;
    if (name[first] != '/')
        return false;
    size_t second = ctl_copy_part(name + first + 1);
    return second > 0 && name[first + 1 + second] == '\0';
}

static enum status ctl_copy_fail(struct errbuf *err, int error)
{
    errbuf_set(err, "%s", strerror(error));
    return status_from_errno(error);
}

/* Opens the file `name` in `dir_fd`, or in the folder there that the first part of `name` is. */
static int ctl_copy_open_in(int dir_fd, const char *name)
{
    const char *slash = strchr(name, '/');
    char folder[PART_MAX + 1];

    if (slash == NULL)
        return openat(dir_fd, name, O_RDONLY | O_NONBLOCK | FLAGS);
    memcpy(folder, name, (size_t)(slash - name));
    folder[slash - name] = '\0';
    int folder_fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | FLAGS);
    if (folder_fd < 0)
        return -1;
    int fd = openat(folder_fd, slash + 1, O_RDONLY | O_NONBLOCK | FLAGS);
    int error = errno;
    (void)close(folder_fd);
    errno = error;
    return fd;
}

enum status ctl_copy_open(int dir_fd, const char *name, int *out_fd, struct stat *out_info,
                          struct errbuf *err)
{
    enum status status = STATUS_INVALID;
    int fd = -1;

    errbuf_set(err, "that is not the name of a file of a draw");
    if (ctl_copy_is_name(name)) {
        fd = ctl_copy_open_in(dir_fd, name);
        status = fd < 0 || fstat(fd, out_info) < 0 ? ctl_copy_fail(err, errno) : STATUS_OK;
    }
    if (status == STATUS_OK && !S_ISREG(out_info->st_mode)) {
        errbuf_set(err, "it is not a regular file");
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        *out_fd = fd;
        return STATUS_OK;
    }
    if (fd >= 0)
        (void)close(fd);
    errbuf_wrap(err, "%.200s", name);
    return status;
}

/* Lets the kernel copy some bytes, without a detour through our memory: the one call can share them
 * on some file systems, the other works on all. */
static ssize_t ctl_copy_some(int from, int to, size_t size, bool *is_plain)
{
    if (!*is_plain) {
        ssize_t count = copy_file_range(from, NULL, to, NULL, size, 0);
        if (count > 0)
            return count;
        *is_plain = true; /* whatever it was, the other call says it, too */
    }
    return sendfile(to, from, NULL, size);
}

enum status ctl_copy_bytes(int from, int to, uint64_t size, const struct ctl_progress *progress,
                           struct errbuf *err)
{
    bool is_plain = false;

    while (size > 0) {
        size_t step = size < CTL_COPY_STEP ? (size_t)size : CTL_COPY_STEP;
        ssize_t count = ctl_copy_some(from, to, step, &is_plain);
        if (count == 0) {
            errbuf_set(err, "it has become shorter");
            return STATUS_DAMAGED;
        }
        if (count < 0 && errno != EINTR)
            return ctl_copy_fail(err, errno);
        size_t done = count > 0 ? (size_t)count : 0;
        size -= done;
        if (progress->on_copied != NULL && !progress->on_copied(progress->owner, done)) {
            errbuf_set(err, "%s", status_text(STATUS_STOPPED));
            return STATUS_STOPPED;
        }
    }
    return STATUS_OK;
}

enum status ctl_copy_write(int to, const void *bytes, size_t size, struct errbuf *err)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t count = write(to, at, size);
        if (count < 0 && errno != EINTR)
            return ctl_copy_fail(err, errno);
        if (count > 0) {
            at += count;
            size -= (size_t)count;
        }
    }
    return STATUS_OK;
}
