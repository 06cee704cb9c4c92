#include "winners_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status winners_file_fail(const struct winners_file *file, struct errbuf *err)
{
    return file_place_fail(file->path, err);
}

enum status winners_file_init(struct winners_file *file, const char *path, struct errbuf *err)
{
    file->fd = -1;
    file->size = 0;
    enum status status = file_place_prepare(path, file->path, file->temporary, err);
    if (status != STATUS_OK)
        return status;
    file->fd = mkostemp(file->temporary, O_CLOEXEC);
    if (file->fd < 0 || fchmod(file->fd, FILE_PLACE_MODE) < 0)
        return winners_file_fail(file, err);
    return STATUS_OK;
}

void winners_file_fini(struct winners_file *file)
{
    if (file->fd < 0)
        return;
    (void)close(file->fd);
    (void)unlink(file->temporary);
    file->fd = -1;
}

static enum status winners_file_flush(struct winners_file *file, struct errbuf *err)
{
    size_t done = 0;

    while (done < file->size) {
        ssize_t written = write(file->fd, file->buffer + done, file->size - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return winners_file_fail(file, err);
        done += (size_t)written;
    }
    file->size = 0;
    return STATUS_OK;
}

enum status winners_file_restart(struct winners_file *file, struct errbuf *err)
{
    file->size = 0;
    if (ftruncate(file->fd, 0) < 0 || lseek(file->fd, 0, SEEK_SET) < 0)
        return winners_file_fail(file, err);
    return STATUS_OK;
}

/* No line end, no control character, no blank: a server that is not ours may send anything. */
static bool winners_file_is_word(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == '\x7f')
            return false;
    }
    return text.size > 0;
}

enum status winners_file_add(struct winners_file *file, struct text document, struct errbuf *err)
{
    enum status status = STATUS_OK;

    if (document.size >= WINNERS_FILE_BUFFER || !winners_file_is_word(document)) {
        errbuf_set(err, "%s: what the server sent as a winner is not a document", file->path);
        return STATUS_MALFORMED;
    }
    if (document.size + 1 > WINNERS_FILE_BUFFER - file->size)
        status = winners_file_flush(file, err);
    if (status != STATUS_OK)
        return status;
    memcpy(file->buffer + file->size, document.data, document.size);
    file->buffer[file->size + document.size] = '\n';
    file->size += document.size + 1;
    return STATUS_OK;
}

enum status winners_file_commit(struct winners_file *file, struct errbuf *err)
{
    enum status status = winners_file_flush(file, err);

    if (status != STATUS_OK)
        return status;
    if (fsync(file->fd) < 0 || rename(file->temporary, file->path) < 0)
        return winners_file_fail(file, err);
    (void)close(file->fd);
    file->fd = -1;
    return file_place_sync(file->path, err);
}
