#include "alloc_fault.h"
#include "cmocka_all.h"
#include "draw.h"
#include "prng.h"

#include <stdio.h>
#include <string.h>

#define WINNER 7574
#define AGENCIES 3
#define DEADLINE 5000 /* of the manual draws of these tests that have one */

/* Records, as short as the tables of this file need them. */
static struct draw_record opened(uint32_t agencies)
{
    return (struct draw_record){.type = DRAW_OPENED,
                                .opened = {.agencies = agencies, .winner_number = WINNER}};
}

static struct draw_record agencies(uint32_t count)
{
    return (struct draw_record){.type = DRAW_AGENCIES, .agencies = count};
}

/* Stands for the checksum of the agency's first `count` bets. */
static uint32_t sum_of(uint32_t agency, uint64_t count)
{
    return count > 0 ? agency * 1000 + (uint32_t)count : 0;
}

static struct draw_record bets(uint32_t agency, uint64_t offset, uint32_t count)
{
    return (struct draw_record){.type = DRAW_BETS,
                                .bets = {.agency = agency,
                                         .count = count,
                                         .offset = offset,
                                         .checksum = sum_of(agency, offset + count)}};
}

/* The same, from an agency that says of the bets that are known that their checksum is `claimed`.
 */
static struct draw_record bets_after(uint32_t agency, uint64_t offset, uint32_t count,
                                     uint32_t claimed)
{
    struct draw_record record = bets(agency, offset, count);

    record.bets.claimed = (struct bets_checksum){claimed, true};
    return record;
}

static struct draw_record finished(uint32_t agency, uint64_t total)
{
    return (struct draw_record){.type = DRAW_FINISHED,
                                .finished = {.agency = agency, .total = total}};
}

static struct draw_record finished_with(uint32_t agency, uint64_t total, uint32_t claimed)
{
    struct draw_record record = finished(agency, total);

    record.finished.claimed = (struct bets_checksum){claimed, true};
    return record;
}

static struct draw_record closing(void)
{
    return (struct draw_record){
        .type = DRAW_CLOSING,
        .closed = {.time_s = 4711, .by = DRAW_BY_ALL_FINISHED, .extent = 99, .salt = {1, 2, 3}}};
}

static struct draw_record drawing(uint64_t winners)
{
    return (struct draw_record){
        .type = DRAW_DRAWING,
        .drawn = {.time_s = 4712, .winner_number = WINNER, .winners = winners, .winners_size = 8}};
}

/* The beginning of a draw that operators run; the time is UTC, 0: none. */
static struct draw_record opened_manual(bool has_seal, uint64_t close_at_s)
{
    return (struct draw_record){.type = DRAW_OPENED,
                                .opened = {.agencies = AGENCIES,
                                           .terms = {.mode = DRAW_MANUAL,
                                                     .has_seal = has_seal,
                                                     .close_at_s = close_at_s,
                                                     .id = "x"}}};
}

static struct draw_record closing_by(enum draw_closed_by by, uint64_t time_s, uint32_t uid)
{
    struct draw_record record = closing();

    record.closed.by = by;
    record.closed.time_s = time_s;
    record.closed.uid = uid;
    return record;
}

static struct draw_record sealing(uint8_t first)
{
    return (struct draw_record){.type = DRAW_SEALING,
                                .sealed = {.time_s = 4713, .root = {first, 9}}};
}

static struct draw_record drawing_of(uint32_t number, uint32_t uid, const char *source)
{
    struct draw_record record = drawing(1);

    record.drawn.winner_number = number;
    record.drawn.uid = uid;
    record.drawn.source = (struct text){source, source != NULL ? strlen(source) : 0};
    return record;
}

static struct draw_record act(const char *text)
{
    return (struct draw_record){.type = DRAW_ACT,
                                .act = {.time_s = 4714, .uid = 1000, .text = text_of(text)}};
}

static bool is_same_text(struct text a, struct text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool is_same_closed(const struct draw_closed *a, const struct draw_closed *b)
{
    return a->time_s == b->time_s && a->by == b->by && a->uid == b->uid && a->bets == b->bets &&
           a->extent == b->extent && memcmp(a->salt, b->salt, sizeof(a->salt)) == 0;
}

static bool is_same_drawn(const struct draw_drawn *a, const struct draw_drawn *b)
{
    return a->time_s == b->time_s && a->winner_number == b->winner_number &&
           a->winners == b->winners && a->winners_size == b->winners_size &&
           a->winners_crc == b->winners_crc && a->uid == b->uid &&
           is_same_text(a->source, b->source) && memcmp(a->root, b->root, DRAW_ROOT_SIZE) == 0;
}

static void assert_same_terms(const struct draw_terms *a, const struct draw_terms *b)
{
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->has_seal, b->has_seal);
    assert_int_equal(a->close_at_s, b->close_at_s);
    assert_string_equal(a->id, b->id);
}

static void assert_same_acts(const struct draw *a, const struct draw *b)
{
    assert_int_equal(a->acts_count, b->acts_count);
    for (size_t i = 0; i < a->acts_count; i++) {
        assert_int_equal(a->acts[i]->time_s, b->acts[i]->time_s);
        assert_int_equal(a->acts[i]->uid, b->acts[i]->uid);
        assert_true(is_same_text(a->acts[i]->text, b->acts[i]->text));
    }
}

static void assert_same(const struct draw *a, const struct draw *b)
{
    assert_int_equal(a->phase, b->phase);
    assert_int_equal(a->agencies, b->agencies);
    assert_int_equal(a->finished, b->finished);
    assert_int_equal(a->winner_number, b->winner_number);
    assert_int_equal(a->bets, b->bets);
    for (uint32_t i = 1; i <= a->agencies; i++) {
        assert_int_equal(a->agency[i].received, b->agency[i].received);
        assert_int_equal(a->agency[i].checksum, b->agency[i].checksum);
        assert_int_equal(a->agency[i].has_finished, b->agency[i].has_finished);
    }
    assert_same_terms(&a->terms, &b->terms);
    assert_true(is_same_closed(&a->closed, &b->closed));
    assert_int_equal(a->is_sealed, b->is_sealed);
    assert_int_equal(a->sealed.time_s, b->sealed.time_s);
    assert_memory_equal(a->sealed.root, b->sealed.root, DRAW_ROOT_SIZE);
    assert_true(is_same_drawn(&a->drawn, &b->drawn));
    assert_same_acts(a, b);
}

