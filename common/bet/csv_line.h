/* csv_line.h - splits the lines of a CSV that need no parser: no quotes in them.
 *
 * Nearly every line of bets is such a line. What is not is refused here, and goes to a reader that
 * knows the whole format. Pure: no allocation, nothing is changed or copied.
 */
#ifndef LOTTERY_CSV_LINE_H
#define LOTTERY_CSV_LINE_H

#include "text.h"

/* Splits the first line of the `size` bytes at `text` at its commas. Returns the line's bytes, its
 * end (LF or CRLF) included, and the fields without it, which point into `text`; 0 when the line
 * has a double quote, not exactly `count` fields (at least 1), or no end within `size`. A CR
 * elsewhere than before the LF is left where it is: the caller has to refuse it. */
size_t csv_line_split(const char *text, size_t size, struct text *fields, size_t count);

#endif
