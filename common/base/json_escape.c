#include "json_escape.h"

#include <inttypes.h>
#include <stdio.h>

#define BEYOND_BMP 0x10000 /* characters from here on take two */
#define UNIT_SIZE 6        /* bytes of \uXXXX */

size_t json_escape(uint32_t character, char out[JSON_ESCAPE_SIZE])
{
    if (character == '"' || character == '\\') {
        (void)snprintf(out, JSON_ESCAPE_SIZE, "\\%c", (char)character);
        return 2;
    }
    if (character < BEYOND_BMP) {
        (void)snprintf(out, JSON_ESCAPE_SIZE, "\\u%04" PRIx32, character & 0xffff);
        return UNIT_SIZE;
    }
    const uint32_t above = (character - BEYOND_BMP) & 0xfffff;
    (void)snprintf(out, JSON_ESCAPE_SIZE, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + (above >> 10),
                   0xdc00 + (above & 0x3ff));
    return (size_t)2 * UNIT_SIZE;
}
