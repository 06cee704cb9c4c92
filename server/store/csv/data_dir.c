/* The data directory, or the folder of a draw in it: locked, opened, and still in its place?
 *
 * Happy path: open the directory and take the lock on it. If a release that locked a file named
 * bets.lock in it has worked here, take that lock, too, and hold it.
 *
 * Failure modes: there is no directory, or another server holds one of the locks (one that is dying
 * gets a second to end). Later the directory may be moved, removed or replaced under the server:
 * its descriptor goes on working, but nobody will find there what is written through it.
 */
#include "data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FILE_MODE 0640
#define LOCK_WAIT_MS 1000
#define LOCK_TRY_MS 20

static enum status data_dir_fail(struct errbuf *err, int error)
{
    errbuf_set(err, "%s", strerror(error));
    return status_from_errno(error);
}

/* Waits a moment for the lock: after a server is killed, its children die soon, but hold the lock
 * until then. */
static enum status data_dir_take_lock(int fd, int kind, struct errbuf *err)
{
    for (int waited_ms = 0;; waited_ms += LOCK_TRY_MS) {
        if (flock(fd, kind | LOCK_NB) == 0)
            return STATUS_OK;
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK || waited_ms >= LOCK_WAIT_MS)
            break;
        (void)usleep(LOCK_TRY_MS * 1000);
    }
    if (errno == EWOULDBLOCK) {
        errbuf_set(err, "another server works on this folder");
        return STATUS_INUSE;
    }
    return data_dir_fail(err, errno);
}

/* Takes the lock of the previous release, if its file is there. */
static enum status data_dir_take_old_lock(struct data_dir *data_dir, int kind, struct errbuf *err)
{
    enum status status = STATUS_OK;

    data_dir->old_lock_fd = data_dir_open_file(data_dir, DATA_DIR_OLD_LOCK, O_RDONLY);
    if (data_dir->old_lock_fd >= 0)
        status = data_dir_take_lock(data_dir->old_lock_fd, kind, err);
    else if (errno != ENOENT)
        status = data_dir_fail(err, errno);
    if (status != STATUS_OK)
        errbuf_wrap(err, DATA_DIR_OLD_LOCK);
    return status;
}

/* Takes both locks, shared or exclusive, on the directory that is open as `fd`. Closes all of it on
 * failure. */
static enum status data_dir_lock(const char *path, int fd, const struct file_ops *ops, int kind,
                                 struct data_dir *out, struct errbuf *err)
{
    struct data_dir data_dir = {.ops = ops, .path = path, .fd = fd, .old_lock_fd = -1};

    enum status status = file_identify(ops, data_dir.fd, &data_dir.id);
    if (status != STATUS_OK)
        errbuf_set(err, "%s", status_text(status));
    if (status == STATUS_OK)
        status = data_dir_take_lock(data_dir.fd, kind, err);
    if (status == STATUS_OK)
        status = data_dir_take_old_lock(&data_dir, kind, err);
    if (status != STATUS_OK) {
        data_dir_close(&data_dir);
        return status;
    }
    *out = data_dir;
    return STATUS_OK;
}

static enum status data_dir_open_locked(const char *path, const struct file_ops *ops, int kind,
                                        struct data_dir *out, struct errbuf *err)
{
    int fd = ops->openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    if (fd < 0)
        return data_dir_fail(err, errno);
    return data_dir_lock(path, fd, ops, kind, out, err);
}

enum status data_dir_open(const char *path, const struct file_ops *ops, struct data_dir *out,
                          struct errbuf *err)
{
    enum status status = data_dir_open_locked(path, ops, LOCK_EX, out, err);

    if (status != STATUS_OK)
        errbuf_wrap(err, "data directory %s", path);
    return status;
}

static enum status data_dir_open_below(const struct data_dir *base, const char *name,
                                       const char *path, struct data_dir *out, struct errbuf *err)
{
    int fd = base->ops->openat(base->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);

    if (fd >= 0)
        return data_dir_lock(path, fd, base->ops, LOCK_EX, out, err);
    enum status status = data_dir_fail(err, errno);
    if (errno == ENOTDIR || errno == ELOOP)
        errbuf_set(err, "it is not a folder, or a symbolic link, which is not followed");
    return status;
}

enum status data_dir_open_draw(const struct data_dir *base, const char *id, const char *path,
                               struct data_dir *out, struct errbuf *err)
{
    enum status status = data_dir_open_below(base, id, path, out, err);

    if (status != STATUS_OK)
        errbuf_wrap(err, "data directory %s", path);
    return status;
}

enum status data_dir_share(const struct data_dir *from, const char *path, struct data_dir *out,
                           struct errbuf *err)
{
    struct data_dir data_dir = *from;

    data_dir.path = path;
    data_dir.fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
    if (data_dir.fd < 0)
        return data_dir_fail(err, errno);
    if (from->old_lock_fd >= 0)
        data_dir.old_lock_fd = fcntl(from->old_lock_fd, F_DUPFD_CLOEXEC, 0);
    if (from->old_lock_fd >= 0 && data_dir.old_lock_fd < 0) {
        int error = errno;
        data_dir_close(&data_dir);
        return data_dir_fail(err, error);
    }
    *out = data_dir;
    return STATUS_OK;
}

void data_dir_close(struct data_dir *data_dir)
{
    if (data_dir->old_lock_fd >= 0)
        (void)close(data_dir->old_lock_fd);
    if (data_dir->fd >= 0)
        (void)close(data_dir->fd);
    data_dir->fd = data_dir->old_lock_fd = -1;
}

/* Files that a server is writing would look damaged. The locks are released at once, so that a
 * server can start during the check. */
enum status data_dir_open_check(const char *path, const struct file_ops *ops, struct data_dir *out,
                                struct errbuf *err)
{
    enum status status = data_dir_open_locked(path, ops, LOCK_SH, out, err);

    if (status != STATUS_OK)
        return status;
    if (out->old_lock_fd >= 0)
        (void)close(out->old_lock_fd);
    out->old_lock_fd = -1;
    (void)flock(out->fd, LOCK_UN);
    return STATUS_OK;
}

/* An error that says nothing of the path, such as a lack of memory, is not taken for its end. */
static bool data_dir_is_not_there(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

bool data_dir_is_in_place(const struct data_dir *data_dir, struct errbuf *err)
{
    struct stat info; /* of what is at the path; if nothing is, of the directory itself */
    const char *what;

    bool is_path_found = data_dir->ops->fstatat(AT_FDCWD, data_dir->path, &info, 0) == 0;
    if (is_path_found && !file_is(&data_dir->id, &info)) {
        what = "was replaced: another one is at its path";
    } else {
        bool is_there = is_path_found || !data_dir_is_not_there(errno);
        if (!is_path_found && data_dir->ops->fstat(data_dir->fd, &info) < 0)
            return true;
        if (is_there && info.st_nlink > 0)
            return true;
        what = info.st_nlink == 0 ? "was removed" : "was moved: nothing is at its path";
    }
    errbuf_set(err, "data directory %s: it %s", data_dir->path, what);
    return false;
}

int data_dir_open_file(const struct data_dir *data_dir, const char *name, int flags)
{
    return data_dir->ops->openat(data_dir->fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                                 FILE_MODE);
}
