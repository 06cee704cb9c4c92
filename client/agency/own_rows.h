/* own_rows.h - goes through the agency's rows that are in the draw, and hashes them: to compare
 * with what the central says of them. In pieces, so that a loop can run in between.
 */
#ifndef LOTTERY_OWN_ROWS_H
#define LOTTERY_OWN_ROWS_H

#include "bets_file.h"
#include "errbuf.h"
#include "sha256.h"
#include "status.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OWN_ROWS_BUFFER ((size_t)16 * 1024) /* bytes that are hashed at a time */

/* Texts that are hashed, one after the other. */
struct text_hash {
    struct sha256 hash; /* of what is not in the buffer any more */
    uint64_t count;     /* texts */
    size_t size;        /* bytes in the buffer */
    char buffer[OWN_ROWS_BUFFER];
};

/* What came out. */
struct text_digest {
    uint64_t count; /* texts */
    uint8_t bytes[SHA256_SIZE];
};

/* Begins without texts. NOMEM: there is nothing to end. */
enum status text_hash_init(struct text_hash *self);

/* Frees it; a zeroed one is fine. */
void text_hash_fini(struct text_hash *self);

/* Begins again without texts. NOMEM: it has to be tried again before texts are added. */
enum status text_hash_restart(struct text_hash *self);

/* Adds a document, and an end to it: of a draw's winner. */
void text_hash_add_document(struct text_hash *self, struct text document);

/* Returns the digest. Then only text_hash_restart() and text_hash_fini() may be called. */
struct text_digest text_hash_end(struct text_hash *self);

/* A walk through the first `rows` rows of a checked file. */
struct own_rows {
    struct text_hash hash;
    uint32_t agency; /* whose rows they are */
    uint64_t rows;
    uint64_t row;        /* the next one */
    bool is_there;       /* the file's current row is that one */
    bool is_for_winners; /* hashes the documents of the rows with `number`; otherwise all rows as */
    uint32_t number;     /* lines of bets.csv */
};

/* NOMEM: there is nothing to end. */
enum status own_rows_init(struct own_rows *self, uint32_t agency);

/* Frees it; a zeroed one is fine. */
void own_rows_fini(struct own_rows *self);

/* Begins to hash all rows, as lines of bets.csv. NOMEM, also of the next one. */
enum status own_rows_begin_lines(struct own_rows *self, uint64_t rows);

/* Begins to hash the documents of those rows that have won with `number`. */
enum status own_rows_begin_winners(struct own_rows *self, uint64_t rows, uint32_t number);

/* Goes on by a few thousand rows at most; sets *out_done, and *out if it is. Fails as
 * bets_file_peek() does, and if there are fewer rows. Blocks on the file. */
enum status own_rows_step(struct own_rows *self, struct bets_file *file, bool *out_done,
                          struct text_digest *out, struct errbuf *err);

/* The file goes to another row meanwhile; the next step comes back. */
void own_rows_leave(struct own_rows *self);

#endif
