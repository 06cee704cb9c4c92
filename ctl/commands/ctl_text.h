/* ctl_text.h - texts of the server for people, and the forms in which values are shown. */
#ifndef LOTTERY_CTL_TEXT_H
#define LOTTERY_CTL_TEXT_H

#include "rfc3339.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Writes a text so that it cannot change what a terminal does or shows: controls, line separators
 * and marks of direction become blanks, what is not UTF-8 becomes '?'. */
void ctl_text_print(FILE *out, const char *text);

/* Writes `size` bytes in base64, the standard alphabet with padding, as notes have it. */
void ctl_text_print_base64(FILE *out, const uint8_t *bytes, size_t size);

#endif
