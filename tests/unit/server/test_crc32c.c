#include "cmocka_all.h"
#include "crc32c.h"
#include "guard.h"
#include "prng.h"

#include <string.h>

/* The vectors of RFC 3720 B.4 and the usual check value, in both implementations. */
static void test_known_values(void **state)
{
    static const unsigned char read_command[48] = {
        0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
        0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
        0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0};
    unsigned char bytes[32];

    (void)state;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c_portable(0, "123456789", 9), 0xe3069283);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
    assert_int_equal(crc32c_portable(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(31 - i);
    assert_int_equal(crc32c(0, bytes, 32), 0x113fdb5c);
    assert_int_equal(crc32c(0, read_command, 48), 0xd9963a56);
    assert_int_equal(crc32c_portable(0, read_command, 48), 0xd9963a56);
}

/* Zero bytes leave the checksum unchanged. */
static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(crc32c(0, "", 0), 0);
    assert_int_equal(crc32c(0xe3069283, "", 0), 0xe3069283);
    assert_int_equal(crc32c_portable(0xe3069283, "", 0), 0xe3069283);
}

/* In two pieces, cut anywhere, the checksum is the same as in one; both implementations agree at
 * every size and alignment, and neither reads beyond the end. */
static void test_pieces_and_alignments(void **state)
{
    unsigned char bytes[100];
    struct prng prng = {7};

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)prng_next(&prng);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        struct guarded guarded = guarded_copy(bytes, size);
        uint32_t whole = crc32c_portable(0, guarded.bytes, size);
        for (size_t cut = 0; cut <= size; cut++) {
            uint32_t first = crc32c(0, guarded.bytes, cut);
            assert_int_equal(crc32c(first, guarded.bytes + cut, size - cut), whole);
            assert_int_equal(crc32c(0, guarded.bytes + cut, size - cut),
                             crc32c_portable(0, guarded.bytes + cut, size - cut));
        }
        guarded_free(&guarded);
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
        cmocka_unit_test(test_pieces_and_alignments),
        cmocka_unit_test(test_every_flipped_bit),
    };

    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
