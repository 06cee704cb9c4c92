/* Bytes as text: base64 and hexadecimal digits. */
#include "base64.h"
#include "cmocka_all.h"
#include "guard.h"
#include "hex.h"
#include "prng.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* RFC 4648, section 10. */
static void test_base64_known(void **state)
{
    static const struct {
        const char *bytes;
        const char *text;
    } cases[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"}};
    char text[16];
    uint8_t bytes[16];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t size = strlen(cases[i].bytes);
        *base64_encode((const uint8_t *)cases[i].bytes, size, text) = '\0';
        assert_string_equal(text, cases[i].text);
        assert_int_equal(BASE64_SIZE(size), strlen(text));
        assert_int_equal(base64_decoded_size(text_of(text)), size);
        assert_true(base64_decode(text_of(text), bytes, size));
        assert_memory_equal(bytes, cases[i].bytes, size);
    }
}

/* What is not base64 of so many bytes, or not the only way to write them, is refused; nothing is
 * written. */
static void test_base64_refuses(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {
        {"Zg==", 0},    {"Zg==", 2}, {"Zm9v", 2},    {"Zg=", 1},  {"Zg", 1},
        {"Z", 0},       {"Z===", 0}, {"====", 0},    {"Zh==", 1}, {"Zm9=", 2},
        {"Zm9v\n", 3},  {"Zm 9", 3}, {"Zm-_", 3},    {"Z=9v", 3}, {"Zg==Zg==", 4},
        {"Zm\x80v", 3}, {"=Zm9", 3}, {"Zm9vZg=", 4}, {"A===", 0}, {"Zm9vA===", 3},
    };
    uint8_t bytes[8];
    static const uint8_t untouched[sizeof(bytes)] = {7, 7, 7, 7, 7, 7, 7, 7};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        memcpy(bytes, untouched, sizeof(bytes));
        if (base64_decode(text_of(cases[i].text), bytes, cases[i].size))
            fail_msg("%s was read as %zu bytes", cases[i].text, cases[i].size);
        assert_memory_equal(bytes, untouched, sizeof(bytes));
    }
}

/* Any bytes come back, also from the end of readable memory. */
static void test_base64_round_trip(void **state)
{
    struct prng prng = {2};

    (void)state;
    for (size_t size = 0; size < 200; size++) {
        uint8_t *bytes = malloc(size + 1);
        uint8_t *again = malloc(size + 1);
        char *text = malloc(BASE64_SIZE(size) + 1);
        assert_true(bytes != NULL && again != NULL && text != NULL);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)prng_next(&prng);
        assert_ptr_equal(base64_encode(bytes, size, text), text + BASE64_SIZE(size));
        struct guarded guarded = guarded_copy(text, BASE64_SIZE(size));
        struct text view = {(const char *)guarded.bytes, guarded.size};
        assert_true(base64_decode(view, again, size));
        assert_true(base64_decode(view, NULL, size));
        assert_memory_equal(again, bytes, size);
        guarded_free(&guarded);
        free(text);
        free(again);
        free(bytes);
    }
}

static void test_hex(void **state)
{
    static const char *const wrong[] = {"",           "00",       "0001fe",
                                        "0001fefF",   "0001fefg", "0001fef",
                                        "0001feff00", " 001feff", "0001fef\x80"};
    static const uint8_t bytes[] = {0x00, 0x01, 0xfe, 0xff};
    uint8_t again[4] = {7, 7, 7, 7};
    char text[9];

    (void)state;
    *hex_encode(bytes, sizeof(bytes), text) = '\0';
    assert_string_equal(text, "0001feff");
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(hex_decode(text_of(wrong[i]), again, sizeof(again)));
    assert_memory_equal(again, "\7\7\7\7", sizeof(again));
    assert_true(hex_decode(text_of(text), again, sizeof(again)));
    assert_memory_equal(again, bytes, sizeof(bytes));
    assert_true(hex_decode(text_of(""), again, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_known),
        cmocka_unit_test(test_base64_refuses),
        cmocka_unit_test(test_base64_round_trip),
        cmocka_unit_test(test_hex),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
