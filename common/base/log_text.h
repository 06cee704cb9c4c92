/* log_text.h - makes foreign text safe for a line of the log. */
#ifndef LOTTERY_LOG_TEXT_H
#define LOTTERY_LOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies `value` to `out` so that it can neither look like another detail or another line, nor
 * change how a terminal or an editor shows the line: '|' becomes '/'; a byte that is not part of
 * valid UTF-8 becomes '?'; controls (U+0000..U+001F, U+007F..U+009F), line separators and
 * characters that show nothing or change the direction of text become a blank each. Copies only
 * whole characters. Returns how many bytes were written, at most `room`; `*out_taken` is how many
 * of the `size` bytes of `value` they stand for: fewer than `size` when the rest does not fit. */
size_t log_text_copy(char *out, size_t room, const char *value, size_t size, size_t *out_taken);

/* Is this a character outside ASCII that becomes a blank? */
bool log_text_is_hidden(uint32_t character);

#endif
