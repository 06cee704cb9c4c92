/* lines.h - finds the ends of lines, many bytes at a time. Pure. */
#ifndef LOTTERY_STORE_LINES_H
#define LOTTERY_STORE_LINES_H

#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LINES_BLOCK_SIZE 64 /* bytes that are looked at together */

/* Bit i is set when byte i of 16 is a line feed. */
static inline uint64_t lines_find_ends_in_16(const char *bytes)
{
#ifdef __SSE2__
    __m128i found =
        _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)bytes), _mm_set1_epi8('\n'));
    return (uint32_t)_mm_movemask_epi8(found);
#else
    uint64_t ends = 0;
    for (unsigned i = 0; i < 16; i++)
        ends |= (uint64_t)(bytes[i] == '\n') << i;
    return ends;
#endif
}

/* The same for a block of LINES_BLOCK_SIZE bytes. */
static inline uint64_t lines_find_ends(const char *block)
{
    return lines_find_ends_in_16(block) | lines_find_ends_in_16(block + 16) << 16 |
           lines_find_ends_in_16(block + 32) << 32 | lines_find_ends_in_16(block + 48) << 48;
}

#endif
