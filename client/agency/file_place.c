#include "file_place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum status file_place_fail(const char *path, struct errbuf *err)
{
    enum status status = status_from_errno(errno);

    errbuf_set(err, "%s: %s", path, strerror(errno));
    return status;
}

/* What cannot be replaced should be known at once. */
static enum status file_place_check(const char *path, struct errbuf *err)
{
    struct stat info;

    if (lstat(path, &info) < 0)
        return errno == ENOENT ? STATUS_OK : file_place_fail(path, err);
    if (S_ISREG(info.st_mode))
        return STATUS_OK;
    errbuf_set(err, "%s: not a regular file", path);
    return STATUS_INVALID;
}

enum status file_place_prepare(const char *path, char out[FILE_PLACE_PATH_MAX],
                               char temporary[FILE_PLACE_PATH_MAX], struct errbuf *err)
{
    int size = snprintf(out, FILE_PLACE_PATH_MAX, "%s", path);
    int longer = snprintf(temporary, FILE_PLACE_PATH_MAX, "%s.XXXXXX", path);

    if (size < 0 || longer < 0 || (size_t)longer >= FILE_PLACE_PATH_MAX) {
        errbuf_set(err, "%.64s...: the path is too long", path);
        return STATUS_INVALID;
    }
    return file_place_check(out, err);
}

enum status file_place_sync(const char *path, struct errbuf *err)
{
    char copy[FILE_PLACE_PATH_MAX];

    (void)snprintf(copy, sizeof(copy), "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return file_place_fail(path, err);
    enum status status = fsync(fd) < 0 ? file_place_fail(path, err) : STATUS_OK;
    (void)close(fd);
    return status;
}
