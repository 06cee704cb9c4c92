/* Which draw a message is for: the one in force, one that is over, or none. */
#include "capture.h"
#include "cmocka_all.h"
#include "dispatch.h"
#include "log.h"
#include "service_fixture.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CODE(name) LOTTERY__V1__ACK_CODE__ACK_CODE_##name

/* A draw of this id is over. */
static void make_past(struct service_fixture *f, const char *id)
{
    struct draw_terms terms = {.mode = DRAW_AUTO};

    (void)snprintf(terms.id, sizeof(terms.id), "%s", id);
    service_fixture_make_past(f, &terms);
}

/* Where the draw has no id, nothing is said of draws; who names one is told to name none. */
static void test_draw_without_id(void **state)
{
    struct service_fixture *f = *state;
    struct side *side = &f->sides[0];

    f->load_status = STATUS_NOTFOUND;
    assert_true(side_bet(side, "", 1, 0, 2));
    service_fixture_end_ops(f);
    side_assert_ack(side, CODE(OK), 2, "", "");
    assert_true(side_bet(&f->sides[1], "x", 1, 2, 1));
    side_assert_ack(&f->sides[1], CODE(DRAW_CLOSED), 0, "", "has no id: leave \"draw\" empty");
    assert_string_equal(f->loaded, "x");
    assert_true(side_finish(&f->sides[1], "x", 1, 2));
    side_assert_ack(&f->sides[1], CODE(DRAW_CLOSED), 0, "", "has no id");
    assert_int_equal(f->sides[1].session.agency, 0);
    assert_true(side_ask(&f->sides[1], "", 1)); /* so it may still have this one */
    service_fixture_end_ops(f);
    side_assert_ack(&f->sides[1], CODE(OK), 2, "", "");
}

/* Where it has one, all messages have to name it, and all answers do. */
static void test_draw_with_id(void **state)
{
    struct service_fixture *f = *state;
    struct side *side = &f->sides[0];

    f->load_status = STATUS_NOTFOUND;
    service_fixture_open_draw(f, "b-2", DRAW_AUTO);
    assert_true(side_bet(&f->sides[1], "", 1, 0, 1));
    side_assert_ack(&f->sides[1], CODE(DRAW_CLOSED), 0, "",
                    "bets are taken for draw b-2: set \"draw\" to it");
    assert_string_equal(f->loaded, "");
    assert_true(side_bet(&f->sides[1], "b", 1, 0, 1));
    side_assert_ack(&f->sides[1], CODE(DRAW_CLOSED), 0, "", "draw b-2");
    assert_true(side_bet(&f->sides[1], "b-22", 1, 0, 1));
    side_assert_ack(&f->sides[1], CODE(DRAW_CLOSED), 0, "", "draw b-2");
    assert_int_equal(f->loads, 3);
    assert_true(side_bet(side, "b-2", 1, 0, 2));
    assert_true(side_finish(side, "b-2", 1, 3));
    assert_true(side_ask(&f->sides[1], "b-2", 3));
    service_fixture_end_ops(f);
    side_assert_ack(side, CODE(OK), 2, "b-2", "");
    side_assert_ack(side, CODE(INCOMPLETE), 2, "b-2", "total differs");
    side_assert_ack(&f->sides[1], CODE(UNKNOWN_AGENCY), 0, "b-2", "1..2");
    assert_int_equal(f->loads, 3);
    assert_false(dispatch_message(&side->session, 77, NULL, 0));
    side_assert_ack(side, CODE(MALFORMED), 2, "b-2", "opcode");
}

/* The message of a session that has a draw already, about another one, is refused when its turn has
 * come, and says nothing about the session's own bets. */
static void test_another_draw(void **state)
{
    struct service_fixture *f = *state;
    struct side *side = &f->sides[0];

    service_fixture_open_draw(f, "b", DRAW_AUTO);
    assert_true(side_bet(side, "b", 1, 0, 2));
    assert_true(side_bet(side, "", 1, 2, 1));
    assert_true(side_finish(side, "c", 1, 2));
    assert_true(side_ask(side, "b", 2));
    assert_true(side_ask(side, "b", 1));
    service_fixture_end_ops(f);
    side_assert_ack(side, CODE(OK), 2, "b", "");
    side_assert_ack(side, CODE(DRAW_CLOSED), 0, "b", "this connection is for draw b");
    side_assert_ack(side, CODE(DRAW_CLOSED), 0, "b", "this connection is for draw b");
    side_assert_ack(side, CODE(UNKNOWN_AGENCY), 2, "b", "agency 2");
    side_assert_ack(side, CODE(OK), 2, "b", "");
    assert_int_equal(f->loads, 0);
    service_fixture_open_draw(f, "", DRAW_AUTO);
    assert_true(side_ask(side, "", 1));
    assert_true(side_ask(side, "c", 1));
    service_fixture_end_ops(f);
    side_assert_ack(side, CODE(OK), 0, "", "");
    side_assert_ack(side, CODE(DRAW_CLOSED), 0, "", "this connection is for the draw without id");
    assert_int_equal(f->loads, 0);
}

