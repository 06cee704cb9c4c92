#include "log_json.h"

#include "log_text.h"
#include "utf8_sequence.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ESCAPE_SIZE 6                             /* bytes of \uXXXX */
#define ESCAPED_MAX (size_t)(2 * ESCAPE_SIZE + 1) /* of what one character becomes, with a NUL */

/* As one \uXXXX, or as two for a character above U+FFFF. Returns how many bytes. */
static size_t log_json_escape(uint32_t character, char out[ESCAPED_MAX])
{
    if (character < 0x10000) {
        (void)snprintf(out, ESCAPED_MAX, "\\u%04" PRIx32, character & 0xffff);
        return ESCAPE_SIZE;
    }
    const uint32_t above = (character - 0x10000) & 0xfffff;
    (void)snprintf(out, ESCAPED_MAX, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + (above >> 10),
                   0xdc00 + (above & 0x3ff));
    return (size_t)2 * ESCAPE_SIZE;
}

/* What stands for the character at `p`. Returns how many bytes it has; `*taken` is how many the
 * character has. */
static size_t log_json_character(const unsigned char *p, size_t left, size_t *taken,
                                 char out[ESCAPED_MAX])
{
    *taken = 1;
    if (*p == '"' || *p == '\\') {
        out[0] = '\\';
        out[1] = (char)*p;
        return 2;
    }
    if (*p < 0x80) {
        out[0] = (char)*p;
        return *p < 0x20 || *p == 0x7f ? log_json_escape(*p, out) : 1;
    }
    size_t size = utf8_sequence_size(p, left);
    if (size == 0)
        return log_json_escape(0xfffd, out);
    *taken = size;
    uint32_t character = utf8_sequence_character(p, size);
    if (log_text_is_hidden(character))
        return log_json_escape(character, out);
    memcpy(out, p, size);
    return size;
}

size_t log_json_copy(char *out, size_t room, const char *value, size_t size, size_t *out_taken)
{
    const unsigned char *bytes = (const unsigned char *)value;
    size_t written = 0;
    size_t at = 0;

    while (at < size) {
        char character[ESCAPED_MAX];
        size_t taken;
        size_t needed = log_json_character(bytes + at, size - at, &taken, character);
        if (needed > room - written)
            break;
        memcpy(out + written, character, needed);
        written += needed;
        at += taken;
    }
    *out_taken = at;
    return written;
}
