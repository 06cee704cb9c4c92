/* log_json.h - makes foreign text safe for a string in JSON. */
#ifndef LOTTERY_LOG_JSON_H
#define LOTTERY_LOG_JSON_H

#include <stddef.h>

/* Copies `value` to `out` as the inside of a JSON string (RFC 8259, section 7), so that whoever
 * reads it gets the same text again: \" and \\ for these two, \u and four hexadecimal digits for
 * controls, line separators and the other characters that log_text_copy() hides (two of these for
 * one above U+FFFF), so that the line can be shown as it is. A byte that is not part of valid UTF-8
 * becomes \ufffd. Copies only whole characters. Returns how many bytes were written, at most
 * `room`; `*out_taken` is how many of the `size` bytes of `value` they stand for: fewer than `size`
 * when the rest does not fit. */
size_t log_json_copy(char *out, size_t room, const char *value, size_t size, size_t *out_taken);

#endif
