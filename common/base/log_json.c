#include "log_json.h"

#include "json_escape.h"
#include "log_text.h"
#include "utf8_sequence.h"

#include <stdint.h>
#include <string.h>

/* What stands for the character at `p`. Returns how many bytes it has; `*taken` is how many the
 * character has. */
static size_t log_json_character(const unsigned char *p, size_t left, size_t *taken,
                                 char out[JSON_ESCAPE_SIZE])
{
    *taken = 1;
    if (*p < 0x80) {
        out[0] = (char)*p;
        return *p < 0x20 || *p == 0x7f || *p == '"' || *p == '\\' ? json_escape(*p, out) : 1;
    }
    size_t size = utf8_sequence_size(p, left);
    if (size == 0)
        return json_escape(JSON_REPLACEMENT, out);
    *taken = size;
    uint32_t character = utf8_sequence_character(p, size);
    if (log_text_is_hidden(character))
        return json_escape(character, out);
    memcpy(out, p, size);
    return size;
}

size_t log_json_copy(char *out, size_t room, const char *value, size_t size, size_t *out_taken)
{
    const unsigned char *bytes = (const unsigned char *)value;
    size_t written = 0;
    size_t at = 0;

    while (at < size) {
        char character[JSON_ESCAPE_SIZE];
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
