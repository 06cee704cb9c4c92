/* base64.h - bytes in base64: RFC 4648, section 4, the standard alphabet with padding. */
#ifndef LOTTERY_BASE64_H
#define LOTTERY_BASE64_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that `size` bytes become. */
#define BASE64_SIZE(size) (((size_t)(size) + 2) / 3 * 4)

/* Writes BASE64_SIZE(size) characters, without a NUL. Returns what follows the last one. */
char *base64_encode(const uint8_t *bytes, size_t size, char *out);

/* Is it base64 of exactly `size` bytes, in the only way to write them: no other characters, all
 * padding there, unused bits 0? Then writes these bytes, unless `out` is NULL; otherwise nothing.
 */
bool base64_decode(struct text text, uint8_t *out, size_t size);

/* How many bytes a text of this size may have: by its size and its padding. */
size_t base64_decoded_size(struct text text);

#endif
