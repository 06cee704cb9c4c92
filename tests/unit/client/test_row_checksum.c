#include "bet_line.h"
#include "cmocka_all.h"
#include "crc32c.h"
#include "prng.h"
#include "row_checksum.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS 3000

/* A row as a file has it; some need quotes in bets.csv, or have a number with zeros in front. */
struct row {
    char text[BET_LINE_MAX];
    size_t size;
    struct bet bet;
    bool is_plain;
};

static void make_row(struct prng *prng, struct row *out)
{
    static const char *const names[] = {"Ana", "Santiago Lionel", "N\xc3\xba\xc3\xb1",
                                        "a,b", "\"x\"",           "O'Higgins"};
    const char *first = names[prng_below(prng, 6)];
    const char *last = names[prng_below(prng, 6)];
    uint32_t number = prng_below(prng, 10000);

    out->size = (size_t)snprintf(out->text, sizeof(out->text), "%s,%s,30904465,1999-03-17,%u",
                                 first, last, number);
    out->is_plain = strpbrk(first, ",\"") == NULL && strpbrk(last, ",\"") == NULL;
    out->bet = (struct bet){text_of(first), text_of(last), text_of("30904465"),
                            text_of("1999-03-17"), number};
}

static void add(struct row_checksum *checksum, const struct row *row)
{
    if (row->is_plain)
        row_checksum_add_plain(checksum, (struct text){row->text, row->size});
    else
        row_checksum_add(checksum, &row->bet);
}

/* It is the checksum of the lines of bets.csv, whenever one asks for it, and however large the id.
 */
static void test_is_of_lines(void **state)
{
    static const uint32_t agencies[] = {1, 17, 4711, UINT32_MAX};
    struct row_checksum *checksum = malloc(sizeof(*checksum));
    struct prng prng = {.state = 11};

    (void)state;
    assert_non_null(checksum);
    for (size_t i = 0; i < sizeof(agencies) / sizeof(agencies[0]); i++) {
        uint32_t expected = 0;
        row_checksum_init(checksum, agencies[i]);
        assert_int_equal(row_checksum_value(checksum), 0);
        for (int k = 0; k < ROWS; k++) {
            struct row row;
            char line[BET_LINE_MAX];
            make_row(&prng, &row);
            add(checksum, &row);
            expected = crc32c(expected, line, bet_lines_format(agencies[i], &row.bet, 1, line));
            if (prng_below(&prng, 100) == 0)
                assert_int_equal(row_checksum_value(checksum), expected);
        }
        assert_int_equal(row_checksum_value(checksum), expected);
    }
    free(checksum);
}

/* Going back to an earlier row and adding the later ones again gives the same value. */
static void test_restart(void **state)
{
    struct row_checksum *checksum = malloc(sizeof(*checksum));
    struct row rows[20];
    struct prng prng = {.state = 12};

    (void)state;
    assert_non_null(checksum);
    row_checksum_init(checksum, 3);
    for (int i = 0; i < 10; i++) {
        make_row(&prng, &rows[i]);
        add(checksum, &rows[i]);
    }
    uint32_t middle = row_checksum_value(checksum);
    for (int i = 10; i < 20; i++) {
        make_row(&prng, &rows[i]);
        add(checksum, &rows[i]);
    }
    uint32_t end = row_checksum_value(checksum);
    assert_int_not_equal(middle, end);
    add(checksum, &rows[0]); /* not yet in the value */
    row_checksum_restart(checksum, middle);
    assert_int_equal(row_checksum_value(checksum), middle);
    for (int i = 10; i < 20; i++)
        add(checksum, &rows[i]);
    assert_int_equal(row_checksum_value(checksum), end);
    free(checksum);
}

/* The longest lines fit, one after the other, wherever the buffer ends. */
static void test_longest(void **state)
{
    struct row_checksum *checksum = malloc(sizeof(*checksum));
    char quotes[BET_NAME_MAX];
    char line[BET_LINE_MAX];
    uint32_t expected = 0;

    (void)state;
    assert_non_null(checksum);
    memset(quotes, '"', sizeof(quotes));
    struct text name = {quotes, sizeof(quotes)};
    const struct bet bet = {name, name, text_of("ABCDEFGHIJKLMNOP"), text_of("1999-03-17"), 9999};
    row_checksum_init(checksum, UINT32_MAX);
    for (int i = 0; i < 500; i++) {
        row_checksum_add(checksum, &bet);
        expected = crc32c(expected, line, bet_lines_format(UINT32_MAX, &bet, 1, line));
    }
    assert_int_equal(row_checksum_value(checksum), expected);
    free(checksum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_of_lines),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_longest),
    };

    return cmocka_run_group_tests_name("row_checksum", tests, NULL, NULL);
}
