#include "odd_text.h"

/* Bytes of the longest of the characters, less the first. */
#define TAIL_SIZE ((size_t)2)

/* Which kind of character begins at `at`? ODD_TEXT_COUNT: another one. */
static enum odd_text odd_text_kind(struct text text, size_t at)
{
    const unsigned char *p = (const unsigned char *)text.data + at;
    size_t size = text.size - at;

    if (size >= 2 && p[0] == 0xc2) {
        if (p[1] == 0xa0) /* U+00A0 */
            return ODD_TEXT_BLANK;
        /* The two bytes of a letter such as U+00E1, each as a character of its own. */
        if (at >= 2 && p[-2] == 0xc3 && (p[-1] == 0x82 || p[-1] == 0x83))
            return ODD_TEXT_MOJIBAKE;
    } else if (size >= 3 && p[0] == 0xe2) {
        if (p[1] == 0x80 && ((p[2] >= 0x87 && p[2] <= 0x8f) || p[2] == 0xaf)) /* U+2007..U+200F */
            return ODD_TEXT_BLANK;
        if (p[1] == 0x81 && p[2] == 0xa0) /* U+2060 */
            return ODD_TEXT_BLANK;
    }
    return ODD_TEXT_COUNT;
}

static uint64_t odd_text_count_lines(struct text text, size_t end)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < end; i++)
        lines += text.data[i] == '\n';
    return lines;
}

static void odd_text_scan_for(struct odd_text_lines *found, struct text text, size_t from,
                              uint64_t lines_before, int first_byte)
{
    const char *end = text.data + text.size;

    for (const char *p = text.data + from; p < end; p++) {
        p = memchr(p, first_byte, (size_t)(end - p));
        if (p == NULL)
            return;
        size_t at = (size_t)(p - text.data);
        enum odd_text kind = odd_text_kind(text, at);
        if (kind != ODD_TEXT_COUNT && found->lines[kind] == 0)
            found->lines[kind] = lines_before + odd_text_count_lines(text, at) + 1;
    }
}

void odd_text_scan(struct odd_text_lines *found, struct text text, size_t from,
                   uint64_t lines_before)
{
    from = from > TAIL_SIZE ? from - TAIL_SIZE : 0; /* a character that was cut */
    if (text.size == 0)
        return;
    if (found->lines[ODD_TEXT_BLANK] == 0 || found->lines[ODD_TEXT_MOJIBAKE] == 0)
        odd_text_scan_for(found, text, from, lines_before, 0xc2);
    if (found->lines[ODD_TEXT_BLANK] == 0)
        odd_text_scan_for(found, text, from, lines_before, 0xe2);
}

bool odd_text_has_blank(struct text text)
{
    for (size_t at = 0; at < text.size; at++) {
        if (odd_text_kind(text, at) == ODD_TEXT_BLANK)
            return true;
    }
    return false;
}
