#include "cmocka_all.h"
#include "csv_line.h"
#include "guard.h"
#include "prng.h"

#include <stdbool.h>
#include <stdio.h>

#define MAX_FIELDS 8

/* The reference: splits byte by byte, as the header describes it. */
static size_t split_slowly(const char *text, size_t size, struct text *fields, size_t count)
{
    size_t found = 0;
    size_t from = 0;

    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            return 0;
        if (text[i] != ',' && text[i] != '\n')
            continue;
        if (found == count)
            return 0;
        fields[found++] = (struct text){text + from, i - from};
        from = i + 1;
        if (text[i] == '\n') {
            struct text *last = &fields[found - 1];
            if (last->size > 0 && last->data[last->size - 1] == '\r')
                last->size--;
            return found == count ? i + 1 : 0;
        }
    }
    return 0;
}

/* Both agree, on a copy that ends right before a page that cannot be accessed. */
static size_t assert_agree(const char *text, size_t size, size_t count)
{
    struct guarded copy = guarded_copy(text, size);
    const char *bytes = (const char *)copy.bytes;
    struct text expected[MAX_FIELDS];
    struct text fields[MAX_FIELDS];

    size_t line = split_slowly(bytes, size, expected, count);
    assert_int_equal(csv_line_split(bytes, size, fields, count), line);
    for (size_t i = 0; line > 0 && i < count; i++) {
        assert_ptr_equal(fields[i].data, expected[i].data);
        assert_int_equal(fields[i].size, expected[i].size);
    }
    guarded_free(&copy);
    return line;
}

/* A typical line is split; the next line is not touched. */
static void test_a_line_of_bets(void **state)
{
    static const char text[] = "Ana,P\xc3\xa9rez Gil,30904465,1999-03-17,7574\r\nnext";
    struct text fields[5];

    (void)state;
    assert_int_equal(csv_line_split(text, sizeof(text) - 1, fields, 5), sizeof(text) - 1 - 4);
    assert_int_equal(fields[0].size, 3);
    assert_memory_equal(fields[0].data, "Ana", 3);
    assert_int_equal(fields[1].size, 10);
    assert_memory_equal(fields[4].data, "7574", 4);
    assert_int_equal(fields[4].size, 4);
}

/* Edge cases by hand: empty fields, line ends, quotes, too few and too many fields. */
static void test_by_hand(void **state)
{
    static const struct {
        const char *text;
        size_t count;
        size_t line;
    } cases[] = {
        {"\n", 1, 1},        {"\r\n", 1, 2},     {"a\n", 1, 2},       {"a", 1, 0},
        {"", 1, 0},          {",\n", 2, 2},      {",\r\n", 2, 3},     {"a,b\n", 1, 0},
        {"a,b\n", 3, 0},     {"a,b,c\n", 2, 0},  {"a,b\n,c\n", 2, 4}, {"\"a\",b\n", 2, 0},
        {"a,b\"\n", 2, 0},   {"a\rb,c\n", 2, 6}, {"a,b\r\r\n", 2, 6}, {"a\n,b\n", 2, 0},
        {"a,b\n\"\n", 2, 4}, {"a,\n", 2, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(assert_agree(cases[i].text, strlen(cases[i].text), cases[i].count),
                         cases[i].line);
}

/* Both agree for each special byte at each position, in texts of several sizes. */
static void test_every_place(void **state)
{
    static const char specials[] = {',', '"', '\n', '\r'};
    char text[70];
    size_t lines = 0;

    (void)state;
    for (size_t comma = 0; comma < 40; comma++) {
        for (size_t i = 0; i < sizeof(specials); i++) {
            for (size_t at = 0; at < 66; at++) {
                memset(text, 'x', sizeof(text));
                text[comma] = ',';
                text[60] = '\r';
                text[61] = '\n';
                text[at] = specials[i];
                for (size_t size = 55; size <= 66; size++)
                    lines += assert_agree(text, size, 2) > 0;
            }
        }
    }
    assert_true(lines > 10000);
}

/* Both agree on random texts with many special bytes. */
static void test_random(void **state)
{
    static const char letters[] = "ab\xc3\xa9xyz01234567,,,,\r\n\"";
    struct prng prng = {7};
    char text[64];
    size_t lines = 0;

    (void)state;
    for (int round = 0; round < 200000; round++) {
        size_t size = prng_below(&prng, sizeof(text));
        for (size_t i = 0; i < size; i++)
            text[i] = letters[prng_below(&prng, round % 2 ? sizeof(letters) - 1 : 19)];
        if (size > 0 && round % 4 == 0)
            text[size - 1] = '\n';
        lines += assert_agree(text, size, 1 + prng_below(&prng, MAX_FIELDS)) > 0;
    }
    assert_true(lines > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_of_bets),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_every_place),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests_name("csv_line", tests, NULL, NULL);
}
