/* Reading the numbers of many bets, against bets_csv_parse_number(), which does it line by line. */
#include "bets_csv.h"
#include "bets_numbers.h"
#include "cmocka_all.h"
#include "guard.h"
#include "prng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads all of a text in both ways and expects the same lines, up to the same bad one. Returns how
 * many there are. */
static size_t compare(const char *text, size_t size)
{
    static struct bets_number numbers[BETS_NUMBERS];
    size_t at = 0;
    size_t lines = 0;

    for (;;) {
        size_t count = bets_numbers_read(text + at, size - at, numbers);
        size_t begin = at;
        assert_true(count <= BETS_NUMBERS);
        for (size_t i = 0; i < count; i++) {
            uint32_t number = 0;
            size_t line = bets_csv_parse_number(text + at, size - at, &number);
            assert_int_equal(numbers[i].number, number);
            assert_true(line > 0);
            at += line;
            assert_int_equal(numbers[i].end, at - begin);
        }
        lines += count;
        if (count == 0) {
            uint32_t number;
            assert_int_equal(bets_csv_parse_number(text + at, size - at, &number), 0);
            return lines;
        }
    }
}

/* The same with the text right before a page that must not be touched. */
static size_t compare_guarded(const char *text, size_t size)
{
    struct guarded copy = guarded_copy(text, size);
    size_t lines = compare((const char *)copy.bytes, size);

    guarded_free(&copy);
    return lines;
}

/* All numbers, with and without leading zeros. */
static void test_all_numbers(void **state)
{
    static char text[4 * 10000 * 32];
    size_t size = 0;

    (void)state;
    for (int digits = 1; digits <= 4; digits++) {
        for (unsigned number = 0; number < 10000; number++)
            size += (size_t)snprintf(text + size, sizeof(text) - size, "1,a,b,c,d,%0*u\r\n", digits,
                                     number);
    }
    assert_int_equal(compare(text, size), 40000);
}

/* Any bytes at a line's end: the same lines are bad. */
static void test_any_tail(void **state)
{
    static const char bytes[] = "0123456789,,,\"\r\n\r\n /:;-+a\0\x80\xb0\xff";
    struct prng prng = {1};
    char text[256];
    size_t good = 0;

    (void)state;
    for (unsigned round = 0; round < 200000; round++) {
        size_t size = 0;
        for (unsigned line = 0; line < 3; line++) {
            size += (size_t)snprintf(text + size, 64, "%.*s,%u\r\n", (int)prng_below(&prng, 12),
                                     "1,a,b,c,d,e,f", prng_below(&prng, 12000));
        }
        for (unsigned change = prng_below(&prng, 4); change > 0; change--)
            text[prng_below(&prng, (uint32_t)size)] = bytes[prng_below(&prng, sizeof(bytes) - 1)];
        good += compare(text, size);
    }
    assert_true(good > 100000);
}

/* Texts of all sizes, so that the last block is of any size; nothing beyond them is read. */
static void test_sizes(void **state)
{
    char text[600];
    size_t size = 0;

    (void)state;
    while (size < 500)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%zu,%.*s,%zu\r\n", size,
                                 (int)(size % 23), "names of any size, or so", size);
    size_t all = compare_guarded(text, size);
    assert_true(all > 10);
    for (size_t cut = 1; cut <= size; cut++)
        assert_true(compare_guarded(text, cut) <= all);
    assert_int_equal(compare(text, 0), 0);
}

/* Lines so short that a block has many, and so long that it has none. */
static void test_short_and_long(void **state)
{
    static char text[200000];
    size_t size = 0;

    (void)state;
    for (unsigned i = 0; i < 5000; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, ",%u\r\n", i % 10);
    for (unsigned i = 0; i < 200; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%*u,%u\r\n", 300, i, i);
    assert_int_equal(compare(text, size), 5200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_numbers),
        cmocka_unit_test(test_any_tail),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_short_and_long),
    };

    return cmocka_run_group_tests_name("bets_numbers", tests, NULL, NULL);
}
