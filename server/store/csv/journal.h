/* journal.h - the records of the journal, format 2: bytes to struct and back. Pure.
 *
 * The file: two headers (see journal_file.h), then, from JOURNAL_START, records: first a
 * checkpoint, then those of the draw in their order. All numbers are little endian.
 * docs/disk-format.md has the layout by byte.
 */
#ifndef LOTTERY_JOURNAL_H
#define LOTTERY_JOURNAL_H

#include "bets_extent.h"
#include "buffer.h"
#include "draw.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_NAME "bets.journal"
#define JOURNAL_NEW_NAME "bets.journal.new" /* one that is being written */
#define BETS_NAME "bets.csv"                /* the file that it describes */

#define JOURNAL_START 8192                     /* offset of the first record */
#define JOURNAL_FIXED_MIN 56                   /* the shortest record of a draw, without lines */
#define JOURNAL_FIXED_MAX 320                  /* and the longest */
#define JOURNAL_HEAD_SIZE 72                   /* what the size of a checkpoint follows from */
#define JOURNAL_INLINE_MAX ((size_t)64 * 1024) /* bytes of lines that a record may carry */
#define JOURNAL_RECORD_MAX (JOURNAL_FIXED_MAX + JOURNAL_INLINE_MAX) /* a record with them */

/* Where a record stands, and what was known when it was written. */
struct journal_mark {
    uint64_t stamp;       /* of the file */
    uint64_t at;          /* its own offset: a misplaced block does not match */
    uint64_t synced;      /* bytes of the journal that are on disk, with the bets that they describe
                             unless they carry these */
    uint64_t bets_synced; /* bytes of bets.csv that are on disk */
};

/* The lines of a DRAW_BETS record. */
struct journal_lines {
    uint64_t at;   /* where they begin in bets.csv */
    uint32_t size; /* bytes; at least 1 */
    uint32_t crc;  /* CRC32C of bets.csv from its beginning to their end */
};

struct journal_record {
    struct draw_record draw;
    struct journal_lines lines; /* DRAW_BETS */
    bool has_lines;             /* they follow in the record */
    struct journal_mark mark;
    bool is_long;        /* DRAW_DRAWING: it says who drew, and with which seal */
    uint32_t fixed_size; /* bytes without the lines, which follow there */
    uint32_t size;       /* bytes of the whole record, a multiple of 8 */
};

/* Encodes what an accepted record says of the draw; the rest is filled in by journal_seal().
 * `terms` are the draw's, and count for DRAW_DRAWING; `lines` count for DRAW_BETS. Texts are
 * copied. Returns the size, at most JOURNAL_FIXED_MAX. */
size_t journal_encode(const struct draw_record *record, const struct draw_terms *terms,
                      const struct journal_lines *lines, uint8_t *out);

/* Does a draw of these terms have a long DRAW_DRAWING record? */
bool journal_has_long_drawing(const struct draw_terms *terms);

/* The size of an encoded record as journal_encode() returned it. */
size_t journal_size_of(const uint8_t *record);

/* The bytes of the lines that an encoded record describes; 0 for other types than DRAW_BETS. */
size_t journal_lines_of(const uint8_t *record);

/* Completes an encoded record. With `has_lines` the caller puts the lines after it and zeros up to
 * the whole size, which is returned. */
size_t journal_seal(uint8_t *record, bool has_lines, const struct journal_mark *mark);

/* Decodes a record of the draw that stands at `at` of the file `stamp`, of which `size` bytes are
 * there. Does not look at lines. False, without *out, when it is not a valid one. Texts of *out are
 * in `bytes`. */
bool journal_decode(const uint8_t *bytes, size_t size, uint64_t stamp, uint64_t at,
                    struct journal_record *out);

/* Appends a whole checkpoint record to `out`: the state, and how far bets.csv goes. In a draw that
 * is closed, that is where the closing says that the bets end. */
enum status journal_encode_checkpoint(const struct draw *draw, const struct bets_extent *extent,
                                      const struct journal_mark *mark, struct buffer *out);

/* The size of the checkpoint record whose first JOURNAL_HEAD_SIZE bytes are given; 0 when it cannot
 * be one: its size has to be what its numbers need, and, if there is more, no more than that can
 * be. */
size_t journal_checkpoint_size(const uint8_t *bytes, uint64_t stamp);

/* Decodes it into *draw, an initialised state, and *extent, an empty one. The state has to be one
 * that draw_apply() makes. DAMAGED, NOMEM; the caller frees both in any case. */
enum status journal_decode_checkpoint(const uint8_t *bytes, size_t size, struct draw *draw,
                                      struct bets_extent *extent);

#endif
