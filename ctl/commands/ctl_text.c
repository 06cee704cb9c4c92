#include "ctl_text.h"

#include "log_text.h"

#include <string.h>

#define PIECE 256 /* bytes made safe at a time */

/* A part without '|', which lines of the log may not have, but we may. */
static void ctl_text_print_part(FILE *out, const char *text, size_t size)
{
    char safe[PIECE];

    while (size > 0) {
        size_t taken;
        size_t safe_size = log_text_copy(safe, sizeof(safe), text, size, &taken);
        (void)fwrite(safe, 1, safe_size, out);
        text += taken;
        size -= taken;
    }
}

void ctl_text_print(FILE *out, const char *text)
{
    for (;;) {
        const size_t size = strcspn(text, "|");
        ctl_text_print_part(out, text, size);
        if (text[size] == '\0')
            return;
        (void)fputc('|', out);
        text += size + 1;
    }
}

void ctl_text_print_base64(FILE *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t at = 0; at < size; at += 3) {
        const size_t left = size - at;
        uint32_t three = (uint32_t)bytes[at] << 16;
        if (left > 1)
            three |= (uint32_t)bytes[at + 1] << 8;
        if (left > 2)
            three |= bytes[at + 2];
        for (size_t i = 0; i < 4; i++)
            (void)fputc(i <= left ? digits[three >> (18 - 6 * i) & 63] : '=', out);
    }
}
