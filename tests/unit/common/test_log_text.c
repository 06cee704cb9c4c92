#include "cmocka_all.h"
#include "guard.h"
#include "log_text.h"

#include <stdint.h>
#include <string.h>

/* Copies into a buffer with more than enough room; returns the result as a string. */
static const char *copy(const char *value, size_t size)
{
    static char out[256];
    size_t taken = 0;

    size_t written = log_text_copy(out, sizeof(out) - 1, value, size, &taken);
    assert_int_equal(taken, size);
    out[written] = '\0';
    return out;
}

/* Each of these is replaced by what follows it. */
static void test_replaced(void **state)
{
    static const struct {
        const char *value;
        const char *expected;
    } cases[] = {
        {"a|b", "a/b"},
        {"a\r\nb\x1b[31m\x7f", "a  b [31m "},
        {"a\xc2\x85z", "a z"}, /* U+0085 */
        {"a\xc2\x9b"
         "31mz",
         "a 31mz"},                             /* U+009B, CSI */
        {"a\xe2\x80\xa8z\xe2\x80\xa9", "a z "}, /* U+2028, U+2029 */
        {"\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae", "     "},
        {"\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9", "    "},
        {"\xe2\x80\x8b\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", "    "},
        {"\xef\xbb\xbfx\xc2\xad\xf3\xa0\x81\x81", " x  "}, /* U+FEFF, U+00AD, U+E0041 */
        {"\xff\xfe", "??"},
        {"a\xc3", "a?"}, /* cut within a character */
        {"\xc3(", "?("},
        {"\xe2\x82", "??"},
        {"\xc0\xaf\xe0\x80\xaf", "?????"}, /* overlong forms of '/' */
        {"\xed\xa0\x80", "???"},           /* a surrogate */
        {"\xf4\x90\x80\x80", "????"},      /* above U+10FFFF */
        {"\x80 \xbf", "? ?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(copy(cases[i].value, strlen(cases[i].value)), cases[i].expected);
    assert_string_equal(copy("a\0b", 3), "a b");
}

/* Text of all scripts stays as it is, up to the last character. */
static void test_kept(void **state)
{
    static const char *const texts[] = {
        "",
        "plain: text, with / and = and ?",
        "N\xc2\xb0 1, \xc2\xa0 \xc3\xb1 \xc3\xba \xc3\xbf",
        "\xe2\x80\xa7 \xe2\x80\xaf \xe2\x80\x90 \xe2\x82\xac", /* neighbours of what is replaced */
        "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xe6\x97\xa5\xe6\x9c\xac",
        "\xf0\x9f\x8e\xb0 \xf4\x8f\xbf\xbd",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_string_equal(copy(texts[i], strlen(texts[i])), texts[i]);
}

/* With any room, only whole characters are written, and what was taken stands for them. Reads and
 * writes nothing beyond its buffers. */
static void test_room(void **state)
{
    const char *value = "a\xc3\xb1\xe2\x82\xac|\xf0\x9f\x8e\xb0\xff";
    static const struct {
        size_t written;
        size_t taken;
    } expected[] = {{0, 0}, {1, 1}, {1, 1}, {3, 3}, {3, 3},   {3, 3},  {6, 6},
                    {7, 7}, {7, 7}, {7, 7}, {7, 7}, {11, 11}, {12, 12}};
    const uint8_t nothing[12] = {0};
    struct guarded in = guarded_copy(value, strlen(value));

    (void)state;
    for (size_t room = 0; room <= 12; room++) {
        size_t taken = 99;
        struct guarded out = guarded_copy(nothing, room);
        assert_int_equal(
            log_text_copy((char *)out.bytes, room, (const char *)in.bytes, in.size, &taken),
            expected[room].written);
        assert_int_equal(taken, expected[room].taken);
        guarded_free(&out);
    }
    guarded_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_room),
    };

    return cmocka_run_group_tests_name("log_text", tests, NULL, NULL);
}
