#include "cmocka_all.h"
#include "draw_id.h"

#include <string.h>

static const char sixty_four[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

/* Letters, digits, _ and -, the first one a letter or a digit, up to 64 of them. */
static void test_valid(void **state)
{
    static const char *const ids[] = {
        "2026-11-25-nocturna", "a", "0", "Z_-", "currents", "Current", "bets", sixty_four};

    (void)state;
    assert_int_equal(strlen(sixty_four), DRAW_ID_MAX);
    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        assert_true(draw_id_is_valid(text_of(ids[i])));
}

/* No other character, no longer one, none that leads out of the data directory, not `current`. */
static void test_invalid(void **state)
{
    static const char *const ids[] = {"",      "-a",      "_a",  ".",   "..",  "a.b",
                                      "a/b",   "/etc",    "a b", "a\n", "a\t", "ñ",
                                      "a\x7f", "current", "a:b", "a|b", " a",  "../x"};
    static const char hidden[] = "a\0b";
    char long_id[DRAW_ID_MAX + 2];

    (void)state;
    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        assert_false(draw_id_is_valid(text_of(ids[i])));
    memset(long_id, 'a', sizeof(long_id));
    long_id[DRAW_ID_MAX + 1] = '\0';
    assert_false(draw_id_is_valid(text_of(long_id)));
    assert_false(draw_id_is_valid((struct text){hidden, sizeof(hidden) - 1}));
    assert_false(draw_id_is_valid((struct text){NULL, 0}));
    assert_true(draw_id_is_valid((struct text){"currently", 9}));
    assert_false(draw_id_is_valid((struct text){"currently", 7}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid),
    };

    return cmocka_run_group_tests_name("draw_id", tests, NULL, NULL);
}
