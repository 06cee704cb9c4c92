#include "csv_line.h"

#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bytes examined together. Most lines are shorter, so a block has a whole line, and every line has
 * the same number of commas: the processor then predicts the branches of csv_line_split(). */
#define BLOCK_SIZE 64

/* Bit i is set when byte i of the block is a comma, a double quote or a line feed. */
static uint64_t csv_line_find_special(const char block[BLOCK_SIZE])
{
    uint64_t special = 0;

#ifdef __SSE2__
    for (unsigned i = 0; i < BLOCK_SIZE; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(block + i));
        __m128i found = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(','));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
        special |= (uint64_t)(uint32_t)_mm_movemask_epi8(found) << i;
    }
#else
    for (unsigned i = 0; i < BLOCK_SIZE; i++)
        special |= (uint64_t)(block[i] == ',' || block[i] == '"' || block[i] == '\n') << i;
#endif
    return special;
}

/* The same for the end of a text that is shorter than a block. */
static uint64_t csv_line_find_special_in_rest(const char *rest, size_t size)
{
    char block[BLOCK_SIZE] = {0};

    memcpy(block, rest, size);
    return csv_line_find_special(block);
}

size_t csv_line_split(const char *text, size_t size, struct text *fields, size_t count)
{
    const char *field = text;
    size_t found = 0; /* fields that are complete */
    size_t last = count - 1;

    for (size_t at = 0; at < size; at += BLOCK_SIZE) {
        uint64_t special = size - at >= BLOCK_SIZE
                               ? csv_line_find_special(text + at)
                               : csv_line_find_special_in_rest(text + at, size - at);
        for (; special != 0; special &= special - 1) {
            const char *p = text + at + __builtin_ctzll(special);
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
