/* row_checksum.h - the checksum of an agency's rows, as the central computes it of its bets.
 *
 * See bets_checksum.h for what it is over. Nearly all rows are already written as in bets.csv, but
 * for the agency's id in front and the line's end: those are copied. The lines are collected, as a
 * long text is checked faster than many short ones. No I/O, no allocation.
 */
#ifndef LOTTERY_ROW_CHECKSUM_H
#define LOTTERY_ROW_CHECKSUM_H

#include "bet.h"
#include "bet_line.h"
#include "text.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ROW_CHECKSUM_BUFFER ((size_t)16 * 1024)
#define ROW_CHECKSUM_PREFIX 16 /* more than any, so that a copy has a fixed size */
/* For the longest line, and a prefix that is copied in its whole length. */
#define ROW_CHECKSUM_ROOM ((size_t)BET_LINE_MAX + ROW_CHECKSUM_PREFIX)

struct row_checksum {
    uint32_t agency;
    uint32_t value;     /* of all lines but those in the buffer */
    size_t prefix_size; /* bytes of what each line begins with */
    char prefix[ROW_CHECKSUM_PREFIX];
    size_t size; /* bytes in the buffer */
    char lines[ROW_CHECKSUM_BUFFER];
};

/* Begins without rows. */
void row_checksum_init(struct row_checksum *self, uint32_t agency);

/* Continues the checksum over the buffer, which is empty then. */
void row_checksum_flush(struct row_checksum *self);

/* Adds a row that was written with commas, without quotes and without needless zeros in its number;
 * `row` is its text from the first name to the number. Here because it is called for every bet. */
static inline void row_checksum_add_plain(struct row_checksum *self, struct text row)
{
    if (self->size > ROW_CHECKSUM_BUFFER - ROW_CHECKSUM_ROOM)
        row_checksum_flush(self);
    char *out = self->lines + self->size;
    memcpy(out, self->prefix, sizeof(self->prefix)); /* of a fixed size: one instruction */
    out += self->prefix_size;
    memcpy(out, row.data, row.size);
    out += row.size;
    *out++ = '\r';
    *out++ = '\n';
    self->size = (size_t)(out - self->lines);
}

/* Adds any other valid row. */
void row_checksum_add(struct row_checksum *self, const struct bet *bet);

/* The checksum of the rows so far. */
uint32_t row_checksum_value(struct row_checksum *self);

/* Goes back to what row_checksum_value() has returned after some earlier row. */
void row_checksum_restart(struct row_checksum *self, uint32_t value);

#endif
