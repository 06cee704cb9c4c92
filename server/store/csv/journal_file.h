/* journal_file.h - whole journal files: their headers, making one, reading its beginning. */
#ifndef LOTTERY_JOURNAL_FILE_H
#define LOTTERY_JOURNAL_FILE_H

#include "data_dir.h"
#include "journal.h"

#define JOURNAL_HEADER_SIZE 64
#define JOURNAL_HEADER_B 4096 /* offset of the second header */

/* What a header says. There are two, in different blocks and written in turn; the valid one with
 * the higher generation counts. */
struct journal_header {
    uint64_t stamp;       /* random, of this file: records of other files do not match */
    uint64_t generation;  /* how often a header of the file was written; from 1 */
    uint64_t synced;      /* see journal_mark */
    uint64_t bets_synced; /* see journal_mark */
};

/* False, without *out, when it is not a valid header of format 2. */
bool journal_header_decode(const uint8_t bytes[JOURNAL_HEADER_SIZE], struct journal_header *out);

/* Reads the beginning of an open journal: the newer of its headers, and the checkpoint into *draw,
 * an initialised state, and *extent, an empty one, which the caller frees in any case. *end is
 * where the next record begins. DAMAGED, IO, NOMEM, with a reason in *err. */
enum status journal_file_load(const struct file_ops *ops, int fd, struct journal_header *header,
                              struct draw *draw, struct bets_extent *extent, uint64_t *end,
                              struct errbuf *err);

/* Reads the newest checkpoint of the journal in a data directory, likewise. In a draw that is
 * closed it covers all that counts. Changes nothing on disk; blocks on the file. NOTFOUND, or as
 * journal_file_load(). */
enum status journal_file_read_checkpoint(const struct data_dir *data_dir, struct draw *draw,
                                         struct bets_extent *extent, struct errbuf *err);

/* Appends a whole journal file to `out`, without spare space: its headers, and a checkpoint. All
 * bytes of `extent` have to be on disk, or have to be by the time that the file is. NOMEM: `out` is
 * as before. */
enum status journal_file_encode(const struct draw *draw, const struct bets_extent *extent,
                                struct buffer *out);

/* Writes the header of header->generation in its place. */
enum status journal_file_write_header(const struct file_ops *ops, int fd,
                                      const struct journal_header *header);

/* Writes zeros from `from` to `to`. */
enum status journal_file_write_zeros(const struct file_ops *ops, int fd, uint64_t from,
                                     uint64_t to);

/* A new journal file that begins with a checkpoint. */
struct journal_file {
    int fd;                       /* owned */
    struct file_id id;            /* of what it is open on */
    struct journal_header header; /* the newer one */
    uint64_t end;                 /* where the next record goes */
    uint64_t capacity;            /* size of the file: zeros from `end` on */
};

/* Makes one with a reserve of zeros and puts it in the place of the old one, durably. All bytes of
 * `extent` have to be on disk. UNCERTAIN: it may be in its place, or not; NOSPACE, IO, NOMEM:
 * it is not. Blocks. */
enum status journal_file_create(const struct data_dir *data_dir, const struct draw *draw,
                                const struct bets_extent *extent, uint64_t reserve,
                                struct journal_file *out, struct errbuf *err);

#endif
