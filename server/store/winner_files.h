/* winner_files.h - winners.csv and its index.
 *
 * winners.csv: `agency,document` per line with CRLF, in the order of the bets. The index,
 * winners.index, has the same documents grouped by agency, each group in the order of the bets, so
 * that a worker reads an agency's winners from one place. docs/disk-format.md has the format by
 * byte.
 */
#ifndef LOTTERY_STORE_WINNER_FILES_H
#define LOTTERY_STORE_WINNER_FILES_H

#include "draw.h"
#include "errbuf.h"
#include "file_ops.h"
#include "winners.h"

#include <stddef.h>
#include <stdint.h>

#define WINNERS_NAME "winners.csv"
#define WINNERS_INDEX_NAME "winners.index"

/* The winners among some of the bets, written to a file of fixed-size items as they are found;
 * memory does not grow with their number, only with that of the agencies. */
struct winner_part;

/* What a part has of one agency. */
struct winner_counts {
    uint64_t winners; /* how many */
    uint64_t bytes;   /* of their documents in the index, line feeds included */
};

struct winner_part_config {
    const struct file_ops *ops;   /* borrowed */
    int fd;                       /* borrowed; empty, open for reading and writing */
    uint32_t agencies;            /* N */
    struct winner_counts *counts; /* borrowed; [0..agencies], all zero; may be shared memory */
};

/* STATUS_NOMEM when there is no memory. */
enum status winner_part_create(const struct winner_part_config *config, struct winner_part **out);

/* Adds one. DAMAGED: its agency is not one of 1..agencies, or it has no document; NOSPACE, IO: it
 * was not added. */
enum status winner_part_add(struct winner_part *part, const struct winner *winner);

/* Writes what is buffered. */
enum status winner_part_flush(struct winner_part *part);
void winner_part_destroy(struct winner_part *part);

struct winner_join {
    const struct file_ops *ops;                /* borrowed */
    const int *part_fds;                       /* borrowed; open for reading */
    const struct winner_counts *const *counts; /* borrowed; of each part */
    size_t parts;                              /* how many; 0 is fine */
    uint32_t agencies;                         /* N */
    int winners_fd;                            /* borrowed; empty */
    int index_fd;                              /* borrowed; empty */
};

/* Joins the parts, in order, to the two files, and syncs these. Sets winners, winners_size and
 * winners_crc of *drawn. Uses about 5 MiB, however many winners there are. DAMAGED: a part is not
 * what its counts say; NOSPACE, IO, NOMEM; then *drawn is unchanged, and the files are of no use.
 * Blocks. */
enum status winner_files_join(const struct winner_join *join, struct draw_drawn *drawn,
                              struct errbuf *err);

/* Are both files in the directory `dir_fd` those of `drawn`? NOTFOUND when one is missing, DAMAGED
 * when one is not right, IO, NOMEM; *err says why. Reads both; blocks. */
enum status winner_files_check(const struct file_ops *ops, int dir_fd, uint32_t agencies,
                               const struct draw_drawn *drawn, struct errbuf *err);

/* The index, open for reading. */
struct winner_index;

/* Opens the index of `drawn` in the directory `dir_fd`; `ops` is borrowed until it is closed. The
 * caller closes *out. Statuses as above. Checks the header and the table, not the documents.
 * Blocks, as the others that read do. */
enum status winner_index_open(const struct file_ops *ops, int dir_fd, uint32_t agencies,
                              const struct draw_drawn *drawn, struct winner_index **out,
                              struct errbuf *err);
void winner_index_close(struct winner_index *index); /* NULL is fine */

/* Have the documents the checksums that the table says? Otherwise DAMAGED, or IO; *err says why.
 * Reads them all. */
enum status winner_index_verify(const struct winner_index *index, struct errbuf *err);

/* The documents of one agency's winners, each with a line feed after it. */
struct winner_documents {
    uint64_t size;  /* bytes */
    uint64_t count; /* documents; in a file that was damaged, the bytes may have another number */
};

/* Those of `agency`; none if it is not one of 1..agencies. */
struct winner_documents winner_index_of(const struct winner_index *index, uint32_t agency);

/* Reads `size` bytes of them, from byte `from` on; they have so many. DAMAGED: somebody has cut the
 * file; IO. */
enum status winner_index_read(const struct winner_index *index, uint32_t agency, uint64_t from,
                              char *out, size_t size);

#endif
