#include "line_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RAW_SIZE ((size_t)16 * 1024) /* bytes of the file that are decoded at a time */

static enum status line_reader_fail_errno(const char *path, struct errbuf *err)
{
    enum status status = status_from_errno(errno);

    errbuf_set(err, "%s: %s", path, strerror(errno));
    return status;
}

/* Opens what turns the file's bytes into UTF-8, if they are something else. */
static enum status line_reader_open_decoder(struct line_reader *reader, enum bets_encoding encoding,
                                            struct errbuf *err)
{
    char head[4];

    if (encoding == BETS_ENCODING_UTF_8)
        return STATUS_OK;
    size_t size = line_reader_head(reader, head, sizeof(head));
    enum status status = decoder_open(encoding, (struct text){head, size}, &reader->decoder);
    if (status == STATUS_NOTFOUND)
        errbuf_set(err,
                   "%s: the C library of this machine does not know the encoding that "
                   "bets.encoding names",
                   reader->path);
    else if (status != STATUS_OK)
        errbuf_set(err, "%s: %s", reader->path, status_text(status));
    return status;
}

static enum status line_reader_open_file(struct line_reader *reader, const char *path,
                                         struct errbuf *err)
{
    reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe would block */
    if (reader->fd < 0 || fstat(reader->fd, &reader->info) < 0)
        return line_reader_fail_errno(path, err);
    if (!S_ISREG(reader->info.st_mode)) { /* it is read twice, and from the middle */
        errbuf_set(err, "%s: not a regular file", path);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

enum status line_reader_open(struct line_reader *reader, const char *path,
                             enum bets_encoding encoding, struct errbuf *err)
{
    reader->must_be_unchanged = false;
    reader->odd = (struct odd_text_lines){{0}};
    reader->decoder = NULL;
    reader->source_at = 0;
    reader->at = (struct line_position){0, 0, 0};
    reader->block_at = 0;
    reader->block_size = 0;
    reader->fd = -1;
    reader->path = strdup(path);
    if (reader->path == NULL) {
        errbuf_set(err, "%s: %s", path, status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    enum status status = line_reader_open_file(reader, path, err);
    if (status == STATUS_OK)
        status = line_reader_open_decoder(reader, encoding, err);
    if (status != STATUS_OK)
        line_reader_close(reader);
    return status;
}

void line_reader_close(struct line_reader *reader)
{
    if (reader->fd >= 0)
        (void)close(reader->fd);
    decoder_close(reader->decoder);
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

/* pread() that a signal does not interrupt. */
static ssize_t line_reader_read_at(const struct line_reader *reader, char *out, size_t size,
                                   uint64_t offset)
{
    ssize_t got;

    do
        got = pread(reader->fd, out, size, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

size_t line_reader_head(const struct line_reader *reader, char *out, size_t size)
{
    ssize_t got = line_reader_read_at(reader, out, size, 0);

    return got < 0 ? 0 : (size_t)got;
}

/* Fills the rest of the block from the file. */
static enum status line_reader_read(struct line_reader *reader, struct errbuf *err)
{
    while (reader->block_size < LINE_READER_BLOCK_SIZE) {
        ssize_t got = line_reader_read_at(reader, reader->block + reader->block_size,
                                          LINE_READER_BLOCK_SIZE - reader->block_size,
                                          reader->at.offset + reader->block_size);
        if (got < 0)
            return line_reader_fail_errno(reader->path, err);
        if (got == 0)
            break;
        reader->block_size += (size_t)got;
    }
    return STATUS_OK;
}

/* The same with decoded text. */
static enum status line_reader_read_decoded(struct line_reader *reader, struct errbuf *err)
{
    struct text unread = {reader->block, reader->block_size};
    uint64_t source = reader->at.source + decoder_source_size(reader->decoder, unread);
    char raw[RAW_SIZE];

    while (LINE_READER_BLOCK_SIZE - reader->block_size >= DECODER_ROOM) {
        size_t written;
        ssize_t got = line_reader_read_at(reader, raw, sizeof(raw), source);
        if (got < 0)
            return line_reader_fail_errno(reader->path, err);
        if (got == 0)
            break;
        source += decoder_decode(reader->decoder, (struct text){raw, (size_t)got},
                                 reader->block + reader->block_size,
                                 LINE_READER_BLOCK_SIZE - reader->block_size, &written);
        reader->block_size += written;
    }
    return STATUS_OK;
}

struct line_position line_reader_here(struct line_reader *reader)
{
    if (reader->decoder != NULL) {
        struct text passed = {reader->block + reader->source_at,
                              reader->block_at - reader->source_at};
        reader->at.source += decoder_source_size(reader->decoder, passed);
        reader->source_at = reader->block_at;
    }
    return reader->at;
}

/* Moves the unread bytes to the block's beginning and fills the rest of it from the file. */
static enum status line_reader_fill(struct line_reader *reader, struct errbuf *err)
{
    size_t left = reader->block_size - reader->block_at;

    (void)line_reader_here(reader);
    memmove(reader->block, reader->block + reader->block_at, left);
    reader->source_at = 0;
    reader->block_at = 0;
    reader->block_size = left;
    enum status status = reader->decoder == NULL ? line_reader_read(reader, err)
                                                 : line_reader_read_decoded(reader, err);
    if (status != STATUS_OK)
        return status;
    if (reader->must_be_unchanged)
        return line_reader_check_unchanged(reader, err);
    odd_text_scan(&reader->odd, line_reader_buffered(reader), left, reader->at.line);
    return STATUS_OK;
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

/* Goes to a place, wherever it is. Reads nothing if its line lies in memory. */
static void line_reader_go(struct line_reader *reader, struct line_position position)
{
    uint64_t block_offset = reader->at.offset - reader->block_at;

    if (position.offset >= block_offset && position.offset <= block_offset + reader->block_size) {
        reader->block_at = (size_t)(position.offset - block_offset);
    } else {
        reader->block_at = 0;
        reader->block_size = 0;
    }
    reader->at = position;
    reader->source_at = reader->block_at;
}

enum status line_reader_seek(struct line_reader *reader, struct line_position position,
                             struct errbuf *err)
{
    enum status status = line_reader_check_unchanged(reader, err);

    if (status != STATUS_OK)
        return status;
    reader->block_size = 0; /* reads again, and so notices a change */
    reader->block_at = 0;
    reader->source_at = 0;
    reader->at = position;
    return STATUS_OK;
}

enum status line_reader_skip_line_at(struct line_reader *reader, struct line_position position,
                                     struct errbuf *err)
{
    struct text line;
    bool is_cut;

    line_reader_go(reader, position);
    do {
        enum status status = line_reader_peek(reader, &line, err);
        if (status != STATUS_OK)
            return status;
        is_cut = line.size > 0 && line.data[line.size - 1] != '\n';
        line_reader_skip(reader, line.size);
        reader->at.line -= is_cut; /* the rest of it follows, or the end of the file */
    } while (is_cut);
    return STATUS_OK;
}
