/* decoder.h - turns a file's bytes into UTF-8, with the C library's iconv.
 *
 * Only encodings without a state are used, so that reading can begin at any character. What is not
 * valid in the encoding becomes the byte DECODER_INVALID, which no valid text has.
 */
#ifndef LOTTERY_DECODER_H
#define LOTTERY_DECODER_H

#include "bets_format.h"
#include "status.h"
#include "text.h"

#include <stddef.h>
#include <stdint.h>

#define DECODER_INVALID 0xff
#define DECODER_ROOM ((size_t)4) /* bytes of output that one character can need */

struct decoder;

/* Prepares for a file that begins with `head`; any encoding but UTF-8. STATUS_NOTFOUND when the C
 * library does not know it, STATUS_NOMEM. The caller closes it. */
enum status decoder_open(enum bets_encoding encoding, struct text head, struct decoder **out);

/* Frees it. NULL is fine. */
void decoder_close(struct decoder *decoder);

/* Decodes bytes of the file, which begin at a character, into `out`, whose size is at least
 * DECODER_ROOM. Returns how many bytes of `in` were used, at least 1 if there are any, and sets
 * *written. A character that is cut at the end of `in` is left for the next call, but is invalid if
 * it is all there is. */
size_t decoder_decode(struct decoder *decoder, struct text in, char *out, size_t size,
                      size_t *written);

/* How many bytes of the file gave this decoded text of whole characters. */
uint64_t decoder_source_size(const struct decoder *decoder, struct text decoded);

#endif
