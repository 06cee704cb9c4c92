/* Refusals: which are about another draw, which say that bets are lost, and what the log says. */
#include "cmocka_all.h"
#include "refusal.h"

#include <string.h>

#define OURS "2026-11-25"

static Lottery__V1__Ack make_ack(Lottery__V1__AckCode code, uint64_t received, const char *draw,
                                 const char *detail)
{
    static char texts[2][256];
    Lottery__V1__Ack ack;

    lottery__v1__ack__init(&ack);
    ack.code = code;
    ack.received = received;
    strncpy(texts[0], draw, sizeof(texts[0]) - 1);
    strncpy(texts[1], detail, sizeof(texts[1]) - 1);
    ack.draw = texts[0];
    ack.detail = texts[1];
    return ack;
}

/* The code's name comes first; a code that we do not know has none. */
static void test_describe(void **state)
{
    struct errbuf text;
    Lottery__V1__Ack ack = make_ack(LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED, 0, "", "over");

    (void)state;
    refusal_describe(&ack, &text);
    assert_string_equal(text.text, "ACK_CODE_DRAW_CLOSED, over");
    ack = make_ack(LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED, 0, "", "");
    refusal_describe(&ack, &text);
    assert_string_equal(text.text, "ACK_CODE_DRAW_CLOSED");
    ack = make_ack((Lottery__V1__AckCode)99, 0, "", "what");
    refusal_describe(&ack, &text);
    assert_string_equal(text.text, "unknown ack code, what");
}

/* An Ack that names a draw names ours, or it is about another one. One that names none is about
 * another only if it refuses our first message, and none of our bets are there. */
static void test_other_draw(void **state)
{
    const Lottery__V1__AckCode ok = LOTTERY__V1__ACK_CODE__ACK_CODE_OK;
    const Lottery__V1__AckCode closed = LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED;
    const struct {
        const char *ours;
        const char *named;
        Lottery__V1__AckCode code;
        uint64_t received;
        bool is_first;
        bool is_other;
    } cases[] = {
        {"", "", ok, 0, true, false},          {OURS, OURS, ok, 0, true, false},
        {OURS, "", ok, 0, true, false}, /* a server that knows nothing of draws */
        {OURS, "", ok, 3, false, false},       {OURS, "x", ok, 0, true, true},
        {"", "x", ok, 0, false, true},         {OURS, OURS "x", ok, 0, true, true},
        {"", "", closed, 0, true, true},       {"", "", closed, 0, false, false},
        {"", "", closed, 1, true, false},      {OURS, OURS, closed, 0, true, false},
        {OURS, OURS, closed, 0, false, false}, {OURS, "", closed, 0, true, true},
        {OURS, "x", closed, 0, false, true},   {OURS, "x", closed, 5, false, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct errbuf why = {"untouched"};
        Lottery__V1__Ack ack = make_ack(cases[i].code, cases[i].received, cases[i].named, "");
        assert_int_equal(refusal_is_other_draw(&ack, cases[i].ours, cases[i].is_first, &why),
                         cases[i].is_other);
        assert_int_equal(strcmp(why.text, "untouched") != 0, cases[i].is_other);
    }
}

/* What is wrong is said: by the server, or by us. */
static void test_other_draw_text(void **state)
{
    struct errbuf why;
    Lottery__V1__Ack ack = make_ack(LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED, 0, "x",
                                    "bets are taken for draw x: set \"draw\" to it");

    (void)state;
    assert_true(refusal_is_other_draw(&ack, "", true, &why));
    assert_string_equal(why.text,
                        "ACK_CODE_DRAW_CLOSED, bets are taken for draw x: set \"draw\" to "
                        "it");
    ack = make_ack(LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED, 0, "x", "");
    assert_true(refusal_is_other_draw(&ack, "", true, &why));
    assert_string_equal(why.text,
                        "ACK_CODE_DRAW_CLOSED, the central answers for draw x, and the bets are "
                        "for draw (none): set \"draw\" to the one that they are for");
    ack = make_ack(LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED, 0, "", "");
    assert_true(refusal_is_other_draw(&ack, "", true, &why));
    assert_string_equal(why.text, "ACK_CODE_DRAW_CLOSED");
    ack = make_ack(LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 0, "x", "");
    assert_true(refusal_is_other_draw(&ack, OURS, true, &why));
    assert_string_equal(why.text, "the central answers for draw x, and the bets are for draw " OURS
                                  ": set \"draw\" to the one that they are for");
}

/* Fewer bets than were acknowledged are lost ones, in the answers that say how many there are. */
static void test_short(void **state)
{
    struct errbuf why;
    Lottery__V1__Ack ack = make_ack(LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 7, "", "");

    (void)state;
    assert_false(refusal_is_short(&ack, 0, &why));
    assert_false(refusal_is_short(&ack, 7, &why));
    assert_true(refusal_is_short(&ack, 8, &why));
    assert_string_equal(why.text,
                        "the central has only 7 bets of this agency, and has acknowledged 8");
    ack = make_ack(LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED, 7, "", "it is over");
    assert_true(refusal_is_short(&ack, 8, &why));
    assert_string_equal(
        why.text, "the central has only 7 bets of this agency, and has acknowledged 8: it is over");
    ack.code = LOTTERY__V1__ACK_CODE__ACK_CODE_OFFSET_GAP;
    assert_true(refusal_is_short(&ack, 8, &why));
    ack.code = LOTTERY__V1__ACK_CODE__ACK_CODE_INCOMPLETE;
    assert_true(refusal_is_short(&ack, 8, &why));
    ack.code = LOTTERY__V1__ACK_CODE__ACK_CODE_MALFORMED;
    assert_false(refusal_is_short(&ack, 8, &why));
    ack.code = LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR;
    assert_false(refusal_is_short(&ack, 8, &why));
}

/* More bets than rows are somebody else's, or the file is another one. */
static void test_beyond(void **state)
{
    struct errbuf why;
    const Lottery__V1__Ack ack = make_ack(LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 7, "", "");

    (void)state;
    assert_false(refusal_is_beyond(&ack, 8, &why));
    assert_false(refusal_is_beyond(&ack, 7, &why));
    assert_true(refusal_is_beyond(&ack, 6, &why));
    assert_string_equal(why.text, "the central has 7 bets of this agency, the file only 6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe),        cmocka_unit_test(test_other_draw),
        cmocka_unit_test(test_other_draw_text), cmocka_unit_test(test_short),
        cmocka_unit_test(test_beyond),
    };

    return cmocka_run_group_tests_name("refusal", tests, NULL, NULL);
}