/* A copy for comparisons, while the acts that there are stay. Its text is the original's, which
 * nobody changes once it is there. */
static struct draw copy_of(const struct draw *draw)
{
    struct draw copy = *draw;

    copy.acts = NULL;
    if (draw->acts_count > 0) {
        size_t size = draw->acts_count * sizeof(struct draw_act *);
        copy.acts = test_malloc(size);
        memcpy(copy.acts, draw->acts, size);
    }
    copy.agency = NULL;
    if (draw->agency != NULL) {
        size_t size = ((size_t)draw->agencies + 1) * sizeof(*draw->agency);
        copy.agency = test_malloc(size);
        memcpy(copy.agency, draw->agency, size);
    }
    return copy;
}

static void free_copy(struct draw *copy)
{
    if (copy->agency != NULL)
        test_free(copy->agency);
    if (copy->acts != NULL)
        test_free(copy->acts);
}

/* Applies one record, and checks that the state changes if and only if the record is recorded. */
static struct draw_outcome apply(struct draw *draw, struct draw_record record)
{
    struct draw before = copy_of(draw);
    struct draw_outcome outcome = draw_apply(draw, &record);

    if (!outcome.is_recorded)
        assert_same(draw, &before);
    else
        assert_int_equal(outcome.status, STATUS_OK);
    free_copy(&before);
    return outcome;
}

static void assert_accepted(struct draw *draw, struct draw_record record)
{
    assert_true(apply(draw, record).is_recorded);
}

static void assert_refused(struct draw *draw, struct draw_record record, enum status status)
{
    struct draw_outcome outcome = apply(draw, record);

    assert_false(outcome.is_recorded);
    assert_int_equal(outcome.status, status);
}

/* Known already: OK, and nothing changes. */
static void assert_known(struct draw *draw, struct draw_record record)
{
    assert_refused(draw, record, STATUS_OK);
}

/* A draw of three agencies, in which the first one has sent four bets. */
static void begin(struct draw *draw)
{
    draw_init(draw);
    assert_accepted(draw, opened(AGENCIES));
    assert_accepted(draw, bets(1, 0, 4));
}

static void finish_all(struct draw *draw)
{
    for (uint32_t i = 1; i <= draw->agencies; i++)
        assert_accepted(draw, finished(i, draw_received(draw, i)));
}

/* Nothing comes before `opened`, which comes once. */
static void test_opened(void **state)
{
    struct draw draw;

    (void)state;
    draw_init(&draw);
    assert_refused(&draw, agencies(3), STATUS_CLOSED);
    assert_refused(&draw, bets(1, 0, 1), STATUS_UNKNOWN_AGENCY);
    assert_refused(&draw, finished(1, 0), STATUS_UNKNOWN_AGENCY);
    assert_refused(&draw, closing(), STATUS_CLOSED);
    assert_refused(&draw, drawing(0), STATUS_CLOSED);
    assert_refused(&draw, sealing(1), STATUS_CLOSED);
    assert_refused(&draw, act("close"), STATUS_INVALID);
    assert_accepted(&draw, opened(2));
    assert_int_equal(draw.phase, DRAW_OPEN);
    assert_int_equal(draw.agencies, 2);
    assert_int_equal(draw.winner_number, WINNER);
    assert_refused(&draw, opened(2), STATUS_CLOSED);
    draw_fini(&draw);
    assert_int_equal(draw.phase, DRAW_NEW);
    assert_null(draw.agency);
}

