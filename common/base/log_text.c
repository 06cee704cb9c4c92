#include "log_text.h"

#include "utf8_sequence.h"

#include <string.h>

/* Characters outside ASCII that are replaced, in order. */
static const struct {
    uint32_t first;
    uint32_t last;
} hidden[] = {
    {0x80, 0x9f},       /* C1 controls; U+0085 ends a line */
    {0xad, 0xad},       /* soft hyphen */
    {0x61c, 0x61c},     /* Arabic letter mark */
    {0x180e, 0x180e},   /* Mongolian vowel separator */
    {0x200b, 0x200f},   /* of no width; marks of direction */
    {0x2028, 0x202e},   /* separators of lines and paragraphs; embedding and override */
    {0x2060, 0x206f},   /* of no width; isolates */
    {0xfeff, 0xfeff},   /* byte order mark */
    {0xfff9, 0xfffb},   /* interlinear annotation */
    {0xfffe, 0xffff},   /* not characters */
    {0xe0000, 0xe007f}, /* tags */
};

bool log_text_is_hidden(uint32_t character)
{
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]) && hidden[i].first <= character;
         i++) {
        if (character <= hidden[i].last)
            return true;
    }
    return false;
}

/* What replaces the character at `p`, or 0: nothing. `*out_size` is how many bytes it has. */
static char log_text_replacement(const unsigned char *p, size_t left, size_t *out_size)
{
    *out_size = 1;
    if (*p == '|')
        return '/';
    if (*p < 0x80)
        return *p < 0x20 || *p == 0x7f ? ' ' : '\0';
    size_t size = utf8_sequence_size(p, left);
    if (size == 0)
        return '?';
    *out_size = size;
    return log_text_is_hidden(utf8_sequence_character(p, size)) ? ' ' : '\0';
}

size_t log_text_copy(char *out, size_t room, const char *value, size_t size, size_t *out_taken)
{
    const unsigned char *bytes = (const unsigned char *)value;
    size_t written = 0;
    size_t at = 0;

    while (at < size) {
        size_t taken;
        char replacement = log_text_replacement(bytes + at, size - at, &taken);
        size_t needed = replacement != '\0' ? 1 : taken;
        if (needed > room - written)
            break;
        if (replacement != '\0')
            out[written] = replacement;
        else if (taken == 1)
            out[written] = value[at];
        else
            memcpy(out + written, value + at, taken);
        written += needed;
        at += taken;
    }
    *out_taken = at;
    return written;
}
