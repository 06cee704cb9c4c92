/* text_reader.h - reads a text of a fixed form, strictly; for the files of this module.
 *
 * What does not have the form makes the reader bad, and it stays so: whoever reads asks once, at
 * the end. A bad reader returns empty texts and 0.
 */
#ifndef LOTTERY_TEXT_READER_H
#define LOTTERY_TEXT_READER_H

#include "text.h"

#include <stdbool.h>
#include <stdint.h>

struct text_reader {
    struct text rest; /* borrowed: what has not been read yet */
    bool is_bad;
};

/* Reads exactly this. */
void text_reader_literal(struct text_reader *reader, const char *literal);

/* Reads a decimal number of 0..max without leading zeros. */
uint64_t text_reader_number(struct text_reader *reader, uint64_t max);

/* Reads `size` bytes in lower-case hexadecimal. */
void text_reader_hex(struct text_reader *reader, uint8_t *out, size_t size);

/* Reads `size` bytes in base64. */
void text_reader_base64(struct text_reader *reader, uint8_t *out, size_t size);

/* Reads a time as rfc3339_format() writes it, in seconds since 1970. */
uint64_t text_reader_time(struct text_reader *reader);

/* Reads up to the next `end`, which must come, and that byte, too; returns what is before it. */
struct text text_reader_until(struct text_reader *reader, char end);

/* Reads `id`, the id of a draw or `-` for none, up to the byte `end`, and that byte. Writes it as a
 * string, empty for none. */
void text_reader_id(struct text_reader *reader, char end, char *id);

/* Has all been read, and was all of it as it should be? */
bool text_reader_is_done(const struct text_reader *reader);

#endif
