#include "cmocka_all.h"
#include "guard.h"
#include "log_json.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Copies into a buffer with more than enough room; returns the result as a string. */
static const char *copy(const char *value, size_t size)
{
    static char out[1024];
    size_t taken = 0;

    size_t written = log_json_copy(out, sizeof(out) - 1, value, size, &taken);
    assert_int_equal(taken, size);
    out[written] = '\0';
    return out;
}

/* Each of these is escaped as what follows it. */
static void test_escaped(void **state)
{
    static const struct {
        const char *value;
        const char *expected;
    } cases[] = {
        {"a\"b\\c", "a\\\"b\\\\c"},
        {"a\r\nb\x1b[31m\x7f\t", "a\\u000d\\u000ab\\u001b[31m\\u007f\\u0009"},
        {"a\xc2\x85\xc2\x9bz", "a\\u0085\\u009bz"},
        {"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"},
        {"\xe2\x80\xae\xe2\x81\xa6", "\\u202e\\u2066"},
        {"\xef\xbb\xbfx\xc2\xad", "\\ufeffx\\u00ad"},
        {"\xf3\xa0\x81\x81\xf3\xa0\x80\x80", "\\udb40\\udc41\\udb40\\udc00"}, /* U+E0041, U+E0000 */
        {"\xef\xbf\xbe", "\\ufffe"},
        {"\xff\xfe", "\\ufffd\\ufffd"},
        {"a\xc3", "a\\ufffd"}, /* cut within a character */
        {"\xc3(", "\\ufffd("},
        {"\xc0\xaf", "\\ufffd\\ufffd"},            /* an overlong form of '/' */
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"}, /* a surrogate */
        {"\xf4\x90\x80\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd"}, /* above U+10FFFF */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(copy(cases[i].value, strlen(cases[i].value)), cases[i].expected);
    assert_string_equal(copy("a\0b", 3), "a\\u0000b");
}

/* Text of all scripts stays as it is, and so does what only a line of text has to replace. */
static void test_kept(void **state)
{
    static const char *const texts[] = {
        "",
        "x | result: fail, with / and ' and ?",
        "N\xc2\xb0 1, \xc2\xa0 \xc3\xb1 \xc3\xba \xc3\xbf",
        "\xe2\x80\xa7 \xe2\x80\xaf \xe2\x80\x90 \xe2\x82\xac", /* neighbours of what is escaped */
        "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xe6\x97\xa5\xe6\x9c\xac",
        "\xf0\x9f\x8e\xb0 \xf4\x8f\xbf\xbd",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_string_equal(copy(texts[i], strlen(texts[i])), texts[i]);
    for (char c = ' '; c < 0x7f; c++) {
        if (c != '"' && c != '\\')
            assert_string_equal(copy((const char[]){c, '\0'}, 1), ((const char[]){c, '\0'}));
    }
}

/* With any room, only whole characters and whole escapes are written, and what was taken stands for
 * them. Reads and writes nothing beyond its buffers. */
static void test_room(void **state)
{
    static const struct {
        size_t in;  /* bytes of the character */
        size_t out; /* bytes of what becomes of it */
    } parts[] = {{1, 1}, {2, 2}, {3, 3}, {1, 2}, {1, 6}, {4, 12}, {4, 4}, {1, 6}};
    const char *value = "a\xc3\xb1\xe2\x82\xac\"\n\xf3\xa0\x81\x81\xf0\x9f\x8e\xb0\xff";
    const uint8_t nothing[36] = {0};
    struct guarded in = guarded_copy(value, strlen(value));

    (void)state;
    for (size_t room = 0; room <= 36; room++) {
        size_t taken = 99;
        size_t expected_taken = 0;
        size_t expected = 0;
        struct guarded out = guarded_copy(nothing, room);
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            if (expected + parts[i].out > room)
                break;
            expected += parts[i].out;
            expected_taken += parts[i].in;
        }
        assert_int_equal(
            log_json_copy((char *)out.bytes, room, (const char *)in.bytes, in.size, &taken),
            expected);
        assert_int_equal(taken, expected_taken);
        guarded_free(&out);
    }
    guarded_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escaped),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_room),
    };

    return cmocka_run_group_tests_name("log_json", tests, NULL, NULL);
}
