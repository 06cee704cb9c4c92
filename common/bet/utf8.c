#include "utf8.h"

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

bool utf8_is_printable(struct text text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    size_t left = text.size;

    while (left > 0) {
        size_t size = 1;
        if (*p < 0x20 || *p == 0x7f)
            return false;
        if (*p >= 0x80) {
            size = sequence_size(p, left);
            if (size == 0 || (p[0] == 0xc2 && p[1] < 0xa0)) /* C1 controls */
                return false;
        }
        p += size;
        left -= size;
    }
    return true;
}
