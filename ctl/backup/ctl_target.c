#include "ctl_target.h"

#include "ctl_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 0750 /* of a draw's folder, as the server makes it */
#define PART_SUFFIX ".part-XXXXXX"
#define NAME_KEPT 200 /* bytes of the name that are in the other one */

static enum status ctl_target_fail(struct errbuf *err, int error)
{
    errbuf_set(err, "%s", strerror(error));
    return status_from_errno(error);
}

static enum status ctl_target_refuse(struct errbuf *err, const char *reason)
{
    errbuf_set(err, "%s", reason);
    return STATUS_INVALID;
}

/* Splits `dir` into the folder in which it is, in `parent` of PATH_MAX bytes, and its name. */
static enum status ctl_target_split(const char *dir, char *parent, char name[NAME_MAX + 1],
                                    struct errbuf *err)
{
    size_t size = strlen(dir);

    while (size > 1 && dir[size - 1] == '/')
        size--;
    size_t at = size;
    while (at > 0 && dir[at - 1] != '/')
        at--;
    if (size - at > NAME_MAX || at >= PATH_MAX)
        return ctl_target_fail(err, ENAMETOOLONG);
    memcpy(name, dir + at, size - at);
    name[size - at] = '\0';
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return ctl_target_refuse(err, "that does not name a folder that could be made");
    if (at == 0)
        dir = "./", at = 2;
    memcpy(parent, dir, at);
    parent[at] = '\0';
    return STATUS_OK;
}

/* Opens its parent, and finds out its path. */
static enum status ctl_target_open_parent(struct ctl_target *target, const char *dir,
                                          struct errbuf *err)
{
    char parent[PATH_MAX + 1];
    char name[NAME_MAX + 1];

    enum status status = ctl_target_split(dir, parent, name, err);
    if (status != STATUS_OK)
        return status;
    if (realpath(parent, target->path) == NULL)
        return ctl_target_fail(err, errno);
    target->parent_fd = open(target->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (target->parent_fd < 0)
        return ctl_target_fail(err, errno);
    size_t size = strlen(target->path);
    if (size == 1) /* the root */
        size = 0;
    if (size + 1 + strlen(name) + sizeof(PART_SUFFIX) > PATH_MAX)
        return ctl_target_fail(err, ENAMETOOLONG);
    target->path[size] = '/';
    memcpy(target->path + size + 1, name, strlen(name) + 1);
    target->name = target->path + size + 1;
    return STATUS_OK;
}

static bool ctl_target_is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Goes up from the parent to the root: is the data directory on the way? */
static enum status ctl_target_check_place(const struct ctl_target *target, int data_dir_fd,
                                          struct errbuf *err)
{
    struct stat data_dir = {.st_ino = 0};
    struct stat here = {.st_ino = 0};
    struct stat above = {.st_ino = 0};
    enum status status = STATUS_OK;
    int fd = fcntl(target->parent_fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0 || fstat(data_dir_fd, &data_dir) < 0 || fstat(fd, &here) < 0)
        status = ctl_target_fail(err, errno);
    while (status == STATUS_OK) {
        if (ctl_target_is_same(&here, &data_dir)) {
            status = ctl_target_refuse(
                err, "it is in the server's data directory: choose another place");
            break;
        }
        int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (up < 0 || fstat(up, &above) < 0)
            status = ctl_target_fail(err, errno);
        (void)close(fd);
        fd = up;
        if (status == STATUS_OK && ctl_target_is_same(&here, &above))
            break;
        here = above;
    }
    if (fd >= 0)
        (void)close(fd);
    return status;
}

/* Is there nothing in the folder that is open as `fd`? Closes it. */
static bool ctl_target_is_empty(int fd)
{
    DIR *stream = fdopendir(fd);
    const struct dirent *entry;
    bool is_empty = true;

    if (stream == NULL) {
        (void)close(fd);
        return false;
    }
    while (is_empty && (entry = readdir(stream)) != NULL)
        is_empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    (void)closedir(stream);
    return is_empty;
}

/* May what has the name already be replaced? */
static enum status ctl_target_check_name(const struct ctl_target *target, struct errbuf *err)
{
    struct stat parent;
    struct stat info;

