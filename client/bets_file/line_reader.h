/* line_reader.h - reads a file block by block, and hands it out as physical lines of UTF-8.
 *
 * Lines are not copied out of the block; line_reader_skip() goes to the next one. A file in another
 * encoding is decoded block by block; offsets are those of the decoded text. Blocks on the file.
 */
#ifndef LOTTERY_LINE_READER_H
#define LOTTERY_LINE_READER_H

#include "bets_format.h"
#include "decoder.h"
#include "errbuf.h"
#include "odd_text.h"
#include "status.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define LINE_READER_BLOCK_SIZE ((size_t)256 * 1024) /* no valid line is longer */

/* Where a line begins. */
struct line_position {
    uint64_t offset; /* bytes of UTF-8 before it */
    uint64_t line;   /* physical lines before it */
    uint64_t source; /* bytes into the file; only if it is decoded */
};

struct line_reader {
    char *path;                /* owned; begins every error */
    int fd;                    /* owned */
    struct stat info;          /* of the file when it was opened */
    bool must_be_unchanged;    /* from now on, reading fails if the file has changed since then */
    struct odd_text_lines odd; /* found while the file was not yet required to be unchanged */
    struct decoder *decoder;   /* owned; NULL: the file is UTF-8 */
    size_t source_at;          /* a place in the block, if the file is decoded, ... */
    struct line_position at;   /* of the next line; its `source` belongs to the block's source_at */
    size_t block_at;           /* where in the block the next line begins */
    size_t block_size;         /* bytes in the block */
    char block[LINE_READER_BLOCK_SIZE];
};

/* Opens the regular file at `path`, which is copied, at its first line. The caller has to close it
 * if this succeeds. */
enum status line_reader_open(struct line_reader *reader, const char *path,
                             enum bets_encoding encoding, struct errbuf *err);

/* Closes the file. */
void line_reader_close(struct line_reader *reader);

/* The next line, with its newline if it has one; empty at the end of the file. A line longer than a
 * block is cut. Valid until the next call. STATUS_INVALID when the file has changed and
 * must_be_unchanged is set. */
enum status line_reader_peek(struct line_reader *reader, struct text *out, struct errbuf *err);

/* Where the next line begins, for going back to it. */
struct line_position line_reader_here(struct line_reader *reader);

/* Goes to the line that begins at `position`. STATUS_INVALID when the file has changed since it was
 * opened. */
enum status line_reader_seek(struct line_reader *reader, struct line_position position,
                             struct errbuf *err);

/* Goes back to `position`, and from there to the line after it, however long that line is. */
enum status line_reader_skip_line_at(struct line_reader *reader, struct line_position position,
                                     struct errbuf *err);

/* Reads the first bytes of the file, not decoded, at most `size`; returns how many. */
size_t line_reader_head(const struct line_reader *reader, char *out, size_t size);

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
