/* seal_note.h - the texts of the two notes of a sealed draw, without their signatures.
 *
 * seal.txt, from the closing, before there is a number (https://c2sp.org/tlog-checkpoint):
 *
 *     lottery/<id>
 *     <leaves of the tree: N + 1>
 *     <root in base64>
 *
 * result.txt, from the drawing:
 *
 *     lottery/<id>/result
 *     root <the same root in base64>
 *     number <the winning number>
 *     source <where it is from, or - if nothing was said>
 *     time <of the drawing>
 *     winners <how many> <SHA-256 of winners.csv in lower-case hex>
 *
 * A draw without an id has `-` for it. Each line ends with a line feed. See seal_leaf.h for numbers
 * and times.
 */
#ifndef LOTTERY_SEAL_NOTE_H
#define LOTTERY_SEAL_NOTE_H

#include "draw_id.h"
#include "merkle.h"
#include "sha256.h"
#include "status.h"
#include "text.h"

#include <stddef.h>
#include <stdint.h>

#define SEAL_KEY_NAME "lottery" /* the name of the key that signs both */
#define SEAL_SOURCE_MAX 200     /* bytes of a number's source: UTF-8 without control characters */

#define SEAL_NOTE_MAX 160   /* bytes that suffice for the text of any seal.txt */
#define RESULT_NOTE_MAX 640 /* the same for result.txt */

struct seal_note {
    char id[DRAW_ID_MAX + 1]; /* a string; empty: the draw has none */
    uint64_t leaves;          /* N + 1 */
    struct merkle_hash root;
};

struct result_note {
    char id[DRAW_ID_MAX + 1];
    struct merkle_hash root;
    uint32_t number;
    struct text source; /* borrowed; at most SEAL_SOURCE_MAX bytes; may be empty */
    uint64_t time_s;    /* seconds since 1970; at most RFC3339_LAST_S */
    uint64_t winners;   /* how many bets won */
    uint8_t winners_digest[SHA256_SIZE];
};

/* Write a text, without a NUL. Return its size. The id is one that a draw may have. */
size_t seal_note_put(const struct seal_note *note, char out[SEAL_NOTE_MAX]);
size_t result_note_put(const struct result_note *note, char out[RESULT_NOTE_MAX]);

/* Read a text, which may come from anybody. MALFORMED: it is not one, or not written as above; *out
 * may have been changed. The source points into the text; `-` is read as an empty one. */
enum status seal_note_read(struct text text, struct seal_note *out);
enum status result_note_read(struct text text, struct result_note *out);

#endif
