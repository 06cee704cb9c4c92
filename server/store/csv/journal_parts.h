/* journal_parts.h - what the records of a draw and a checkpoint have in common; for the two files
 * that make them.
 */
#ifndef LOTTERY_STORE_JOURNAL_PARTS_H
#define LOTTERY_STORE_JOURNAL_PARTS_H

#include "journal.h"

#define AGENCIES_MAX 1000000 /* far more than any setting allows, and no danger for the memory */

/* A record: checksum of all that follows it, except lines. */
enum {
    AT_CRC = 0,
    AT_SIZE = 4,  /* u32: of the whole record */
    AT_TYPE = 8,  /* u8 */
    AT_FLAGS = 9, /* u8, then six bytes of zero */
    AT_SELF = 16,
    AT_STAMP = 24,
    AT_SYNCED = 32,
    AT_BETS_SYNCED = 40,
    AT_BODY = 48
};

/* The sizes of bodies. That of an act, and of a long drawing, is this and a text, rounded up. */
enum {
    BODY_NUMBERS = 8,
    BODY_OPENED = 96, /* the long form */
    BODY_BETS = 32,
    BODY_FINISHED = 16,
    BODY_CLOSED = 64,
    BODY_SEALED = 40,
    BODY_DRAWN = 32, /* the short form */
    BODY_DRAWN_LONG = 72,
    BODY_ACT = 16
};

/* The next multiple of 8. */
static inline size_t journal_round_up(size_t size)
{
    return (size + 7) / 8 * 8;
}

/* Is there nothing in them, as in a draw that nobody runs? Then they are not written. */
bool journal_is_plain(const struct draw_terms *terms);

/* The body of a closing. */
void journal_put_closed(uint8_t *body, const struct draw_closed *closed);
void journal_get_closed(const uint8_t *body, struct draw_closed *out);

/* The body of a drawing in its short form. */
void journal_put_drawn(uint8_t *body, const struct draw_drawn *drawn);
void journal_get_drawn(const uint8_t *body, struct draw_drawn *out);

/* The bodies of DRAW_OPENED and DRAW_DRAWING in their long forms, of DRAW_SEALING and DRAW_ACT. The
 * size is a multiple of 8. journal_get_more() sets the member of the union that record->type says;
 * false when the `size` bytes are not what journal_put_more() would write of it. Texts are in
 * `body`. */
size_t journal_size_of_more(const struct draw_record *record);
void journal_put_more(const struct draw_record *record, uint8_t *body);
bool journal_get_more(const uint8_t *body, size_t size, struct draw_record *record);

/* Fills in what the first `size` bytes of a record lack: where it stands, and its checksum. */
void journal_seal_fixed(uint8_t *record, size_t size, const struct journal_mark *mark);

#endif