/* What a draw may be opened with, and what contradicts itself. */
static void test_terms(void **state)
{
    static const struct {
        struct draw_terms terms;
        uint32_t number;
        bool is_right;
    } cases[] = {
        {{.mode = DRAW_AUTO}, 0, true},
        {{.mode = DRAW_AUTO}, WINNER, true},
        {{.mode = DRAW_AUTO, .has_seal = true, .id = "a"}, WINNER, true},
        {{.mode = DRAW_AUTO, .close_at_s = 1}, WINNER, false},
        {{.mode = DRAW_MANUAL}, 0, true},
        {{.mode = DRAW_MANUAL}, 1, false},
        {{.mode = DRAW_MANUAL, .has_seal = true, .close_at_s = DRAW_TIME_MAX}, 0, true},
        {{.mode = DRAW_MANUAL, .close_at_s = DRAW_TIME_MAX + 1}, 0, false},
        {{.mode = (enum draw_mode)2}, 0, false},
        {{.id = "2026-11-25-nocturna"}, WINNER, true},
        {{.id = "current"}, WINNER, false},
        {{.id = "-a"}, WINNER, false},
        {{.id = "a/b"}, WINNER, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct draw_record record = opened(2);
        struct draw draw;
        record.opened.terms = cases[i].terms;
        record.opened.winner_number = cases[i].number;
        draw_init(&draw);
        if (cases[i].is_right) {
            assert_accepted(&draw, record);
            assert_same_terms(&draw.terms, &cases[i].terms);
        } else {
            assert_refused(&draw, record, STATUS_INVALID);
        }
        draw_fini(&draw);
    }
}

/* The id of what is opened is a string. */
static void test_id_without_end(void **state)
{
    struct draw_record record = opened(1);
    struct draw draw;

    (void)state;
    memset(record.opened.terms.id, 'x', sizeof(record.opened.terms.id)); /* has no end */
    draw_init(&draw);
    assert_refused(&draw, record, STATUS_INVALID);
    draw_fini(&draw);
}

/* What an operator may say. */
static void test_texts(void **state)
{
    char longest[DRAW_TEXT_MAX + 1];

    (void)state;
    memset(longest, 'x', sizeof(longest));
    assert_true(draw_is_text((struct text){NULL, 0}));
    assert_true(draw_is_text(text_of("el n\xc3\xbamero | 7574, \"as drawn\"")));
    assert_true(draw_is_text((struct text){longest, DRAW_TEXT_MAX}));
    assert_false(draw_is_text((struct text){longest, DRAW_TEXT_MAX + 1}));
    assert_false(draw_is_text((struct text){"a\0b", 3}));
    assert_false(draw_is_text(text_of("a\nb")));
    assert_false(draw_is_text(text_of("a\x7f")));
    assert_false(draw_is_text(text_of("\xc2\x85"))); /* U+0085, a line's end to some */
    assert_false(draw_is_text(text_of("\xff")));
    assert_false(draw_is_text(text_of("\xc3")));
}

/* Without agencies nobody can send bets, and the draw is never due. */
static void test_no_agencies(void **state)
{
    struct draw draw;

    (void)state;
    draw_init(&draw);
    assert_accepted(&draw, opened(0));
    assert_false(draw_is_due(&draw));
    assert_refused(&draw, closing(), STATUS_INVALID);
    assert_refused(&draw, bets(0, 0, 1), STATUS_UNKNOWN_AGENCY);
    assert_accepted(&draw, agencies(1));
    assert_accepted(&draw, bets(1, 0, 1));
    draw_fini(&draw);
}

/* Agencies are added while the draw is open; what is known of the others stays. */
static void test_agencies(void **state)
{
    struct draw draw;

    (void)state;
    begin(&draw);
    assert_accepted(&draw, finished(1, 4));
    assert_refused(&draw, bets(4, 0, 1), STATUS_UNKNOWN_AGENCY);
    assert_refused(&draw, agencies(2), STATUS_INVALID);
    assert_refused(&draw, agencies(3), STATUS_INVALID);
    assert_accepted(&draw, agencies(5));
    assert_int_equal(draw.agencies, 5);
    assert_int_equal(draw.finished, 1);
    assert_int_equal(draw_received(&draw, 1), 4);
    assert_int_equal(draw_received(&draw, 5), 0);
    assert_accepted(&draw, bets(5, 0, 1));
    assert_known(&draw, finished(1, 4));
    for (uint32_t i = 2; i <= 5; i++)
        assert_accepted(&draw, finished(i, draw_received(&draw, i)));
    assert_accepted(&draw, closing());
    assert_refused(&draw, agencies(6), STATUS_CLOSED);
    draw_fini(&draw);
}

/* A batch is recorded from the first bet on that is not known; one beyond what was received is
 * refused. */
static void test_bets(void **state)
{
    struct draw_record record = bets(1, 1, 8);
    struct draw_outcome outcome;
    struct draw draw;

    (void)state;
    begin(&draw);
    assert_refused(&draw, bets(1, 5, 1), STATUS_GAP);
    assert_refused(&draw, bets(1, UINT64_MAX, 1), STATUS_GAP);
    assert_refused(&draw, bets(0, 0, 1), STATUS_UNKNOWN_AGENCY);
    assert_refused(&draw, bets(AGENCIES + 1, 0, 1), STATUS_UNKNOWN_AGENCY);
    assert_int_equal(apply(&draw, bets(UINT32_MAX, 0, 1)).received, 0);
    assert_known(&draw, bets(1, 0, 4));
    outcome = apply(&draw, bets(1, 1, 2));
    assert_int_equal(outcome.known, 2);
    assert_int_equal(outcome.received, 4);
    outcome = draw_apply(&draw, &record);
    assert_true(outcome.is_recorded);
    assert_int_equal(outcome.known, 3);
    assert_int_equal(outcome.received, 9);
    assert_int_equal(record.bets.offset, 4);
    assert_int_equal(record.bets.count, 5);
    assert_int_equal(draw.bets, 9);
    assert_int_equal(draw_received(&draw, 1), 9);
    assert_int_equal(draw_received(&draw, 0), 0);
    assert_int_equal(draw_received(&draw, AGENCIES + 1), 0);
    draw_fini(&draw);
}

/* Finished needs the right total; then known bets are still OK, and new ones are refused. */
static void test_finished(void **state)
{
    struct draw_outcome outcome;
    struct draw draw;

    (void)state;
    begin(&draw);
    assert_refused(&draw, finished(1, 3), STATUS_INCOMPLETE);
    assert_refused(&draw, finished(1, 5), STATUS_INCOMPLETE);
    assert_refused(&draw, finished(0, 0), STATUS_UNKNOWN_AGENCY);
    assert_refused(&draw, finished(AGENCIES + 1, 0), STATUS_UNKNOWN_AGENCY);
    outcome = apply(&draw, finished(1, 4));
    assert_true(outcome.is_recorded);
    assert_int_equal(outcome.received, 4);
    assert_int_equal(draw.finished, 1);
    assert_known(&draw, finished(1, 4));
    assert_refused(&draw, finished(1, 5), STATUS_INCOMPLETE);
    assert_known(&draw, bets(1, 0, 4));
    assert_refused(&draw, bets(1, 4, 1), STATUS_CLOSED);
    assert_refused(&draw, bets(1, 0, 5), STATUS_CLOSED);
    assert_refused(&draw, bets(1, 5, 1), STATUS_GAP);
    assert_accepted(&draw, bets(2, 0, 1));
    draw_fini(&draw);
}

/* What an agency says of the bets that are known is compared, whatever else there is to say. */
static void test_content(void **state)
{
    struct draw draw;

    (void)state;
    begin(&draw);
    assert_int_equal(draw_checksum(&draw, 1), sum_of(1, 4));
    assert_int_equal(draw_checksum(&draw, 2), 0);
    assert_int_equal(draw_checksum(&draw, AGENCIES + 1), 0);
    assert_accepted(&draw, bets_after(2, 0, 1, 0));
    assert_refused(&draw, bets_after(3, 0, 1, 5), STATUS_MISMATCH);
    assert_refused(&draw, bets_after(1, 4, 1, 5), STATUS_MISMATCH);
    assert_refused(&draw, bets_after(1, 2, 9, 5), STATUS_MISMATCH);
    assert_refused(&draw, bets_after(1, 0, 4, 5), STATUS_MISMATCH);
    assert_refused(&draw, bets_after(1, 5, 1, 5), STATUS_GAP);
    assert_known(&draw, bets_after(1, 0, 4, sum_of(1, 4)));
    assert_accepted(&draw, bets_after(1, 3, 3, sum_of(1, 4)));
    assert_int_equal(draw_checksum(&draw, 1), sum_of(1, 6));
    assert_refused(&draw, finished_with(1, 6, 5), STATUS_MISMATCH);
    assert_refused(&draw, finished_with(1, 5, 5), STATUS_INCOMPLETE);
    assert_accepted(&draw, finished_with(1, 6, sum_of(1, 6)));
    assert_known(&draw, finished_with(1, 6, sum_of(1, 6)));
    assert_refused(&draw, finished_with(1, 6, 5), STATUS_MISMATCH);
    assert_refused(&draw, bets_after(1, 6, 1, 5), STATUS_MISMATCH);
    assert_refused(&draw, bets_after(1, 6, 1, sum_of(1, 6)), STATUS_CLOSED);
    assert_known(&draw, finished(1, 6));
    draw_fini(&draw);
}

static uint32_t known(const struct draw *draw, struct draw_record record)
{
    return draw_known(draw, &record.bets);
}

/* How much of a batch is known, and whether what is said agrees, can be asked before. */
static void test_questions(void **state)
{
    const struct bets_checksum nothing = {5, false};
    const struct bets_checksum right = {sum_of(1, 4), true};
    const struct bets_checksum wrong = {5, true};
    struct draw draw;

    (void)state;
    begin(&draw);
    assert_int_equal(known(&draw, bets(1, 0, 3)), 3);
    assert_int_equal(known(&draw, bets(1, 0, 4)), 4);
    assert_int_equal(known(&draw, bets(1, 1, 9)), 3);
    assert_int_equal(known(&draw, bets(1, 4, 1)), 0);
    assert_int_equal(known(&draw, bets(1, UINT64_MAX, 1)), 0);
    assert_int_equal(known(&draw, bets(AGENCIES + 1, 0, 1)), 0);
    assert_true(draw_agrees(&draw, 1, &nothing));
    assert_true(draw_agrees(&draw, 1, &right));
    assert_false(draw_agrees(&draw, 1, &wrong));
    assert_false(draw_agrees(&draw, 2, &right));
    draw_fini(&draw);
}

/* The draw is closed when all have finished, and fixes what counts. */
static void test_closed(void **state)
{
    struct draw_record record = closing();
    struct draw draw;

    (void)state;
    begin(&draw);
    assert_refused(&draw, closing(), STATUS_INVALID);
    assert_accepted(&draw, bets(3, 0, 2));
    assert_false(draw_is_due(&draw));
    finish_all(&draw);
    assert_true(draw_is_due(&draw));
    record.closed.bets = 4711; /* only draw_apply knows */
    assert_true(draw_apply(&draw, &record).is_recorded);
    assert_int_equal(draw.phase, DRAW_CLOSED);
    assert_int_equal(record.closed.bets, 6);
    assert_true(is_same_closed(&record.closed, &draw.closed));
    assert_false(draw_is_due(&draw));
    assert_refused(&draw, closing(), STATUS_CLOSED);
    assert_refused(&draw, opened(AGENCIES), STATUS_CLOSED);
    assert_known(&draw, bets(1, 0, 4));
    assert_known(&draw, finished(1, 4));
    assert_refused(&draw, bets(1, 0, 5), STATUS_CLOSED);
    assert_refused(&draw, finished(1, 5), STATUS_INCOMPLETE);
    draw_fini(&draw);
}

/* A draw of that kind in which the first agency has sent four bets and finished, the second one has
 * sent three, and the third one nothing. */
static void begin_manual(struct draw *draw, bool has_seal, uint64_t close_at_s)
{
    draw_init(draw);
    assert_accepted(draw, opened_manual(has_seal, close_at_s));
    assert_accepted(draw, bets(1, 0, 4));
    assert_accepted(draw, finished(1, 4));
    assert_accepted(draw, bets(2, 0, 3));
}

/* Each reason for a closing, where it is right and where it is not. */
static void test_reasons(void **state)
{
    static const struct {
        struct draw_terms terms;
        bool has_all; /* all have finished */
        enum draw_closed_by by;
        uint64_t time_s;
        uint32_t uid;
        bool is_right;
    } cases[] = {
        {{.mode = DRAW_AUTO}, true, DRAW_BY_ALL_FINISHED, 1, 0, true},
        {{.mode = DRAW_AUTO}, false, DRAW_BY_ALL_FINISHED, 1, 0, false},
        {{.mode = DRAW_AUTO}, true, DRAW_BY_ALL_FINISHED, 1, 5, false},
        {{.mode = DRAW_AUTO}, true, DRAW_BY_DEADLINE, 1, 0, false},
        {{.mode = DRAW_AUTO}, true, DRAW_BY_OPERATOR, 1, 5, false},
        {{.mode = DRAW_AUTO}, true, (enum draw_closed_by)0, 1, 0, false},
        {{.mode = DRAW_MANUAL}, true, DRAW_BY_ALL_FINISHED, 1, 0, true},
        {{.mode = DRAW_MANUAL}, false, DRAW_BY_ALL_FINISHED, 1, 0, false},
        {{.mode = DRAW_MANUAL}, false, DRAW_BY_DEADLINE, UINT64_MAX, 0, false},
        {{.mode = DRAW_MANUAL}, false, DRAW_BY_OPERATOR, 1, 5, true},
        {{.mode = DRAW_MANUAL}, false, DRAW_BY_OPERATOR, 1, 0, true}, /* of root */
        {{.mode = DRAW_MANUAL}, false, (enum draw_closed_by)4, 1, 0, false},
        {{.mode = DRAW_MANUAL, .close_at_s = 50}, false, DRAW_BY_DEADLINE, 49, 0, false},
        {{.mode = DRAW_MANUAL, .close_at_s = 50}, false, DRAW_BY_DEADLINE, 50, 0, true},
        {{.mode = DRAW_MANUAL, .close_at_s = 50}, false, DRAW_BY_DEADLINE, 51, 0, true},
        {{.mode = DRAW_MANUAL, .close_at_s = 50}, false, DRAW_BY_DEADLINE, 51, 5, false},
        {{.mode = DRAW_MANUAL, .close_at_s = 50}, false, DRAW_BY_OPERATOR, 49, 5, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct draw_record record = opened_manual(false, 0);
        struct draw draw;
        record.opened.terms = cases[i].terms;
        draw_init(&draw);
        assert_accepted(&draw, record);
        assert_accepted(&draw, bets(1, 0, 4));
        if (cases[i].has_all)
            finish_all(&draw);
        record = closing_by(cases[i].by, cases[i].time_s, cases[i].uid);
        if (!cases[i].is_right) {
            assert_refused(&draw, record, STATUS_INVALID);
        } else {
            assert_accepted(&draw, record);
            assert_int_equal(draw.closed.by, cases[i].by);
            assert_int_equal(draw.closed.uid, cases[i].uid);
            assert_int_equal(draw.closed.bets, 4);
        }
        draw_fini(&draw);
    }
}

/* The closing time counts in an open draw that has one. */
static void test_deadline(void **state)
{
    struct draw draw;

    (void)state;
    draw_init(&draw);
    assert_false(draw_is_past_deadline(&draw, UINT64_MAX));
    assert_accepted(&draw, opened_manual(false, DEADLINE));
    assert_false(draw_is_past_deadline(&draw, 0));
    assert_false(draw_is_past_deadline(&draw, DEADLINE - 1));
    assert_true(draw_is_past_deadline(&draw, DEADLINE));
    assert_true(draw_is_past_deadline(&draw, UINT64_MAX));
    assert_accepted(&draw, closing_by(DRAW_BY_DEADLINE, DEADLINE, 0));
    assert_false(draw_is_past_deadline(&draw, DEADLINE));
    draw_fini(&draw);
    begin_manual(&draw, false, 0);
    assert_false(draw_is_past_deadline(&draw, UINT64_MAX));
    draw_fini(&draw);
}

/* After a draw was closed early, an agency that has not finished still says how many bets it sent;
 * that is not recorded. */
static void test_closed_early(void **state)
{
    struct draw draw;

    (void)state;
    begin_manual(&draw, false, 0);
    assert_accepted(&draw, closing_by(DRAW_BY_OPERATOR, 1, 1000));
    assert_known(&draw, finished(1, 4));
    assert_known(&draw, finished(2, 3));
    assert_known(&draw, finished(3, 0));
    assert_false(draw.agency[2].has_finished);
    assert_int_equal(draw.finished, 1);
    assert_refused(&draw, finished(2, 4), STATUS_INCOMPLETE);
    assert_refused(&draw, finished_with(2, 3, 5), STATUS_MISMATCH);
    assert_known(&draw, bets(2, 0, 3));
    assert_refused(&draw, bets(2, 0, 4), STATUS_CLOSED);
    assert_refused(&draw, bets(2, 3, 1), STATUS_CLOSED);
    assert_refused(&draw, closing_by(DRAW_BY_OPERATOR, 1, 1000), STATUS_CLOSED);
    assert_refused(&draw, agencies(AGENCIES + 1), STATUS_CLOSED);
    draw_fini(&draw);
}

/* A draw is sealed once, after its closing, if it is to be; and not drawn before. */
static void test_sealed(void **state)
{
    struct draw draw;

    (void)state;
    begin_manual(&draw, true, 0);
    assert_refused(&draw, sealing(1), STATUS_CLOSED);
    assert_refused(&draw, drawing_of(1, 0, ""), STATUS_CLOSED);
    assert_accepted(&draw, closing_by(DRAW_BY_OPERATOR, 1, 1000));
    assert_refused(&draw, drawing_of(1, 0, ""), STATUS_INVALID);
    assert_accepted(&draw, sealing(1));
    assert_true(draw.is_sealed);
    assert_int_equal(draw.phase, DRAW_CLOSED);
    assert_int_equal(draw.sealed.time_s, 4713);
    assert_known(&draw, sealing(1));
    assert_refused(&draw, sealing(2), STATUS_CLOSED);
    assert_accepted(&draw, drawing_of(1, 0, ""));
    assert_known(&draw, sealing(1));
    assert_refused(&draw, sealing(2), STATUS_CLOSED);
    draw_fini(&draw);

    begin_manual(&draw, false, 0);
    assert_refused(&draw, sealing(1), STATUS_CLOSED);
    assert_accepted(&draw, closing_by(DRAW_BY_OPERATOR, 1, 1000));
    assert_refused(&draw, sealing(1), STATUS_INVALID);
    assert_accepted(&draw, drawing_of(1, 0, ""));
    assert_refused(&draw, sealing(1), STATUS_INVALID);
    draw_fini(&draw);
}

/* An automatic draw may be sealed, too. */
static void test_sealed_auto(void **state)
{
    struct draw_record record = opened(AGENCIES);
    struct draw draw;

    (void)state;
    draw_init(&draw);
    record.opened.terms.has_seal = true;
    assert_accepted(&draw, record);
    finish_all(&draw);
    assert_accepted(&draw, closing());
    assert_refused(&draw, drawing(1), STATUS_INVALID);
    assert_accepted(&draw, sealing(1));
    assert_refused(&draw, drawing_of(WINNER + 1, 0, NULL), STATUS_INVALID);
    assert_accepted(&draw, drawing(1));
    assert_memory_equal(draw.drawn.root, draw.sealed.root, DRAW_ROOT_SIZE);
    draw_fini(&draw);
}

/* What the number of a draw may come with. */
static void test_numbers(void **state)
{
    static char too_long[DRAW_TEXT_MAX + 2];
    static const struct {
        enum draw_mode mode;
        uint32_t number;
        uint32_t uid;
        const char *source;
        bool is_right;
    } cases[] = {
        {DRAW_AUTO, WINNER, 0, NULL, true},
        {DRAW_AUTO, WINNER, 0, "", true},
        {DRAW_AUTO, WINNER - 1, 0, NULL, false},
        {DRAW_AUTO, WINNER, 1000, NULL, false},
        {DRAW_AUTO, WINNER, 0, "television", false},
        {DRAW_MANUAL, 0, 0, NULL, true},
        {DRAW_MANUAL, 9999, 1000, "", true},
        {DRAW_MANUAL, 10000, 1000, "", false},
        {DRAW_MANUAL, WINNER, UINT32_MAX, "lotería, televisión", true},
        {DRAW_MANUAL, WINNER, 1000, too_long + 1, true},
        {DRAW_MANUAL, WINNER, 1000, too_long, false},
        {DRAW_MANUAL, WINNER, 1000, "two\nlines", false},
        {DRAW_MANUAL, WINNER, 1000, "\xff", false},
    };

    (void)state;
    memset(too_long, 's', DRAW_TEXT_MAX + 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct draw_record record = opened(AGENCIES);
        struct draw draw;
        draw_init(&draw);
        if (cases[i].mode == DRAW_MANUAL)
            record = opened_manual(false, 0);
        assert_accepted(&draw, record);
        finish_all(&draw);
        assert_accepted(&draw, closing());
        record = drawing_of(cases[i].number, cases[i].uid, cases[i].source);
        if (cases[i].is_right) {
            assert_accepted(&draw, record);
            assert_true(is_same_drawn(&draw.drawn, &record.drawn));
            assert_true(draw.drawn.source.data == draw.source);
        } else {
            assert_refused(&draw, record, STATUS_INVALID);
        }
        draw_fini(&draw);
    }
}

/* The text and the root of a number are the state's own: what the record said is not needed any
 * more, and the root is the seal's, whatever the record said. */
static void test_drawn_keeps_its_own(void **state)
{
    char source[] = "the machine in room 4";
    struct draw_record record = drawing_of(5, 1000, source);
    struct draw draw;

    (void)state;
    begin_manual(&draw, true, 0);
    assert_accepted(&draw, closing_by(DRAW_BY_OPERATOR, 1, 1000));
    assert_accepted(&draw, sealing(7));
    memset(record.drawn.root, 0xee, DRAW_ROOT_SIZE);
    assert_true(draw_apply(&draw, &record).is_recorded);
    assert_memory_equal(record.drawn.root, draw.sealed.root, DRAW_ROOT_SIZE);
    assert_memory_equal(draw.drawn.root, draw.sealed.root, DRAW_ROOT_SIZE);
    memset(source, 0, sizeof(source));
    assert_true(is_same_text(draw.drawn.source, text_of("the machine in room 4")));
    draw_fini(&draw);
}

/* Acts are kept in their order, in every phase, with copies of their texts; they change nothing
 * else. */
static void test_acts(void **state)
{
    static const char *const texts[] = {"close", "draw 5: refused, it is not sealed",
                                        "n\xc3\xbamero", "x"};
    char longest[DRAW_TEXT_MAX + 2];
    struct draw draw;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    longest[DRAW_TEXT_MAX + 1] = '\0';
    begin_manual(&draw, false, 0);
    assert_accepted(&draw, act(texts[0]));
    assert_accepted(&draw, closing_by(DRAW_BY_OPERATOR, 1, 1000));
    assert_accepted(&draw, act(texts[1]));
    assert_accepted(&draw, drawing_of(5, 1000, "x"));
    for (size_t i = 2; i < 4; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "%s", texts[i]);
        assert_accepted(&draw, act(text));
        memset(text, 0, sizeof(text));
    }
    assert_accepted(&draw, act(longest + 1));
    assert_refused(&draw, act(longest), STATUS_INVALID);
    assert_refused(&draw, act(""), STATUS_INVALID);
    assert_refused(&draw, act("a\nb"), STATUS_INVALID);
    assert_int_equal(draw.phase, DRAW_DRAWN);
    assert_int_equal(draw.acts_count, 5);
    for (size_t i = 0; i < 4; i++) {
        assert_true(is_same_text(draw.acts[i]->text, text_of(texts[i])));
        assert_int_equal(draw.acts[i]->uid, 1000);
        assert_int_equal(draw.acts[i]->time_s, 4714);
    }
    draw_fini(&draw);
    assert_int_equal(draw.acts_count, 0);

    begin(&draw); /* nobody runs it, and who tries to is noted all the same */
    assert_accepted(&draw, act(texts[0]));
    draw_fini(&draw);
}

/* There is an end to them; then everything else goes on. */
static void test_too_many_acts(void **state)
{
    struct draw_record record = act("status");
    struct draw draw;

    (void)state;
    begin_manual(&draw, false, 0);
    for (unsigned i = 0; i < DRAW_ACTS_MAX; i++)
        assert_true(draw_apply(&draw, &record).is_recorded);
    assert_refused(&draw, record, STATUS_NOSPACE);
    draw_undo(&draw, &record);
    assert_accepted(&draw, record);
    assert_refused(&draw, record, STATUS_NOSPACE);
    assert_accepted(&draw, closing_by(DRAW_BY_OPERATOR, 1, 1000));
    assert_accepted(&draw, drawing_of(5, 1000, "x"));
    draw_fini(&draw);
}

/* A closed draw is drawn once, with its own number; the same outcome again is known. */
static void test_drawn(void **state)
{
    struct draw_record wrong_number = drawing(1);
    struct draw_record later = drawing(1);
    struct draw draw;

    (void)state;
    begin(&draw);
    assert_refused(&draw, drawing(1), STATUS_CLOSED);
    finish_all(&draw);
    assert_refused(&draw, drawing(1), STATUS_CLOSED);
    assert_accepted(&draw, closing());
    wrong_number.drawn.winner_number++;
    assert_refused(&draw, wrong_number, STATUS_INVALID);
    assert_accepted(&draw, drawing(1));
    assert_int_equal(draw.phase, DRAW_DRAWN);
    assert_true(is_same_drawn(&draw.drawn, &later.drawn));
    later.drawn.time_s++;
    assert_known(&draw, later);
    assert_refused(&draw, drawing(2), STATUS_CLOSED);
    assert_refused(&draw, wrong_number, STATUS_CLOSED);
    later.drawn.winners_size++;
    assert_refused(&draw, later, STATUS_CLOSED);
    later = drawing(1);
    later.drawn.winners_crc++;
    assert_refused(&draw, later, STATUS_CLOSED);
    assert_known(&draw, bets(1, 0, 4));
    assert_refused(&draw, closing(), STATUS_CLOSED);
    draw_fini(&draw);
}

/* A type that there is not is refused. */
static void test_unknown_type(void **state)
{
    struct draw_record record = {.type = (enum draw_record_type)(DRAW_ACT + 1)};
    struct draw draw;

    (void)state;
    begin(&draw);
    assert_refused(&draw, record, STATUS_INVALID);
    draw_fini(&draw);
}

static void assert_undone(struct draw *draw, struct draw_record record)
{
    struct draw before = copy_of(draw);

    assert_true(draw_apply(draw, &record).is_recorded);
    draw_undo(draw, &record);
    assert_same(draw, &before);
    free_copy(&before);
}

/* Each type of record that can fail to be written is taken back without a trace. */
static void test_undo(void **state)
{
    struct draw draw;

    (void)state;
    begin(&draw);
    assert_undone(&draw, bets(1, 0, 9));
    assert_undone(&draw, bets(2, 0, 1));
    assert_undone(&draw, finished(1, 4));
    finish_all(&draw);
    assert_undone(&draw, closing());
    assert_true(draw_is_due(&draw));
    assert_accepted(&draw, closing());
    assert_undone(&draw, drawing(1));
    assert_accepted(&draw, drawing(2));
    draw_fini(&draw);
}

/* The same for what an operator does. */
static void test_undo_manual(void **state)
{
    struct draw draw;

    (void)state;
    begin_manual(&draw, true, DEADLINE);
    assert_undone(&draw, act("close"));
    assert_accepted(&draw, act("close"));
    assert_undone(&draw, act("again"));
    assert_undone(&draw, closing_by(DRAW_BY_DEADLINE, DEADLINE, 0));
    assert_true(draw_is_past_deadline(&draw, DEADLINE));
    assert_undone(&draw, closing_by(DRAW_BY_OPERATOR, 1, 1000));
    assert_accepted(&draw, bets(2, 3, 1));
    assert_accepted(&draw, closing_by(DRAW_BY_OPERATOR, 1, 1000));
    assert_undone(&draw, sealing(1));
    assert_accepted(&draw, sealing(2));
    assert_undone(&draw, drawing_of(5, 1000, "a long source"));
    assert_undone(&draw, act("draw"));
    assert_accepted(&draw, drawing_of(6, 1000, "short"));
    assert_true(is_same_text(draw.drawn.source, text_of("short")));
    assert_undone(&draw, act("next"));
    draw_fini(&draw);
}

/* Without memory the state is as before. */
static void test_no_memory(void **state)
{
    struct draw draw;

    (void)state;
    draw_init(&draw);
    alloc_fault_after(0);
    struct draw_record record = opened(2);
    assert_int_equal(draw_apply(&draw, &record).status, STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_int_equal(draw.phase, DRAW_NEW);
    assert_accepted(&draw, opened(2));
    assert_accepted(&draw, bets(2, 0, 3));
    alloc_fault_after(0);
    record = agencies(4);
    assert_int_equal(draw_apply(&draw, &record).status, STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_int_equal(draw.agencies, 2);
    assert_int_equal(draw_received(&draw, 2), 3);
    assert_accepted(&draw, agencies(4));
    for (unsigned after = 0; after < 2; after++) {
        alloc_fault_after(after);
        record = act("close");
        assert_int_equal(draw_apply(&draw, &record).status, STATUS_NOMEM);
        assert_true(alloc_fault_end());
        assert_int_equal(draw.acts_count, 0);
    }
    assert_accepted(&draw, act("close"));
    draw_fini(&draw);
}

/* The model: each bet is one item in the list of its agency. */
#define MODEL_AGENCIES 5
#define MODEL_BETS 64

struct model {
    unsigned n;
    unsigned phase;
    struct draw_terms terms;
    int root; /* the first byte of the seal's; -1: there is none */
    unsigned acts;
    bool has_bet[MODEL_AGENCIES + 1][MODEL_BETS];
    bool is_done[MODEL_AGENCIES + 1];
};

static unsigned model_count(const struct model *model, unsigned agency)
{
    unsigned count = 0;

    while (count < MODEL_BETS && model->has_bet[agency][count])
        count++;
    return count;
}

static bool model_all_done(const struct model *model)
{
    unsigned done = 0;

    for (unsigned i = 1; i <= model->n; i++)
        done += model->is_done[i];
    return model->n > 0 && done == model->n;
}

static bool model_opens(struct model *model, const struct draw_opened *opened)
{
    bool is_manual = opened->terms.mode == DRAW_MANUAL;

    if (model->phase != 0 || (is_manual && opened->winner_number != 0) ||
        (!is_manual && opened->terms.close_at_s != 0) || strcmp(opened->terms.id, "current") == 0)
        return false;
    model->phase = 1;
    model->n = opened->agencies;
    model->terms = opened->terms;
    model->root = -1;
    return true;
}

static bool model_closes(struct model *model, const struct draw_closed *closed)
{
    bool is_manual = model->terms.mode == DRAW_MANUAL;
    bool has_reason[] = {false, model_all_done(model) && closed->uid == 0,
                         is_manual && model->terms.close_at_s != 0 &&
                             closed->time_s >= model->terms.close_at_s && closed->uid == 0,
                         is_manual};

    if (model->phase != 1 || !has_reason[closed->by])
        return false;
    model->phase = 2;
    return true;
}

static bool model_draws(struct model *model, const struct draw_drawn *drawn)
{
    bool is_plain = drawn->winner_number == WINNER && drawn->uid == 0 && drawn->source.size == 0;

    if (model->phase != 2 || (model->terms.mode == DRAW_AUTO && !is_plain) ||
        drawn->winner_number > 9999 || model->terms.has_seal != (model->root >= 0))
        return false;
    model->phase = 3;
    return true;
}

/* The row of the table, as a yes or no; with yes the model changes. */
static bool model_takes(struct model *model, const struct draw_record *r)
{
    unsigned a = r->type == DRAW_BETS ? r->bets.agency : r->finished.agency;
    bool is_known = a >= 1 && a <= model->n;

    switch (r->type) {
    case DRAW_OPENED:
        return model_opens(model, &r->opened);
    case DRAW_AGENCIES:
        return model->phase == 1 && r->agencies > model->n && (model->n = r->agencies, true);
    case DRAW_BETS: {
        unsigned count = is_known ? model_count(model, a) : 0;
        if (model->phase != 1 || !is_known || model->is_done[a] || r->bets.offset > count ||
            r->bets.offset + r->bets.count <= count ||
            (r->bets.claimed.is_given && r->bets.claimed.value != sum_of(a, count)))
            return false;
        for (uint64_t i = r->bets.offset; i < r->bets.offset + r->bets.count; i++)
            model->has_bet[a][i] = true;
        return true;
    }
    case DRAW_FINISHED:
        return model->phase == 1 && is_known && !model->is_done[a] &&
               r->finished.total == model_count(model, a) &&
               (!r->finished.claimed.is_given ||
                r->finished.claimed.value == sum_of(a, r->finished.total)) &&
               (model->is_done[a] = true);
    case DRAW_CLOSING:
        return model_closes(model, &r->closed);
    case DRAW_DRAWING:
        return model_draws(model, &r->drawn);
    case DRAW_SEALING:
        return model->phase >= 2 && model->terms.has_seal && model->root < 0 &&
               (model->root = r->sealed.root[0], true);
    case DRAW_ACT:
        return model->phase >= 1 && r->act.text.size > 0 && (model->acts++, true);
    }
    return false;
}

static void assert_like_model(const struct draw *draw, const struct model *model)
{
    uint64_t bets_of_all = 0;

    assert_int_equal(draw->phase, model->phase);
    assert_int_equal(draw->agencies, model->n);
    for (unsigned i = 1; i <= model->n; i++) {
        assert_int_equal(draw->agency[i].received, model_count(model, i));
        assert_int_equal(draw->agency[i].checksum, sum_of(i, model_count(model, i)));
        assert_int_equal(draw->agency[i].has_finished, model->is_done[i]);
        bets_of_all += model_count(model, i);
    }
    assert_int_equal(draw->bets, bets_of_all);
    assert_int_equal(draw_is_due(draw), model->phase == 1 && model_all_done(model));
    assert_int_equal(draw_is_past_deadline(draw, DEADLINE),
                     model->phase == 1 && model->terms.close_at_s != 0 &&
                         model->terms.close_at_s <= DEADLINE);
    assert_int_equal(draw->is_sealed, model->phase > 0 && model->root >= 0);
    assert_int_equal(draw->is_sealed ? draw->sealed.root[0] : -1,
                     model->phase > 0 ? model->root : -1);
    assert_int_equal(draw->drawn.root[0], model->phase == 3 && model->root >= 0 ? model->root : 0);
    assert_int_equal(draw->acts_count, model->acts);
}

static struct draw_record random_opened(struct prng *prng)
{
    struct draw_record record = opened(prng_below(prng, MODEL_AGENCIES));
    struct draw_terms *terms = &record.opened.terms;

    if (prng_below(prng, 3) == 0)
        return record;
    terms->mode = prng_below(prng, 3) > 0 ? DRAW_MANUAL : DRAW_AUTO;
    terms->has_seal = prng_below(prng, 2) == 0;
    if (prng_below(prng, 3) == 0)
        terms->close_at_s = DEADLINE + prng_below(prng, 3) - 1;
    if (terms->mode == DRAW_MANUAL && prng_below(prng, 8) > 0)
        record.opened.winner_number = 0;
    (void)snprintf(terms->id, sizeof(terms->id), "%s",
                   prng_below(prng, 8) == 0 ? "current" : "2026-11-25");
    return record;
}

static struct draw_record random_drawing(struct prng *prng)
{
    uint32_t number = prng_below(prng, 2) == 0 ? WINNER : prng_below(prng, 10001);

    return drawing_of(number, prng_below(prng, 2) * 1000, prng_below(prng, 2) == 0 ? "tv" : NULL);
}

/* Mostly as an operator would do it. */
static struct draw_record random_act(struct prng *prng)
{
    static const char *const texts[] = {"close", "draw", "", "sorteo n\xc2\xba 1"};

    return act(texts[prng_below(prng, 4)]);
}

/* A record that is often acceptable, and as often next to it. */
static struct draw_record random_record(struct prng *prng, const struct draw *draw)
{
    uint32_t agency = prng_below(prng, MODEL_AGENCIES + 2);
    uint64_t received = draw_received(draw, agency);
    uint64_t near = received + prng_below(prng, 4);
    struct bets_checksum claimed = {sum_of(agency, received) + prng_below(prng, 8) / 7,
                                    prng_below(prng, 2) == 0};
    struct draw_record record;

    switch (prng_below(prng, 15)) {
    case 0:
        return random_opened(prng);
    case 1:
        return agencies(prng_below(prng, MODEL_AGENCIES + 1));
    case 2:
        return closing();
    case 3:
        return closing_by((enum draw_closed_by)prng_below(prng, 4),
                          DEADLINE + prng_below(prng, 3) - 1, prng_below(prng, 4) / 3 * 1000);
    case 4:
        return random_drawing(prng);
    case 12:
        return sealing((uint8_t)(1 + prng_below(prng, 2)));
    case 13:
        return random_act(prng);
    case 5:
    case 6:
    case 7:
        record = finished(agency, prng_below(prng, 4) > 0 ? received : near);
        record.finished.claimed = claimed;
        return record;
    default:
        near -= near > 2 ? 2 : near;
        record = bets(agency, near < MODEL_BETS - 8 ? near : 0, 1 + prng_below(prng, 6));
        record.bets.claimed = claimed;
        return record;
    }
}

#define HISTORY 60

/* How many records of each type were accepted, in all histories. */
static unsigned accepted_counts[DRAW_ACT + 1];

/* One history: after each record the state is the model's; what was recorded gives the same state
 * when it is applied to a new one; and all of it can be taken back in reverse order. */
static void run_history(struct prng *prng)
{
    struct draw_record log[HISTORY];
    struct model model = {0};
    size_t recorded = 0;
    struct draw replay;
    struct draw draw;

    draw_init(&draw);
    draw_init(&replay);
    for (size_t i = 0; i < HISTORY; i++) {
        struct draw_record record = random_record(prng, &draw);
        struct draw_record again = record;
        struct draw_outcome outcome = apply(&draw, record);
        assert_int_equal(outcome.is_recorded, model_takes(&model, &record));
        assert_like_model(&draw, &model);
        if (outcome.is_recorded) {
            accepted_counts[record.type]++;
            log[recorded] = again;
            outcome = draw_apply(&replay, &log[recorded]);
            assert_true(outcome.is_recorded);
            recorded++;
        }
        assert_same(&draw, &replay);
    }
    draw_fini(&replay);
    draw_init(&replay);
    for (size_t i = 0; i < recorded; i++) { /* as they are on disk: cut to what was new */
        struct draw_outcome outcome = draw_apply(&replay, &log[i]);
        assert_true(outcome.is_recorded);
        assert_int_equal(outcome.known, 0);
    }
    assert_same(&draw, &replay);
    while (recorded > 0 && log[recorded - 1].type >= DRAW_BETS)
        draw_undo(&replay, &log[--recorded]);
    draw_fini(&draw);
    draw_init(&draw);
    for (size_t i = 0; i < recorded; i++)
        assert_true(draw_apply(&draw, &log[i]).is_recorded);
    assert_same(&draw, &replay);
    draw_fini(&draw);
    draw_fini(&replay);
}

static void test_histories(void **state)
{
    struct prng prng = {.state = 20};

    (void)state;
    for (int i = 0; i < 5000; i++)
        run_history(&prng);
    for (int type = DRAW_OPENED; type <= DRAW_ACT; type++)
        assert_true(accepted_counts[type] > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opened),
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_id_without_end),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_no_agencies),
        cmocka_unit_test(test_agencies),
        cmocka_unit_test(test_bets),
        cmocka_unit_test(test_finished),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_closed_early),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_sealed_auto),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_drawn_keeps_its_own),
        cmocka_unit_test(test_acts),
        cmocka_unit_test(test_too_many_acts),
        cmocka_unit_test(test_unknown_type),
        cmocka_unit_test(test_undo),
        cmocka_unit_test(test_undo_manual),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_histories),
    };

    return cmocka_run_group_tests_name("draw", tests, NULL, NULL);
}