/* A name that cannot be an id is never looked for, and whoever goes on is closed like anybody who
 * is no agency.
 */
static void test_names_that_are_no_ids(void **state)
{
    static const char *const names[] = {
        "..",      "/",
        ".",       "../b",
        "b/..",    "/etc",
        "current", "-b",
        "_",       "b c",
        "b\n",     "\xc3\xa9",
        "b.",      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    static char long_name[8000];
    static const uint8_t with_nul[] = "\x08\x01\x2a\x03"
                                      "b\0c";
    struct service_fixture *f = *state;
    struct side *side = &f->sides[0];

    memset(long_name, 'a', sizeof(long_name) - 1);
    service_fixture_open_draw(f, "b", DRAW_AUTO);
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_true(side_bet(side, names[i], 1, 0, 1));
        side_assert_ack(side, CODE(DRAW_CLOSED), 0, "", "draw b");
        side_reconnect(f, side);
    }
    assert_true(side_ask(side, long_name, 1));
    side_assert_ack(side, CODE(DRAW_CLOSED), 0, "", "draw b");
    assert_true(dispatch_message(&side->session, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, with_nul,
                                 sizeof(with_nul) - 1));
    side_assert_ack(side, CODE(DRAW_CLOSED), 0, "", "draw b");
    assert_int_equal(f->loads, 0);
    for (unsigned i = 2; i < SESSION_REFUSALS_MAX; i++) {
        bool goes_on = i % 2 == 0 ? side_ask(side, "..", 1) : side_finish(side, "..", 1, 0);
        assert_int_equal(goes_on, i + 1 < SESSION_REFUSALS_MAX);
    }
    assert_int_equal(side->finishes, 1);
}

/* A draw that is over answers as it did when it ended, at once. */
static void test_past_draw(void **state)
{
    static const char *const ids[] = {"a", ""};
    struct service_fixture *f = *state;

    for (size_t i = 0; i < COUNT(ids); i++) {
        const char *id = ids[i];
        struct side *side = &f->sides[0];
        f->loads = 0;
        make_past(f, id);
        service_fixture_open_draw(f, "b", DRAW_AUTO);
        assert_true(side_ask(side, id, 1));
        side_assert_ack(side, CODE(OK), 4, id, "");
        assert_true(side_bet(side, id, 1, 0, 4)); /* known */
        side_assert_ack(side, CODE(OK), 4, id, "");
        assert_true(side_bet(side, id, 1, 2, 3)); /* the last one is new */
        side_assert_ack(side, CODE(DRAW_CLOSED), 4, id, "ask for the winners with Finished");
        assert_true(side_bet(side, id, 1, 5, 1));
        side_assert_ack(side, CODE(OFFSET_GAP), 4, id, "offset");
        assert_true(side_finish(side, id, 1, 3));
        side_assert_ack(side, CODE(INCOMPLETE), 4, id, "total");
        assert_true(side_ask(side, id, 2));
        side_assert_ack(side, CODE(UNKNOWN_AGENCY), 4, id, "agency 2");
        assert_true(side_finish(side, id, 1, 4));
        side_assert_winners(side, 1, 2);
        assert_true(session_is_idle(&side->session));
        assert_true(side_finish(side, id, 1, 4)); /* as often as it likes */
        side_assert_winners(side, 1, 2);
        assert_true(side_finish(&f->sides[1], id, 2, 0));
        side_assert_winners(&f->sides[1], 2, 0);
        assert_true(side_ask(&f->sides[2], id, 3));
        side_assert_ack(&f->sides[2], CODE(UNKNOWN_AGENCY), 0, id, "1..2");
        assert_int_equal(f->loads, 1);
        assert_string_equal(f->loaded, id);
        assert_true(list_is_empty(&f->ledger.ops));
        side_assert_silent(side);
    }
}

