#include "cmocka_all.h"
#include "winners.h"

#define WINNER 7574

/* A bet wins if and only if it has the winner number. */
static void test_has_won(void **state)
{
    (void)state;
    for (uint32_t number = 0; number <= BET_NUMBER_MAX; number++) {
        struct bet bet = {.number = number};
        assert_int_equal(has_won(&bet, WINNER), number == WINNER);
    }
    assert_true(has_won(&(struct bet){.number = 0}, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_has_won)};

    return cmocka_run_group_tests_name("winners", tests, NULL, NULL);
}
