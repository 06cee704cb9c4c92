/* utf8.h - checks that bytes are printable text. */
#ifndef LOTTERY_UTF8_H
#define LOTTERY_UTF8_H

#include "text.h"

#include <stdbool.h>

/* Is `text` valid UTF-8 (RFC 3629: shortest forms, no surrogates, at most U+10FFFF) without control
 * characters (U+0000..U+001F, U+007F..U+009F)? Empty text counts as printable. */
bool utf8_is_printable(struct text text);

#endif
