/* json_escape.h - a character as an escape within a string of JSON (RFC 8259, section 7). */
#ifndef LOTTERY_JSON_ESCAPE_H
#define LOTTERY_JSON_ESCAPE_H

#include <stddef.h>
#include <stdint.h>

#define JSON_ESCAPE_SIZE 13     /* bytes of any escape, with its NUL */
#define JSON_REPLACEMENT 0xfffd /* the character that stands for what is not UTF-8 */

/* Writes a backslash and the character for a quote and a backslash, and \u with four hexadecimal
 * digits for any other, twice for one above U+FFFF. `character` is at most U+10FFFF. Returns how
 * many bytes that are, without the NUL. */
size_t json_escape(uint32_t character, char out[JSON_ESCAPE_SIZE]);

#endif
