/* word.h - eight bytes of text at a time, for the checks that look at every byte of every bet.
 *
 * The first byte of the text is the lowest byte of the word, on every machine.
 */
#ifndef LOTTERY_WORD_H
#define LOTTERY_WORD_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORD_SIZE 8 /* bytes */

/* A word with `byte` eight times. */
#define WORD_OF(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The eight bytes at `p`. */
static inline uint64_t word_load(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return le64toh(word);
}

/* The `size` bytes at `p`, 1 to 7, followed by `filler`. Reads nothing beyond them; for some sizes
 * it reads bytes in the middle twice instead. */
static inline uint64_t word_load_part(const char *p, size_t size, unsigned char filler)
{
    uint64_t word = WORD_OF((uint64_t)filler) << (8 * size);
    uint32_t first;
    uint32_t last;

    if (size >= sizeof(first)) {
        memcpy(&first, p, sizeof(first));
        memcpy(&last, p + size - sizeof(last), sizeof(last));
        return word | le32toh(first) | (uint64_t)le32toh(last) << (8 * (size - sizeof(last)));
    }
    size_t middle = size / 2;
    return word | (unsigned char)p[0] | (uint64_t)(unsigned char)p[middle] << (8 * middle) |
           (uint64_t)(unsigned char)p[size - 1] << (8 * (size - 1));
}

/* Sets the high bit of each byte that equals `byte`, and no other bit. */
static inline uint64_t word_find(uint64_t word, unsigned char byte)
{
    uint64_t zero_at = word ^ WORD_OF(byte);

    return ~(((zero_at & WORD_OF(0x7f)) + WORD_OF(0x7f)) | zero_at) & WORD_OF(0x80);
}

#endif
