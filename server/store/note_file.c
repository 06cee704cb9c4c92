#include "note_file.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool note_file_is_right(const char *text, size_t size)
{
    const char *end = text + size;
    const char *at = text;

    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL || !utf8_is_printable((struct text){at, (size_t)(line_end - at)}))
            return false;
        at = line_end + 1;
    }
    return size > 0;
}

/* Reads an open file of `size` bytes. */
static enum status note_file_load(const struct file_ops *ops, int fd, uint64_t size, char **out)
{
    size_t got = 0;

    if (size > NOTE_FILE_MAX)
        return STATUS_DAMAGED;
    char *text = malloc((size_t)size + 1);
    if (text == NULL)
        return STATUS_NOMEM;
    enum status status = file_read(ops, fd, text, (size_t)size, 0, &got);
    if (status == STATUS_OK && (got != size || !note_file_is_right(text, got)))
        status = STATUS_DAMAGED;
    if (status != STATUS_OK) {
        free(text);
        return status;
    }
    text[got] = '\0';
    *out = text;
    return STATUS_OK;
}

enum status note_file_read(const struct file_ops *ops, int dir_fd, const char *name, char **out,
                           struct errbuf *err)
{
    uint64_t size;
    int fd;

    enum status status = file_open(ops, dir_fd, name, &fd, &size, err);
    if (status != STATUS_OK)
        return status;
    status = note_file_load(ops, fd, size, out);
    (void)close(fd);
    return status == STATUS_OK ? STATUS_OK : file_fail(err, name, status);
}
