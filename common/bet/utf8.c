#include "utf8.h"

#include "word.h"

#include <stdint.h>

/* Length of the well-formed sequence at `p` (RFC 3629, the table of section 4), 0 when there is
 * none within `left` bytes. Only for lead bytes >= 0x80. */
static size_t sequence_size(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t size;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        size = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        size = 3;
        if (p[0] == 0xe0)
            low = 0xa0; /* no overlong forms */
        else if (p[0] == 0xed)
            high = 0x9f; /* no surrogates */
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        size = 4;
        if (p[0] == 0xf0)
            low = 0x90;
        else if (p[0] == 0xf4)
            high = 0x8f; /* nothing above U+10FFFF */
    } else {
        return 0;
    }
    if (size > left || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

/* Length of the printable character at `p`, 0 when there is none within `left` bytes. */
static size_t character_size(const unsigned char *p, size_t left)
{
    if (*p < 0x80)
        return *p >= 0x20 && *p != 0x7f;
    if (p[0] == 0xc2 && left > 1 && p[1] < 0xa0) /* C1 controls */
        return 0;
    return sequence_size(p, left);
}

/* Goes on by whole characters up to `until` or a little beyond; false at one that is none. */
static bool skip_characters(const char **p, const char *until, const char *end)
{
    while (*p < until) {
        size_t size = character_size((const unsigned char *)*p, (size_t)(end - *p));
        if (size == 0)
            return false;
        *p += size;
    }
    return true;
}

/* Printable ASCII alone? With no high bit in the word, taking 0x20 from a byte sets its high bit
 * when it was below, and adding 1 does when it was 0x7f. */
static bool is_plain(uint64_t word)
{
    return ((word | (word - WORD_OF(0x20)) | (word + WORD_OF(1))) & WORD_OF(0x80)) == 0;
}

bool utf8_is_printable(struct text text)
{
    const char *p = text.data;
    const char *end = p + text.size;

    if (text.size >= 4 && text.size < WORD_SIZE && is_plain(word_load_short(p, text.size)))
        return true;
    while (end - p >= WORD_SIZE) {
        const char *next = p + WORD_SIZE;
        if (is_plain(word_load(p)))
            p = next;
        else if (!skip_characters(&p, next, end))
            return false;
    }
    /* The last bytes go with some that were looked at already. */
    if (text.size >= WORD_SIZE && is_plain(word_load(end - WORD_SIZE)))
        return true;
    return skip_characters(&p, end, end);
}
