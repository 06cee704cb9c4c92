#include "kept_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status kept_file_write_all(int fd, struct text text)
{
    while (text.size > 0) {
        ssize_t written = write(fd, text.data, text.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return status_from_errno(errno);
        text.data += written;
        text.size -= (size_t)written;
    }
    return STATUS_OK;
}

/* Makes a temporary file, and writes its name. Returns its descriptor, or -1 with errno. */
static int kept_file_make(const struct kept_file *file, char name[FILE_PLACE_PATH_MAX])
{
    memcpy(name, file->temporary, FILE_PLACE_PATH_MAX);
    return mkostemp(name, O_CLOEXEC);
}

enum status kept_file_init(struct kept_file *file, const char *path, struct errbuf *err)
{
    char name[FILE_PLACE_PATH_MAX];

    enum status status = file_place_prepare(path, file->path, file->temporary, err);
    if (status != STATUS_OK)
        return status;
    int fd = kept_file_make(file, name);
    if (fd < 0)
        return file_place_fail(path, err);
    (void)close(fd);
    (void)unlink(name);
    return STATUS_OK;
}

bool kept_file_exists(const struct kept_file *file)
{
    return access(file->path, F_OK) == 0;
}

enum status kept_file_write(const struct kept_file *file, struct text text, struct errbuf *err)
{
    char name[FILE_PLACE_PATH_MAX];
    int fd = kept_file_make(file, name);

    if (fd < 0)
        return file_place_fail(file->path, err);
    enum status status = STATUS_OK;
    if (kept_file_write_all(fd, text) != STATUS_OK || fchmod(fd, FILE_PLACE_MODE) < 0 ||
        fsync(fd) < 0 || rename(name, file->path) < 0)
        status = file_place_fail(file->path, err);
    (void)close(fd);
    if (status == STATUS_OK)
        return file_place_sync(file->path, err);
    (void)unlink(name);
    return status;
}
