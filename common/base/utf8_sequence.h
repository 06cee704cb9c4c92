/* utf8_sequence.h - one character in UTF-8. */
#ifndef LOTTERY_UTF8_SEQUENCE_H
#define LOTTERY_UTF8_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

/* Size of the well-formed sequence at `p` (RFC 3629, section 4), 0 when there is none within `left`
 * bytes. Only for lead bytes >= 0x80. */
static inline size_t utf8_sequence_size(const unsigned char *p, size_t left)
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

/* The character of a well-formed sequence of two to four bytes. */
static inline uint32_t utf8_sequence_character(const unsigned char *p, size_t size)
{
    uint32_t character = p[0] & (0xffu >> (size + 1));

    for (size_t i = 1; i < size; i++)
        character = character << 6 | (p[i] & 0x3f);
    return character;
}

#endif
