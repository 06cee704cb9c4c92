/* CRC-32C: with the processor's instruction where there is one, else with tables. */
#include "crc32c.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

/* The checksum is the remainder of a division of polynomials over GF(2), bits reversed: what a byte
 * does to it is the sum (exclusive or) of what its bits do. So each entry of a table follows from
 * the eight for single bits, k0 for the lowest. */
#define ENTRY(i, k0, k1, k2, k3, k4, k5, k6, k7)                                                   \
    (((i)&1 ? (k0) : 0u) ^ ((i)&2 ? (k1) : 0u) ^ ((i)&4 ? (k2) : 0u) ^ ((i)&8 ? (k3) : 0u) ^       \
     ((i)&16 ? (k4) : 0u) ^ ((i)&32 ? (k5) : 0u) ^ ((i)&64 ? (k6) : 0u) ^ ((i)&128 ? (k7) : 0u))
#define ENTRIES_4(i, ...)                                                                          \
    ENTRY(i, __VA_ARGS__), ENTRY((i) + 1, __VA_ARGS__), ENTRY((i) + 2, __VA_ARGS__),               \
        ENTRY((i) + 3, __VA_ARGS__)
#define ENTRIES_16(i, ...)                                                                         \
    ENTRIES_4(i, __VA_ARGS__), ENTRIES_4((i) + 4, __VA_ARGS__), ENTRIES_4((i) + 8, __VA_ARGS__),   \
        ENTRIES_4((i) + 12, __VA_ARGS__)
#define ENTRIES_64(i, ...)                                                                         \
    ENTRIES_16(i, __VA_ARGS__), ENTRIES_16((i) + 16, __VA_ARGS__),                                 \
        ENTRIES_16((i) + 32, __VA_ARGS__), ENTRIES_16((i) + 48, __VA_ARGS__)
#define TABLE(...)                                                                                 \
    {                                                                                              \
        ENTRIES_64(0, __VA_ARGS__), ENTRIES_64(64, __VA_ARGS__), ENTRIES_64(128, __VA_ARGS__),     \
            ENTRIES_64(192, __VA_ARGS__)                                                           \
    }

/* tables[k][b]: what the byte b does to the checksum when k more bytes follow it. The 64 numbers
 * are one sequence, from the end of the first row backwards, then of the second, and so on: each is
 * the one before it, shifted right by a bit, plus the polynomial 0x82f63b78 if that bit was 1. */
static const uint32_t tables[8][256] = {
    TABLE(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc,
          0x82f63b78),
    TABLE(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604,
          0xfbc3faf9),
    TABLE(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9,
          0x8b277743),
    TABLE(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7,
          0x52a0c93f),
    TABLE(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae,
          0x6ea2d55c),
    TABLE(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb,
          0x1c08b7d6),
    TABLE(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a,
          0xf56e0ef4),
    TABLE(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32,
          0x34019664),
};

uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;

    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        word = le64toh(word) ^ crc;
        crc = tables[7][word & 0xff] ^ tables[6][word >> 8 & 0xff] ^ tables[5][word >> 16 & 0xff] ^
              tables[4][word >> 24 & 0xff] ^ tables[3][word >> 32 & 0xff] ^
              tables[2][word >> 40 & 0xff] ^ tables[1][word >> 48 & 0xff] ^ tables[0][word >> 56];
    }
    while (size-- > 0)
        crc = crc >> 8 ^ tables[0][(crc ^ *p++) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)

#include <nmmintrin.h>
#include <wmmintrin.h>

/* An instruction takes three cycles, but three can be under way at once: so three neighbouring
 * pieces are summed side by side. PIECE is a compromise between short inputs, which get no such
 * pieces, and the joining. */
#define PIECE ((size_t)256)
#define SHIFT_1 0xb9e02b86u /* x^(8 * PIECE - 33): moves a sum across one piece */
#define SHIFT_2 0xdd7e3b0cu /* x^(16 * PIECE - 33): across two */

/* The product of two polynomials, not yet reduced: one more CRC instruction does that. */
__attribute__((target("pclmul"))) static inline uint64_t crc32c_multiply(uint64_t sum,
                                                                         uint32_t power)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)sum), _mm_cvtsi32_si128((int)power), 0);

    return (uint64_t)_mm_cvtsi128_si64(product);
}

static inline uint64_t crc32c_load(const unsigned char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
crc32c_instruction(uint32_t crc, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    uint64_t sum = ~crc;

    for (; size >= 3 * PIECE; size -= 3 * PIECE, p += 2 * PIECE) {
        uint64_t second = 0;
        uint64_t third = 0;
        for (const unsigned char *end = p + PIECE; p < end; p += 8) {
            sum = _mm_crc32_u64(sum, crc32c_load(p));
            second = _mm_crc32_u64(second, crc32c_load(p + PIECE));
            third = _mm_crc32_u64(third, crc32c_load(p + 2 * PIECE));
        }
        uint64_t moved = crc32c_multiply(sum, SHIFT_2) ^ crc32c_multiply(second, SHIFT_1);
        sum = _mm_crc32_u64(0, moved) ^ third;
    }
    for (; size >= 8; size -= 8, p += 8)
        sum = _mm_crc32_u64(sum, crc32c_load(p));
    uint32_t narrow = (uint32_t)sum;
    while (size-- > 0)
        narrow = _mm_crc32_u8(narrow, *p++);
    return ~narrow;
}

static bool crc32c_has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

#elif defined(__aarch64__) && __BYTE_ORDER == __LITTLE_ENDIAN

#include <asm/hwcap.h>
#include <sys/auxv.h>

#if defined(__clang__)
#define TARGET_CRC __attribute__((target("crc")))
#define CRC_8(sum, byte) __builtin_arm_crc32cb(sum, byte)
#define CRC_64(sum, word) __builtin_arm_crc32cd(sum, word)
#else
#include <arm_acle.h>
#define TARGET_CRC __attribute__((target("+crc")))
#define CRC_8(sum, byte) __crc32cb(sum, byte)
#define CRC_64(sum, word) __crc32cd(sum, word)
#endif

TARGET_CRC static uint32_t crc32c_instruction(uint32_t crc, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;

    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        crc = CRC_64(crc, word);
    }
    while (size-- > 0)
        crc = CRC_8(crc, *p++);
    return ~crc;
}

static bool crc32c_has_instruction(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}

#else

static uint32_t crc32c_instruction(uint32_t crc, const void *bytes, size_t size)
{
    return crc32c_portable(crc, bytes, size);
}

static bool crc32c_has_instruction(void)
{
    return false;
}

#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t size)
{
    return crc32c_has_instruction() ? crc32c_instruction(crc, bytes, size)
                                    : crc32c_portable(crc, bytes, size);
}
