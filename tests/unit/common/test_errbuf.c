#include "cmocka_all.h"
#include "errbuf.h"

#include <string.h>

/* A text of `size` times `c` in a static buffer. */
static const char *repeated(char c, size_t size)
{
    static char text[2000];

    assert_true(size < sizeof(text));
    memset(text, c, size);
    text[size] = '\0';
    return text;
}

/* set formats, and replaces what was there. */
static void test_set_replaces(void **state)
{
    struct errbuf err;

    (void)state;
    errbuf_set(&err, "first, and long enough to show through");
    errbuf_set(&err, "%s:%d", "bets.csv", 251);
    assert_string_equal(err.text, "bets.csv:251");
    errbuf_set(&err, "%s", "");
    assert_string_equal(err.text, "");
}

/* wrap puts its context in front of the text, also repeatedly. */
static void test_wrap_goes_outward(void **state)
{
    struct errbuf err;

    (void)state;
    errbuf_set(&err, "crc mismatch");
    errbuf_wrap(&err, "record %d at byte %d", 12, 4096);
    errbuf_wrap(&err, "load %s", "bets.csv");
    assert_string_equal(err.text, "load bets.csv: record 12 at byte 4096: crc mismatch");
}

/* A percent sign in the text that is wrapped is text, not a format. */
static void test_wrap_does_not_format_the_inner_text(void **state)
{
    struct errbuf err;

    (void)state;
    errbuf_set(&err, "%s", "100%s%n");
    errbuf_wrap(&err, "disk");
    assert_string_equal(err.text, "disk: 100%s%n");
}

/* Whatever the sizes, the text stays within the struct and is cut at its end. */
static void test_cut_at_every_size(void **state)
{
    struct {
        struct errbuf err;
        char after;
    } box;
    const size_t max = sizeof(box.err.text) - 1;

    (void)state;
    box.after = 'b';
    for (size_t size = max - 3; size <= max + 600; size++) {
        errbuf_set(&box.err, "%s", repeated('a', size));
        size_t is = strlen(box.err.text);
        assert_int_equal(is, size < max ? size : max);
        errbuf_wrap(&box.err, "cc");
        assert_memory_equal(box.err.text, "cc: aaaa", 8);
        assert_int_equal(strlen(box.err.text), is + 4 < max ? is + 4 : max);
    }
    for (size_t size = max - 3; size <= max + 600; size++) {
        errbuf_set(&box.err, "inner");
        errbuf_wrap(&box.err, "%s", repeated('o', size));
        assert_int_equal(strlen(box.err.text), max);
        assert_memory_equal(box.err.text, repeated('o', max - 3), max - 3);
    }
    assert_int_equal(box.after, 'b');
}

/* NULL means that no text is wanted; a context may contain the text that it wraps. */
static void test_null_and_itself(void **state)
{
    struct errbuf err;

    (void)state;
    errbuf_set(NULL, "%d", 1);
    errbuf_wrap(NULL, "%d", 1);
    errbuf_set(&err, "x");
    errbuf_wrap(&err, "<%s>", err.text);
    assert_string_equal(err.text, "<x>: x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_replaces),
        cmocka_unit_test(test_wrap_goes_outward),
        cmocka_unit_test(test_wrap_does_not_format_the_inner_text),
        cmocka_unit_test(test_cut_at_every_size),
        cmocka_unit_test(test_null_and_itself),
    };

    return cmocka_run_group_tests_name("errbuf", tests, NULL, NULL);
}
