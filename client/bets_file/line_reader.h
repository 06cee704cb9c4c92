/* line_reader.h - reads a file block by block, and hands it out as physical lines.
 *
 * Lines are not copied out of the block; line_reader_skip() goes to the next one. Blocks on the
 * file.
 */
#ifndef LOTTERY_LINE_READER_H
#define LOTTERY_LINE_READER_H

#include "errbuf.h"
#include "status.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define LINE_READER_BLOCK_SIZE ((size_t)256 * 1024) /* no valid line is longer */

/* Where a line begins. */
struct line_position {
    uint64_t offset; /* bytes into the file */
    uint64_t line;   /* physical lines before it */
};

struct line_reader {
    char *path;              /* owned; begins every error */
    int fd;                  /* owned */
    struct stat info;        /* of the file when it was opened */
    bool must_be_unchanged;  /* from now on, reading fails if the file has changed since then */
    struct line_position at; /* of the next line */
    size_t block_at;         /* where in the block the next line begins */
    size_t block_size;       /* bytes in the block */
    char block[LINE_READER_BLOCK_SIZE];
};

/* Opens the regular file at `path`, which is copied, at its first line. The caller has to close it
 * if this succeeds. */
enum status line_reader_open(struct line_reader *reader, const char *path, struct errbuf *err);

/* Closes the file. */
void line_reader_close(struct line_reader *reader);

/* The next line, with its newline if it has one; empty at the end of the file. A line longer than a
 * block is cut. Valid until the next call. STATUS_INVALID when the file has changed and
 * must_be_unchanged is set. */
enum status line_reader_peek(struct line_reader *reader, struct text *out, struct errbuf *err);

/* Goes to the line that begins at `position`. STATUS_INVALID when the file has changed since it was
 * opened. */
enum status line_reader_seek(struct line_reader *reader, struct line_position position,
                             struct errbuf *err);

/* The bytes in memory from the next line on, maybe none. Reads nothing from the file. */
static inline struct text line_reader_buffered(const struct line_reader *reader)
{
    return (struct text){reader->block + reader->block_at, reader->block_size - reader->block_at};
}

/* Goes to the line after the next one, which has `size` bytes and lies in memory. */
static inline void line_reader_skip(struct line_reader *reader, size_t size)
{
    reader->block_at += size;
    reader->at.offset += size;
    reader->at.line++;
}

#endif
