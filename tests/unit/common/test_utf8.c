#include "cmocka_all.h"
#include "guard.h"
#include "prng.h"
#include "utf8.h"

/* The reference: encode every allowed code point by the definition of UTF-8 and mark its bytes. A
 * text of up to three bytes is good exactly when it consists of such sequences. */
static bool one[256];
static bool two[256 * 256];
static bool three[256 * 256 * 256];

static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f);
}

static size_t encode(uint32_t point, unsigned char out[4])
{
    if (point < 0x80) {
        out[0] = (unsigned char)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, point >>= 6)
        out[i] = (unsigned char)(0x80 + point % 64);
    out[0] = (unsigned char)((0xf00u >> size) % 256 + point);
    return size;
}

static void mark_good(void)
{
    for (uint32_t point = 0; point < 0x10000; point++) {
        unsigned char bytes[4];
        if (is_control(point) || (point >= 0xd800 && point <= 0xdfff))
            continue;
        size_t size = encode(point, bytes);
        if (size == 1)
            one[bytes[0]] = true;
        else if (size == 2)
            two[bytes[0] << 8 | bytes[1]] = true;
        else
            three[bytes[0] << 16 | bytes[1] << 8 | bytes[2]] = true;
    }
}

static bool is_good(const unsigned char *p, size_t size)
{
    if (size == 0)
        return true;
    if (one[p[0]] && is_good(p + 1, size - 1))
        return true;
    if (size >= 2 && two[p[0] << 8 | p[1]] && is_good(p + 2, size - 2))
        return true;
    return size >= 3 && three[p[0] << 16 | p[1] << 8 | p[2]] && is_good(p + 3, size - 3);
}

static bool check(const unsigned char *bytes, size_t size)
{
    return utf8_is_printable((struct text){(const char *)bytes, size});
}

static int prepare(void **state)
{
    (void)state;
    mark_good();
    return 0;
}

/* The reference itself has the counts that follow from the standard. */
static void test_reference(void **state)
{
    unsigned char bytes[4];
    size_t ones = 0;
    size_t twos = 0;
    size_t threes = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(one); i++)
        ones += one[i];
    for (size_t i = 0; i < sizeof(two); i++)
        twos += two[i];
    for (size_t i = 0; i < sizeof(three); i++)
        threes += three[i];
    assert_int_equal(ones, 95);
    assert_int_equal(twos, 0x800 - 0xa0);
    assert_int_equal(threes, 0x10000 - 0x800 - 0x800);
    assert_int_equal(encode(0x20ac, bytes), 3);
    assert_memory_equal(bytes, "\xe2\x82\xac", 3);
    assert_int_equal(encode(0x1f3b0, bytes), 4);
    assert_memory_equal(bytes, "\xf0\x9f\x8e\xb0", 4);
}

/* For all texts of up to three bytes the result is that of the reference; empty text is good. */
static void test_all_up_to_three_bytes(void **state)
{
    unsigned wrong = 0;

    (void)state;
    assert_true(check((const unsigned char *)"", 0));
    for (unsigned i = 0; i < 256 * 256 * 256; i++) {
        unsigned char p[3] = {(unsigned char)(i >> 16), (unsigned char)(i >> 8), (unsigned char)i};
        if (i < 256)
            wrong += check(p + 2, 1) != is_good(p + 2, 1);
        if (i < 256 * 256)
            wrong += check(p + 1, 2) != is_good(p + 1, 2);
        wrong += check(p, 3) != is_good(p, 3);
    }
    assert_int_equal(wrong, 0);
}

/* Four bytes: every code point above U+FFFF is good; nothing else that begins with F0..FF is. */
static void test_four_bytes(void **state)
{
    struct prng prng = {4};
    unsigned wrong = 0;

    (void)state;
    for (uint32_t point = 0x10000; point <= 0x10ffff; point++) {
        unsigned char bytes[4];
        wrong += encode(point, bytes) != 4 || !check(bytes, 4);
        for (size_t size = 1; size < 4 && point % 64 == 0; size++)
            wrong += check(bytes, size);
    }
    assert_int_equal(wrong, 0);
    for (unsigned i = 0; i < 0x10u << 18; i++) {
        /* A lead byte, and three bytes at the edges of their range or random. */
        static const unsigned char edges[] = {0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0};
        unsigned char bytes[4] = {(unsigned char)(0xf0 + i % 16)};
        for (int k = 1; k < 4; k++) {
            uint32_t bits = prng_next(&prng);
            bytes[k] = (bits & 8) != 0 ? edges[bits % 8] : (unsigned char)(bits >> 8);
        }
        uint32_t point = (bytes[0] & 7u) << 18 | (bytes[1] & 63u) << 12 | (bytes[2] & 63u) << 6 |
                         (bytes[3] & 63u);
        unsigned char again[4];
        bool expected = point >= 0x10000 && point <= 0x10ffff && encode(point, again) == 4 &&
                        memcmp(bytes, again, 4) == 0;
        wrong += check(bytes, 4) != expected;
    }
    assert_int_equal(wrong, 0);
}

/* A bad byte is found at every position of a longer text, although the text around it is good. */
static void test_bad_byte_anywhere(void **state)
{
    static const char good[] = "Mar\xc3\xad"
                               "a \xe2\x82\xac \xf0\x9f\x8e\xb0 end";
    const size_t size = sizeof(good) - 1;

    (void)state;
    assert_true(check((const unsigned char *)good, size));
    for (size_t at = 0; at < size; at++) {
        static const unsigned char bad[] = {0x00, 0x1f, 0x7f, 0xc0, 0xf5, 0xff};
        for (size_t i = 0; i < sizeof(bad); i++) {
            unsigned char copy[sizeof(good)];
            memcpy(copy, good, size);
            copy[at] = bad[i];
            assert_false(check(copy, size));
        }
    }
}

/* A sequence that is cut off by the end of the text is refused, without reading beyond the end. */
static void test_cut_off_sequence(void **state)
{
    static const char *const characters[] = {"\xc3\xb1", "\xe2\x82\xac", "\xf0\x9f\x8e\xb0"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        size_t whole = strlen(characters[i]);
        for (size_t size = 1; size <= whole; size++) {
            struct guarded guarded = guarded_copy(characters[i], size);
            assert_int_equal(check(guarded.bytes, size), size == whole);
            guarded_free(&guarded);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),        cmocka_unit_test(test_all_up_to_three_bytes),
        cmocka_unit_test(test_four_bytes),       cmocka_unit_test(test_bad_byte_anywhere),
        cmocka_unit_test(test_cut_off_sequence),
    };

    return cmocka_run_group_tests_name("utf8", tests, prepare, NULL);
}
