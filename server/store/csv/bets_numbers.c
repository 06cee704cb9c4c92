#include "bets_numbers.h"

#include "bets_csv.h"
#include "lines.h"
#include "word.h"

#define BLOCK_SIZE LINES_BLOCK_SIZE

/* As lines_find_ends(), for the end of a text that is shorter than a block. */
static uint64_t bets_numbers_find_ends_in_rest(const char *rest, size_t size)
{
    char block[BLOCK_SIZE] = {0};

    memcpy(block, rest, size);
    return lines_find_ends(block);
}

#define BYTES_1_TO_4 UINT64_C(0x000000ffffffff00)
#define BYTES_2_TO_5 UINT64_C(0x0000ffffffff0000)

/* Reads the last eight bytes of a line if they end, as nearly all do, with a comma, one to four
 * digits, CR and LF. Returns the number, or UINT32_MAX if they do not. No branch depends on how
 * many digits there are: the processor could not predict it. */
static inline uint32_t bets_numbers_read_tail(const char *tail)
{
    uint64_t word = word_load(tail);
    uint64_t commas = word_find(word, ',') & BYTES_1_TO_4;

    if (commas == 0 || word >> 48 != ('\r' | '\n' << 8))
        return UINT32_MAX;
    /* Up to the last comma all becomes 0, as if the number had four digits. */
    unsigned comma_end = 64 - (unsigned)__builtin_clzll(commas); /* in bits */
    uint64_t digits = (word ^ WORD_OF('0')) & BYTES_2_TO_5;
    digits = digits >> comma_end << comma_end;
    if (((digits | (digits + WORD_OF(0x76))) & WORD_OF(0x80)) != 0)
        return UINT32_MAX;                    /* one of them is more than 9 */
    uint32_t four = (uint32_t)(digits >> 16); /* the first digit is the lowest byte */
    uint32_t two = four * 10 + (four >> 8);   /* of two digits each: the bytes 0 and 2 */
    return (two & 0xff) * 100 + (two >> 16 & 0xff);
}

/* Where the first line ends whose line feed is in `ends`, which begins at byte `at`. */
static inline uint32_t bets_numbers_first_end(uint64_t ends, size_t at)
{
    return (uint32_t)(at + (size_t)__builtin_ctzll(ends | UINT64_C(1) << 63) + 1);
}

/* Writes where the lines end whose line feeds are in `ends`. Returns how many. Most blocks have one
 * or two of them, and which cannot be predicted: so there is no branch up to two. */
static inline size_t bets_numbers_put_ends(uint64_t ends, size_t at, struct bets_number *out)
{
    uint64_t after_first = ends & (ends - 1);
    uint64_t after_second = after_first & (after_first - 1);
    size_t count = (size_t)(ends != 0) + (size_t)(after_first != 0);

    out[0].end = bets_numbers_first_end(ends, at);
    out[1].end = bets_numbers_first_end(after_first, at);
    for (ends = after_second; ends != 0; ends &= ends - 1)
        out[count++].end = bets_numbers_first_end(ends, at);
    return count;
}

/* Sets the numbers of lines whose ends are known. Returns how many lines have one, up to the first
 * that has none. */
static size_t bets_numbers_read_lines(const char *text, struct bets_number *lines, size_t count)
{
    size_t line = 0; /* where it begins */

    for (size_t i = 0; i < count; i++) {
        size_t end = lines[i].end;
        uint32_t number = UINT32_MAX;
        if (end - line >= WORD_SIZE)
            number = bets_numbers_read_tail(text + end - WORD_SIZE);
        if (number == UINT32_MAX && bets_csv_parse_number(text + line, end - line, &number) == 0)
            return i;
        lines[i].number = number;
        line = end;
    }
    return count;
}

size_t bets_numbers_read(const char *text, size_t size, struct bets_number out[BETS_NUMBERS])
{
    size_t count = 0;

    for (size_t at = 0; at < size && count <= BETS_NUMBERS - BLOCK_SIZE; at += BLOCK_SIZE) {
        uint64_t ends = size - at >= BLOCK_SIZE
                            ? lines_find_ends(text + at)
                            : bets_numbers_find_ends_in_rest(text + at, size - at);
        count += bets_numbers_put_ends(ends, at, out + count);
    }
    return bets_numbers_read_lines(text, out, count);
}
