#include "utf8.h"

#include "utf8_sequence.h"
#include "word.h"

#include <stdint.h>

#define LATIN_LEAD 0xc3

/* Size of the printable character at `p`, 0 when there is none within `left` bytes. */
static size_t utf8_character_size(const unsigned char *p, size_t left)
{
    if (*p < 0x80)
        return *p >= 0x20 && *p != 0x7f;
    if (p[0] == 0xc2 && left > 1 && p[1] < 0xa0) /* C1 controls */
        return 0;
    return utf8_sequence_size(p, left);
}

/* Advances by whole characters to `until` or slightly beyond; returns NULL at an invalid one. */
static const char *utf8_skip_characters(const char *p, const char *until, const char *end)
{
    while (p < until) {
        size_t size = utf8_character_size((const unsigned char *)p, (size_t)(end - p));
        if (size == 0)
            return NULL;
        p += size;
    }
    return p;
}

/* Only printable ASCII? If the word has no high bit, subtracting 0x20 sets the high bit of a byte
 * below 0x20, and adding 1 sets that of 0x7f. */
static bool utf8_is_ascii(uint64_t word)
{
    return ((word | (word - WORD_OF(0x20)) | (word + WORD_OF(1))) & WORD_OF(0x80)) == 0;
}

/* Only printable ASCII and the letters of U+00C0..U+00FF, which are 0xc3 and one more byte? Nearly
 * all names in the country are. */
static bool utf8_is_latin(uint64_t word)
{
    uint64_t high = word & WORD_OF(0x80);
    uint64_t lead = word_find(word, LATIN_LEAD);
    uint64_t after_lead = lead << 8;
    uint64_t continuing = high & ~(word << 1); /* 10xxxxxx */
    uint64_t high_bytes = (high >> 7) * 0xff;

    return lead >> 63 == 0 && high == (lead | after_lead) && (after_lead & ~continuing) == 0 &&
           utf8_is_ascii((word & ~high_bytes) | (WORD_OF(' ') & high_bytes));
}

bool utf8_is_printable(struct text text)
{
    const char *p = text.data;
    const char *end = p + text.size;

    while (p < end) {
        size_t left = (size_t)(end - p);
        const char *next = left < WORD_SIZE ? end : p + WORD_SIZE;
        uint64_t word = left < WORD_SIZE ? word_load_part(p, left, ' ') : word_load(p);
        if (!utf8_is_latin(word))
            next = utf8_skip_characters(p, next, end);
        if (next == NULL)
            return false;
        p = next;
    }
    return true;
}
