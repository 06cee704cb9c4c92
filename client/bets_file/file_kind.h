/* file_kind.h - recognises, by its first bytes, a file that is no CSV in the encoding expected.
 * Pure.
 */
#ifndef LOTTERY_FILE_KIND_H
#define LOTTERY_FILE_KIND_H

#include "bets_format.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>

#define FILE_KIND_HEAD 1024    /* bytes of the file that are enough */
#define FILE_KIND_TEXT_MAX 256 /* bytes of the longest text, with its NUL */

/* Is the file that begins with `head` something else than text in this encoding? Then says what it
 * is and what to do, in `out`. */
bool file_kind_describe(struct text head, enum bets_encoding encoding,
                        char out[FILE_KIND_TEXT_MAX]);

#endif
