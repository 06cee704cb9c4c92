/* odd_text.h - notices characters that a valid bet may have, but that nobody has typed.
 *
 * They look like blanks or like nothing, or show that a program took the file for one in another
 * encoding. Pure.
 */
#ifndef LOTTERY_ODD_TEXT_H
#define LOTTERY_ODD_TEXT_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum odd_text {
    ODD_TEXT_BLANK,    /* a no-break space, or one of no width */
    ODD_TEXT_MOJIBAKE, /* UTF-8 that was decoded as Windows-1252 and encoded again */
    ODD_TEXT_COUNT
};

/* The line of the first character of each kind, from 1; 0 = none so far. */
struct odd_text_lines {
    uint64_t lines[ODD_TEXT_COUNT];
};

/* Looks through `text` from byte `from` on; `lines_before` lines end before the text. Only the
 * first find of each kind is kept, so a caller may pass bytes again. */
void odd_text_scan(struct odd_text_lines *found, struct text text, size_t from,
                   uint64_t lines_before);

/* Does the text have a character of the kind ODD_TEXT_BLANK? */
bool odd_text_has_blank(struct text text);

#endif