/* What an agency says of its bets is compared, where the ledger would compare it. */
static void test_content_of_past_draw(void **state)
{
    struct service_fixture *f = *state;
    struct side *side = &f->sides[0];
    static const struct {
        uint64_t offset;
        size_t count;
        bool is_right;
        Lottery__V1__AckCode code;
    } cases[] = {
        {4, 0, true, CODE(OK)},          {4, 0, false, CODE(CONTENT_MISMATCH)},
        {3, 0, false, CODE(OK)}, /* not of as many as there are */
        {2, 2, true, CODE(OK)},          {2, 2, false, CODE(CONTENT_MISMATCH)},
        {2, 3, true, CODE(DRAW_CLOSED)}, {2, 3, false, CODE(CONTENT_MISMATCH)},
        {1, 2, false, CODE(OK)}, /* ends before the last one */
        {4, 1, true, CODE(DRAW_CLOSED)}, {4, 1, false, CODE(CONTENT_MISMATCH)},
    };

    make_past(f, "a");
    service_fixture_open_draw(f, "b", DRAW_AUTO);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct side_content content = {
            service_fixture_checksum(1, cases[i].offset) + !cases[i].is_right, true};
        assert_true(side_send_bets(side, "a", 1, cases[i].offset, cases[i].count, content));
        struct frame frame = side_next(side, LOTTERY__V1__OPCODE__OPCODE_ACK);
        Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame.body_size, frame.body);
        assert_non_null(ack);
        if (ack->code != cases[i].code)
            fail_msg("case %zu: code %d", i, ack->code);
        assert_int_equal(ack->received, 4);
        assert_int_equal(ack->checksum.len, BETS_CHECKSUM_SIZE);
        assert_int_equal(little_get32(ack->checksum.data), service_fixture_checksum(1, 4));
        assert_int_equal(ack->stored, 0);
        lottery__v1__ack__free_unpacked(ack, NULL);
    }
}

/* Bad bets are refused there as well, and what is said then is of that draw. */
static void test_bad_bets_of_past_draw(void **state)
{
    static const uint8_t nameless[] = "\x08\x01\x1a\x05\x12\x03Paz\x2a\x01"
                                      "a";
    struct service_fixture *f = *state;

    make_past(f, "a");
    service_fixture_open_draw(f, "b", DRAW_AUTO);
    assert_true(dispatch_message(&f->sides[0].session, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS,
                                 nameless, sizeof(nameless) - 1));
    side_assert_ack(&f->sides[0], CODE(INVALID_BET), 4, "a", "bet 0");
    assert_true(list_is_empty(&f->ledger.ops));
}

/* The agency is told that there is no such draw if its folder cannot be used, and to try later if
 * that may change by itself. The log says why. */
static void test_past_draw_that_cannot_be_read(void **state)
{
    static const struct {
        enum status status;
        Lottery__V1__AckCode code;
        bool is_logged;
    } cases[] = {{STATUS_NOTFOUND, CODE(DRAW_CLOSED), false},
                 {STATUS_DAMAGED, CODE(DRAW_CLOSED), true},
                 {STATUS_NOMEM, CODE(STORAGE_ERROR), true},
                 {STATUS_IO, CODE(STORAGE_ERROR), true}};
    struct service_fixture *f = *state;

    make_past(f, "a");
    service_fixture_open_draw(f, "b", DRAW_AUTO);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct capture capture;
        f->load_status = cases[i].status;
        log_set_level(LOG_WARNING);
        capture_begin(&capture);
        bool goes_on = side_ask(&f->sides[0], "a", 1);
        capture_end(&capture);
        log_set_level(LOG_CRITICAL);
        assert_true(goes_on);
        side_assert_ack(&f->sides[0], cases[i].code, 0, "", "");
        bool is_logged = strstr(capture.text, "action: past_draw | result: fail | draw: a | "
                                              "reason: broken on purpose") != NULL;
        if (is_logged != cases[i].is_logged)
            fail_msg("%s: log: %s", status_text(cases[i].status), capture.text);
        capture_free(&capture);
    }
    assert_int_equal(f->loads, COUNT(cases));
    f->load_status = STATUS_OK;
    assert_true(side_ask(&f->sides[0], "a", 1));
    side_assert_ack(&f->sides[0], CODE(OK), 4, "a", "");
}

