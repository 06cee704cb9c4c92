/* json_print.h - writes a value of jansson's as JSON (RFC 8259): in one line, without white space,
 * members in the order in which they were added.
 *
 * The text is printable ASCII: everything else in a string is written as \uxxxx with small digits,
 * and what is not UTF-8 as U+FFFD, byte by byte. So nothing in it means something to a terminal,
 * and strings may have been made without a check. Integers are read as uint64_t, see
 * json_value_uint(). jansson's own functions for this know neither.
 */
#ifndef LOTTERY_JSON_PRINT_H
#define LOTTERY_JSON_PRINT_H

#include "buffer.h"
#include "status.h"

#include <jansson.h>
#include <stdio.h>

/* Both free `value`. */

/* NOMEM when it is NULL. That `out` cannot be written is left to ferror(). */
enum status json_print_file(json_t *value, FILE *out);

/* Appends. NOMEM when it is NULL or there is no memory: then a part may be there. */
enum status json_print_buffer(json_t *value, struct buffer *out);

#endif
