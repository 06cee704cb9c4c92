#include "csv_line.h"

#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK_SIZE 16 /* bytes that are looked at together */

/* Bit i is set when byte i of the block is a comma, a double quote or a line feed. */
static uint32_t find_special(const char block[BLOCK_SIZE])
{
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)block);
    __m128i found = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(','));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
    return (uint32_t)_mm_movemask_epi8(found);
#else
    uint32_t found = 0;
    for (unsigned i = 0; i < BLOCK_SIZE; i++)
        found |= (uint32_t)(block[i] == ',' || block[i] == '"' || block[i] == '\n') << i;
    return found;
#endif
}

/* The same for the last bytes of a text, fewer than a block. */
static uint32_t find_special_in_rest(const char *rest, size_t size)
{
    char block[BLOCK_SIZE] = {0};

    memcpy(block, rest, size);
    return find_special(block);
}

size_t csv_line_split(const char *text, size_t size, struct text *fields, size_t count)
{
    const char *field = text;
    size_t found = 0; /* fields that are complete */
    size_t last = count - 1;

    for (size_t at = 0; at < size; at += BLOCK_SIZE) {
        uint32_t special = size - at >= BLOCK_SIZE ? find_special(text + at)
                                                   : find_special_in_rest(text + at, size - at);
        for (; special != 0; special &= special - 1) {
            const char *p = text + at + __builtin_ctz(special);
            if (*p != (found < last ? ',' : '\n'))
                return 0;
            fields[found] = (struct text){field, (size_t)(p - field)};
            field = p + 1;
            if (found++ < last)
                continue;
            if (fields[last].size > 0 && p[-1] == '\r')
                fields[last].size--;
            return (size_t)(field - text);
        }
    }
    return 0;
}
