/* hex.h - bytes as lower-case hexadecimal digits. */
#ifndef LOTTERY_HEX_H
#define LOTTERY_HEX_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 2 * `size` digits, without a NUL. Returns what follows the last one. */
char *hex_encode(const uint8_t *bytes, size_t size, char *out);

/* Reads `size` bytes from a text of exactly 2 * `size` lower-case digits. False: it is not one, and
 * nothing is written. */
bool hex_decode(struct text text, uint8_t *out, size_t size);

#endif