    if (fstatat(target->parent_fd, target->name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? STATUS_OK : ctl_target_fail(err, errno);
    if (S_ISLNK(info.st_mode))
        return ctl_target_refuse(err, "it is a symbolic link, which is not followed");
    if (!S_ISDIR(info.st_mode))
        return ctl_target_refuse(err, "it is there already, and is not a folder");
    if (fstat(target->parent_fd, &parent) < 0)
        return ctl_target_fail(err, errno);
    if (parent.st_dev != info.st_dev)
        return ctl_target_refuse(err, "it is a mount point: name a folder in it");
    int fd =
        openat(target->parent_fd, target->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return ctl_target_fail(err, errno);
    if (!ctl_target_is_empty(fd))
        return ctl_target_refuse(err, "it is there already, and not empty");
    return STATUS_OK;
}

/* Makes it under its other name. */
static enum status ctl_target_make(struct ctl_target *target, struct errbuf *err)
{
    char path[PATH_MAX + NAME_KEPT];
    int before = (int)(target->name - target->path);

    (void)snprintf(path, sizeof(path), "%.*s%.*s" PART_SUFFIX, before, target->path, NAME_KEPT,
                   target->name);
    if (mkdtemp(path) == NULL)
        return ctl_target_fail(err, errno);
    (void)snprintf(target->part, sizeof(target->part), "%s", path + before);
    target->fd =
        openat(target->parent_fd, target->part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (target->fd >= 0)
        return STATUS_OK;
    int error = errno;
    (void)unlinkat(target->parent_fd, target->part, AT_REMOVEDIR);
    return ctl_target_fail(err, error);
}

enum status ctl_target_create(struct ctl_target *target, const char *dir, int data_dir_fd,
                              struct errbuf *err)
{
    *target = (struct ctl_target){.parent_fd = -1, .fd = -1};
    enum status status = ctl_target_open_parent(target, dir, err);
    if (status == STATUS_OK)
        status = ctl_target_check_place(target, data_dir_fd, err);
    if (status == STATUS_OK)
        status = ctl_target_check_name(target, err);
    if (status == STATUS_OK)
        status = ctl_target_make(target, err);
    if (status != STATUS_OK) {
        ctl_target_close(target);
        errbuf_wrap(err, "%.300s", dir);
    }
    return status;
}

/* Opens the folder in it that the first part of `name` is; makes it, if need be. */
static int ctl_target_open_folder(struct ctl_target *target, const char *name, size_t size)
{
    char folder[NAME_MAX + 1];

    memcpy(folder, name, size);
    folder[size] = '\0';
    if (target->folder[0] == '\0') {
        if (mkdirat(target->fd, folder, FOLDER_MODE) < 0)
            return -1;
        memcpy(target->folder, folder, size + 1);
    }
    if (strcmp(folder, target->folder) == 0)
        return openat(target->fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    errno = EINVAL; /* a draw has one */
    return -1;
}

enum status ctl_target_make_file(struct ctl_target *target, const char *name, mode_t mode,
                                 int *out_fd, struct errbuf *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const char *slash = strchr(name, '/');
    int folder_fd = target->fd;
    enum status status = STATUS_OK;

    if (!ctl_copy_is_name(name))
        status = ctl_target_refuse(err, "that is not the name of a file of a draw");
    if (status == STATUS_OK && slash != NULL) {
        folder_fd = ctl_target_open_folder(target, name, (size_t)(slash - name));
        if (folder_fd < 0)
            status = ctl_target_fail(err, errno);
    }
    if (status == STATUS_OK) {
        *out_fd = openat(folder_fd, slash != NULL ? slash + 1 : name, flags, mode);
        if (*out_fd < 0)
            status = ctl_target_fail(err, errno);
    }
    if (folder_fd >= 0 && folder_fd != target->fd)
        (void)close(folder_fd);
    if (status != STATUS_OK)
        errbuf_wrap(err, "%.200s", name);
    return status;
}

/* Syncs the folder that was made in it. */
static bool ctl_target_sync_folder(const struct ctl_target *target)
{
    if (target->folder[0] == '\0')
        return true;
    int fd = openat(target->fd, target->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    int result = fsync(fd);
    int error = errno;
    (void)close(fd);
    errno = error;
    return result == 0;
}

enum status ctl_target_finish(struct ctl_target *target, struct errbuf *err)
{
    enum status status = STATUS_OK;

    if (!ctl_target_sync_folder(target) || fsync(target->fd) < 0 ||
        renameat(target->parent_fd, target->part, target->parent_fd, target->name) < 0)
        status = ctl_target_fail(err, errno);
    else if (fsync(target->parent_fd) < 0) {
        (void)ctl_target_fail(err, errno);
        status = STATUS_UNCERTAIN;
    }
    if (status != STATUS_OK)
        errbuf_wrap(err, "%.300s", target->path);
    return status;
}

/* Removes the files in the folder that is open as `fd`, which it closes. */
static void ctl_target_remove_files(int fd)
{
    DIR *stream = fdopendir(fd);
    const struct dirent *entry;

    if (stream == NULL) {
        (void)close(fd);
        return;
    }
    while ((entry = readdir(stream)) != NULL)
        (void)unlinkat(fd, entry->d_name, 0); /* no folder goes this way */
    (void)closedir(stream);
}

void ctl_target_discard(struct ctl_target *target)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

    if (target->folder[0] != '\0') {
        int folder_fd = openat(target->fd, target->folder, flags);
        if (folder_fd >= 0)
            ctl_target_remove_files(folder_fd);
        (void)unlinkat(target->fd, target->folder, AT_REMOVEDIR);
    }
    int fd = openat(target->fd, ".", flags);
    if (fd >= 0)
        ctl_target_remove_files(fd);
    (void)unlinkat(target->parent_fd, target->part, AT_REMOVEDIR);
}

void ctl_target_close(struct ctl_target *target)
{
    if (target->fd >= 0)
        (void)close(target->fd);
    if (target->parent_fd >= 0)
        (void)close(target->parent_fd);
    target->fd = target->parent_fd = -1;
}
