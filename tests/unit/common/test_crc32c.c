#include "cmocka_all.h"
#include "crc32c.h"
#include "guard.h"
#include "prng.h"

#include <string.h>

/* Bit by bit, as the definition says: short and easy to check. */
static uint32_t reference(uint32_t crc, const unsigned char *bytes, size_t size)
{
    crc = ~crc;
    while (size-- > 0) {
        crc ^= *bytes++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
    }
    return ~crc;
}

static void assert_crc(const void *bytes, size_t size, uint32_t expected)
{
    assert_int_equal(reference(0, bytes, size), expected);
    assert_int_equal(crc32c_portable(0, bytes, size), expected);
    assert_int_equal(crc32c(0, bytes, size), expected);
}

/* The vectors of RFC 3720 B.4 and the usual check value, in all implementations. */
static void test_known_values(void **state)
{
    static const unsigned char read_command[48] = {
        0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
        0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
        0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0};
    unsigned char bytes[32];

    (void)state;
    assert_crc("123456789", 9, 0xe3069283);
    memset(bytes, 0, sizeof(bytes));
    assert_crc(bytes, 32, 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_crc(bytes, 32, 0x62a8ab43);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_crc(bytes, 32, 0x46dd794e);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(31 - i);
    assert_crc(bytes, 32, 0x113fdb5c);
    assert_crc(read_command, 48, 0xd9963a56);
}

/* Zero bytes leave the checksum unchanged. */
static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(crc32c(0, "", 0), 0);
    assert_int_equal(crc32c(0xe3069283, "", 0), 0xe3069283);
    assert_int_equal(crc32c_portable(0xe3069283, "", 0), 0xe3069283);
}

/* Any single byte: every entry of the first table. Then every entry of the others. */
static void test_every_byte_value(void **state)
{
    unsigned char bytes[8];

    (void)state;
    for (size_t place = 0; place < sizeof(bytes); place++) {
        memset(bytes, 0, sizeof(bytes));
        for (unsigned value = 0; value < 256; value++) {
            bytes[place] = (unsigned char)value;
            assert_crc(bytes, 1, reference(0, bytes, 1));
            assert_crc(bytes, sizeof(bytes), reference(0, bytes, sizeof(bytes)));
        }
    }
}

/* All implementations agree at every size and alignment, whatever came before, and none reads
 * beyond the end. */
static void test_sizes_and_alignments(void **state)
{
    unsigned char bytes[8 + 300];
    struct prng prng = {7};

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)prng_next(&prng);
    for (size_t size = 0; size <= 300; size++) {
        struct guarded guarded =
            guarded_copy(bytes, 8 + size); /* begins at an address that varies */
        for (size_t from = 0; from < 8; from++) {
            uint32_t before = prng_next(&prng);
            uint32_t expected = reference(before, guarded.bytes + from, size);
            assert_int_equal(crc32c(before, guarded.bytes + from, size), expected);
            assert_int_equal(crc32c_portable(before, guarded.bytes + from, size), expected);
        }
        assert_crc(guarded.bytes + 8, size, reference(0, bytes + 8, size));
        guarded_free(&guarded);
    }
}

/* Large inputs, which are summed in pieces side by side: sizes around several times the pieces. */
static void test_large(void **state)
{
    enum { SIZE = 5 * 768 + 300 };
    static unsigned char bytes[SIZE];
    struct prng prng = {8};

    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)prng_next(&prng);
    for (size_t size = 760; size <= SIZE; size += size % 768 < 760 && size % 768 > 10 ? 13 : 1) {
        struct guarded guarded = guarded_copy(bytes, size);
        uint32_t before = prng_next(&prng);
        uint32_t expected = reference(before, bytes, size);
        assert_int_equal(crc32c(before, guarded.bytes, size), expected);
        assert_int_equal(crc32c_portable(before, guarded.bytes, size), expected);
        guarded_free(&guarded);
    }
}

/* In two pieces, cut anywhere, the checksum is the same as in one. */
static void test_pieces(void **state)
{
    static unsigned char bytes[1000];
    struct prng prng = {9};

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)prng_next(&prng);
    uint32_t whole = reference(0, bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        size_t rest = sizeof(bytes) - cut;
        assert_int_equal(crc32c(crc32c(0, bytes, cut), bytes + cut, rest), whole);
        assert_int_equal(crc32c_portable(crc32c_portable(0, bytes, cut), bytes + cut, rest), whole);
    }
}

/* Every single flipped bit is noticed. */
static void test_every_flipped_bit(void **state)
{
    unsigned char bytes[64];

    (void)state;
    memset(bytes, 0x5a, sizeof(bytes));
    uint32_t good = crc32c(0, bytes, sizeof(bytes));
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_not_equal(crc32c(0, bytes, sizeof(bytes)), good);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_every_byte_value),
        cmocka_unit_test(test_sizes_and_alignments),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_every_flipped_bit),
    };

    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
