#include "line_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum status line_reader_fail_errno(const char *path, struct errbuf *err)
{
    enum status status = status_from_errno(errno);

    errbuf_set(err, "%s: %s", path, strerror(errno));
    return status;
}

enum status line_reader_open(struct line_reader *reader, const char *path, struct errbuf *err)
{
    enum status status;

    reader->must_be_unchanged = false;
    reader->at = (struct line_position){0, 0};
    reader->block_at = 0;
    reader->block_size = 0;
    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0)
        return line_reader_fail_errno(path, err);
    if (fstat(reader->fd, &reader->info) < 0) {
        status = line_reader_fail_errno(path, err);
        goto err_after_open;
    }
    if (!S_ISREG(reader->info.st_mode)) { /* it is read twice, and from the middle */
        errbuf_set(err, "%s: not a regular file", path);
        status = STATUS_INVALID;
        goto err_after_open;
    }
    reader->path = strdup(path);
    if (reader->path == NULL) {
        errbuf_set(err, "%s: %s", path, status_text(STATUS_NOMEM));
        status = STATUS_NOMEM;
        goto err_after_open;
    }
    return STATUS_OK;

err_after_open:
    (void)close(reader->fd);
    return status;
}

void line_reader_close(struct line_reader *reader)
{
    (void)close(reader->fd);
    free(reader->path);
}

static bool line_reader_is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* The time of the last change of the inode counts, too: whoever rewrites the file can set its
 * modification time back, but not that one. */
static enum status line_reader_check_unchanged(const struct line_reader *reader, struct errbuf *err)
{
    const struct stat *then = &reader->info;
    struct stat now;

    if (fstat(reader->fd, &now) == 0 && now.st_size == then->st_size &&
        now.st_ino == then->st_ino && now.st_dev == then->st_dev &&
        line_reader_is_same_time(now.st_mtim, then->st_mtim) &&
        line_reader_is_same_time(now.st_ctim, then->st_ctim))
        return STATUS_OK;
    errbuf_set(err, "%s: changed while it was being sent", reader->path);
    return STATUS_INVALID;
}

/* Moves the unread bytes to the block's beginning and fills the rest of it from the file. */
static enum status line_reader_fill(struct line_reader *reader, struct errbuf *err)
{
    size_t left = reader->block_size - reader->block_at;

    memmove(reader->block, reader->block + reader->block_at, left);
    reader->block_at = 0;
    reader->block_size = left;
    while (reader->block_size < LINE_READER_BLOCK_SIZE) {
        ssize_t got = pread(reader->fd, reader->block + reader->block_size,
                            LINE_READER_BLOCK_SIZE - reader->block_size,
                            (off_t)(reader->at.offset + reader->block_size));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return line_reader_fail_errno(reader->path, err);
        if (got == 0)
            break;
        reader->block_size += (size_t)got;
    }
    return reader->must_be_unchanged ? line_reader_check_unchanged(reader, err) : STATUS_OK;
}

/* Is there a whole line in memory? *out is that line, or else all bytes that are in memory. */
static bool line_reader_find(const struct line_reader *reader, struct text *out)
{
    *out = line_reader_buffered(reader);
    const char *newline = memchr(out->data, '\n', out->size);
    if (newline != NULL)
        out->size = (size_t)(newline - out->data) + 1;
    return newline != NULL;
}

enum status line_reader_peek(struct line_reader *reader, struct text *out, struct errbuf *err)
{
    if (line_reader_find(reader, out))
        return STATUS_OK;
    enum status status = line_reader_fill(reader, err);
    if (status == STATUS_OK)
        (void)line_reader_find(reader, out); /* the last line may have no newline */
    return status;
}

enum status line_reader_seek(struct line_reader *reader, struct line_position position,
                             struct errbuf *err)
{
    enum status status = line_reader_check_unchanged(reader, err);

    if (status != STATUS_OK)
        return status;
    reader->at = position;
    reader->block_at = 0;
    reader->block_size = 0;
    return STATUS_OK;
}