/* A draw that is not over is no past draw, nor is the copy of another one's folder. */
static void test_folders_of_others(void **state)
{
    struct service_fixture *f = *state;

    service_fixture_open_draw(f, "b", DRAW_AUTO);
    assert_true(side_ask(&f->sides[0], "", 1)); /* `past` is open */
    side_assert_ack(&f->sides[0], CODE(DRAW_CLOSED), 0, "", "draw b");
    make_past(f, "a");
    service_fixture_open_draw(f, "b", DRAW_AUTO);
    assert_true(side_ask(&f->sides[0], "copy", 1));
    side_assert_ack(&f->sides[0], CODE(DRAW_CLOSED), 0, "", "draw b");
    assert_int_equal(f->loads, 2);
}

/* A draw that an operator has closed early: the agency learns what is in it, and waits. */
static void test_closed_early(void **state)
{
    struct service_fixture *f = *state;
    struct side *side = &f->sides[0];

    service_fixture_open_draw(f, "b", DRAW_MANUAL);
    assert_true(side_bet(side, "b", 1, 0, 4));
    service_fixture_end_ops(f);
    side_assert_ack(side, CODE(OK), 4, "b", "");
    memory_ledger_close_early(&f->ledger);
    assert_true(side_bet(side, "b", 1, 4, 1));
    assert_true(side_bet(side, "b", 1, 3, 1));
    assert_true(side_finish(side, "b", 1, 5));
    assert_true(side_finish(side, "b", 1, 4));
    assert_true(side_bet(&f->sides[1], "", 2, 0, 1));
    service_fixture_end_ops(f);
    side_assert_ack(side, CODE(DRAW_CLOSED), 4, "b", "closed: ask for the winners with Finished");
    side_assert_ack(side, CODE(OK), 4, "b", "");
    side_assert_ack(side, CODE(INCOMPLETE), 4, "b", "total differs");
    side_assert_silent(side);
    assert_int_equal(side->session.state, SESSION_WAITING);
    side_assert_ack(&f->sides[1], CODE(DRAW_CLOSED), 0, "", "no such draw here; the last one is b");
    memory_ledger_give_number(&f->ledger, SERVICE_NUMBER, "the drum");
    service_fixture_tell(f);
    Lottery__V1__Winners *winners = side_take_winners(side, 1, 2);
    assert_non_null(winners->drawn);
    assert_int_equal(winners->drawn->number, SERVICE_NUMBER);
    assert_string_equal(winners->drawn->source, "the drum");
    assert_string_equal(winners->drawn->note, "");
    lottery__v1__winners__free_unpacked(winners, NULL);
}

/* Who finishes in an automatic draw hears what it always heard. */
static void test_closed_by_itself(void **state)
{
    struct service_fixture *f = *state;

    for (uint32_t agency = 1; agency <= 2; agency++)
        assert_true(side_finish(&f->sides[agency], "", agency, 0));
    service_fixture_end_ops(f);
    memory_ledger_draw(&f->ledger);
    service_fixture_tell(f);
    side_assert_winners(&f->sides[1], 1, 0);
    assert_true(side_bet(&f->sides[1], "", 1, 0, 1));
    service_fixture_end_ops(f);
    side_assert_ack(&f->sides[1], CODE(DRAW_CLOSED), 0, "", status_text(STATUS_CLOSED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_draw_without_id, service_fixture_begin,
                                        service_fixture_end),
        cmocka_unit_test_setup_teardown(test_draw_with_id, service_fixture_begin,
                                        service_fixture_end),
        cmocka_unit_test_setup_teardown(test_another_draw, service_fixture_begin,
                                        service_fixture_end),
        cmocka_unit_test_setup_teardown(test_names_that_are_no_ids, service_fixture_begin,
                                        service_fixture_end),
        cmocka_unit_test_setup_teardown(test_past_draw, service_fixture_begin, service_fixture_end),
        cmocka_unit_test_setup_teardown(test_content_of_past_draw, service_fixture_begin,
                                        service_fixture_end),
        cmocka_unit_test_setup_teardown(test_bad_bets_of_past_draw, service_fixture_begin,
                                        service_fixture_end),
        cmocka_unit_test_setup_teardown(test_past_draw_that_cannot_be_read, service_fixture_begin,
                                        service_fixture_end),
        cmocka_unit_test_setup_teardown(test_folders_of_others, service_fixture_begin,
                                        service_fixture_end),
        cmocka_unit_test_setup_teardown(test_closed_early, service_fixture_begin,
                                        service_fixture_end),
        cmocka_unit_test_setup_teardown(test_closed_by_itself, service_fixture_begin,
                                        service_fixture_end),
    };

    return cmocka_run_group_tests_name("service_draws", tests, NULL, NULL);
}
