/* csv_line.h - splits CSV lines without quotes, which need no full parser.
 *
 * Nearly every line of bets is like that. Other lines are refused here, and the caller gives them
 * to a parser of the whole format. Pure: no allocation, nothing is changed or copied.
 */
#ifndef LOTTERY_CSV_LINE_H
#define LOTTERY_CSV_LINE_H

#include "text.h"

/* Splits the first line of the `size` bytes at `text` at its commas. Returns the size of the line
 * including its end (LF or CRLF); `fields`, without the line end, point into `text`. Returns 0 when
 * the line has a double quote, does not have exactly `count` fields (at least 1), or has no end
 * within `size`. A CR that is not before the LF stays in its field: the caller has to refuse it. */
size_t csv_line_split(const char *text, size_t size, struct text *fields, size_t count);

#endif
