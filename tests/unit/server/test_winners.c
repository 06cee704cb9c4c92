#include "alloc_fault.h"
#include "bets_csv.h"
#include "cmocka_all.h"
#include "winners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINNER 7574

static char *copy_of(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    return copy;
}

static enum status collect(const char *text, struct winner_list *winners, size_t *bad_at)
{
    char *copy = copy_of(text);

    enum status status = winners_collect(copy, strlen(copy), WINNER, winners, bad_at);
    free(copy); /* the winners have their own copies */
    return status;
}

static void assert_winner(const struct winner *winner, uint32_t agency, const char *document)
{
    assert_int_equal(winner->agency, agency);
    assert_int_equal(winner->document_size, strlen(document));
    assert_memory_equal(winner->document, document, strlen(document));
}

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

/* The draw is due when there are agencies and all have finished. */
static void test_is_due(void **state)
{
    (void)state;
    for (uint32_t agencies = 1; agencies < 50; agencies++) {
        for (uint32_t finished = 0; finished < 50; finished++)
            assert_int_equal(draw_is_due(agencies, finished), finished >= agencies);
    }
    assert_false(draw_is_due(0, 0));
    assert_false(draw_is_due(0, 1));
    assert_false(draw_is_due(10000, 9999));
    assert_true(draw_is_due(10000, 10000));
}

/* There is one winner for each winning bet, in the order of the bets, even if they are the same. */
static void test_collect_in_order(void **state)
{
    struct winner_list winners = {NULL, 0, 0};
    size_t bad_at = 4711;

    (void)state;
    assert_int_equal(collect("2,A,B,222,1999-03-17,7574\r\n"
                             "1,A,B,111,1999-03-17,7573\r\n"
                             "1,\"A,\",B,00333,1999-03-17,7574\r\n"
                             "2,A,B,222,1999-03-17,07574\r\n"
                             "1,7574,7574,7574,1999-03-17,0\r\n"
                             "3,A,B,ABCDEFGHIJKLMNOP,1999-03-17,7574\r\n",
                             &winners, &bad_at),
                     STATUS_OK);
    assert_int_equal(winners.count, 4);
    assert_winner(&winners.items[0], 2, "222");
    assert_winner(&winners.items[1], 1, "00333");
    assert_winner(&winners.items[2], 2, "222"); /* a document that wins twice counts twice */
    assert_winner(&winners.items[3], 3, "ABCDEFGHIJKLMNOP");
    winner_list_fini(&winners);
    assert_int_equal(winners.count, 0);
    assert_null(winners.items);
    winner_list_fini(&winners);
}

/* The winners of each text are appended; an empty text, or one without winners, adds none. */
static void test_collect_appends(void **state)
{
    struct winner_list winners = {NULL, 0, 0};
    size_t bad_at;

    (void)state;
    assert_int_equal(collect("", &winners, &bad_at), STATUS_OK);
    assert_int_equal(collect("1,A,B,1,1999-03-17,1\r\n", &winners, &bad_at), STATUS_OK);
    assert_int_equal(winners.count, 0);
    assert_int_equal(collect("1,A,B,1,1999-03-17,7574\r\n", &winners, &bad_at), STATUS_OK);
    assert_int_equal(collect("1,A,B,2,1999-03-17,7574\r\n", &winners, &bad_at), STATUS_OK);
    assert_int_equal(winners.count, 2);
    assert_winner(&winners.items[0], 1, "1");
    assert_winner(&winners.items[1], 1, "2");
    winner_list_fini(&winners);
}

/* Twenty thousand winners of one agency are all found, in order. */
static void test_many_winners(void **state)
{
    enum { MANY = 20000 };
    struct winner_list winners = {NULL, 0, 0};
    char *text = malloc((size_t)MANY * BETS_CSV_LINE_MAX);
    size_t size = 0;
    size_t bad_at;

    (void)state;
    assert_non_null(text);
    for (int i = 0; i < MANY; i++)
        size += (size_t)sprintf(text + size, "7,A,B,%08d,1999-03-17,7574\r\n", i);
    assert_int_equal(winners_collect(text, size, WINNER, &winners, &bad_at), STATUS_OK);
    assert_int_equal(winners.count, MANY);
    for (int i = 0; i < MANY; i++) {
        char document[16];
        (void)snprintf(document, sizeof(document), "%08d", i);
        assert_winner(&winners.items[i], 7, document);
    }
    winner_list_fini(&winners);
    free(text);
}

/* A damaged line is reported with its offset. */
static void test_damaged_line(void **state)
{
    static const char good[] = "1,A,B,1,1999-03-17,7574\r\n";
    struct winner_list winners = {NULL, 0, 0};
    char text[200];
    size_t bad_at = 4711;

    (void)state;
    (void)snprintf(text, sizeof(text), "%s%s", good, "1,A,B,1,1999-03-17\r\n");
    assert_int_equal(collect(text, &winners, &bad_at), STATUS_DAMAGED);
    assert_int_equal(bad_at, strlen(good));
    winner_list_fini(&winners);
}

/* So is a winner whose document is too short or too long. */
static void test_damaged_document(void **state)
{
    static const char *const lines[] = {"1,A,B,,1999-03-17,7574\r\n",
                                        "1,A,B,ABCDEFGHIJKLMNOPQ,1999-03-17,7574\r\n"};
    static const char good[] = "1,A,B,1,1999-03-17,1\r\n";

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct winner_list winners = {NULL, 0, 0};
        char text[200];
        size_t bad_at = 4711;
        (void)snprintf(text, sizeof(text), "%s%s%s", good, lines[i], good);
        assert_int_equal(collect(text, &winners, &bad_at), STATUS_DAMAGED);
        assert_int_equal(bad_at, strlen(good));
        assert_int_equal(winners.count, 0);
        winner_list_fini(&winners);
    }
}

/* Whichever allocation fails, the list stays as it was. */
static void test_no_memory(void **state)
{
    enum { MANY = 300 };
    bool has_failed = true;

    (void)state;
    for (unsigned after = 0; has_failed; after++) {
        struct winner_list winners = {NULL, 0, 0};
        struct winner winner = {.agency = 1, .document_size = 1, .document = "1"};
        size_t added = 0;
        enum status status = STATUS_OK;
        alloc_fault_after(after);
        for (; added < MANY && status == STATUS_OK; added += status == STATUS_OK)
            status = winner_list_add(&winners, &winner);
        has_failed = alloc_fault_end();
        assert_int_equal(status, has_failed ? STATUS_NOMEM : STATUS_OK);
        assert_int_equal(winners.count, added);
        assert_int_equal(winner_list_add(&winners, &winner), STATUS_OK);
        winner_list_fini(&winners);
        assert_true(after < 20);
    }
    struct winner_list winners = {NULL, 0, 0};
    char *text = copy_of("1,A,B,1,1999-03-17,7574\r\n");
    size_t bad_at;
    alloc_fault_after(0);
    enum status status = winners_collect(text, strlen(text), WINNER, &winners, &bad_at);
    assert_true(alloc_fault_end());
    assert_int_equal(status, STATUS_NOMEM);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_has_won),          cmocka_unit_test(test_is_due),
        cmocka_unit_test(test_collect_in_order), cmocka_unit_test(test_collect_appends),
        cmocka_unit_test(test_many_winners),     cmocka_unit_test(test_damaged_line),
        cmocka_unit_test(test_damaged_document), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("winners", tests, NULL, NULL);
}
