/* word.h - eight bytes of text at a time.
 *
 * For the checks that every byte of every bet goes through. The order of the bytes in a word does
 * not matter to any of them: all bytes are treated alike, or compared with a word loaded the same
 * way.
 */
#ifndef LOTTERY_WORD_H
#define LOTTERY_WORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORD_SIZE 8 /* bytes */

/* A word of eight times the same byte. */
#define WORD_OF(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The eight bytes at `p`. */
static inline uint64_t word_load(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

/* All of `size` bytes at `p`, 4 to 7; some of them twice. */
static inline uint64_t word_load_short(const char *p, size_t size)
{
    uint32_t first;
    uint32_t last;

    memcpy(&first, p, sizeof(first));
    memcpy(&last, p + size - sizeof(last), sizeof(last));
    return (uint64_t)last << 32 | first;
}

/* The high bit of some byte is set when one of them is `byte`; 0 when none is. */
static inline uint64_t word_find(uint64_t word, unsigned char byte)
{
    uint64_t zero_at = word ^ WORD_OF(byte);

    return (zero_at - WORD_OF(1)) & ~zero_at & WORD_OF(0x80);
}

#endif
