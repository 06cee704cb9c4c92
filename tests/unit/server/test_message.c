/* The bounds of messages, and what goes there and back. */
#include "cmocka_all.h"
#include "ledger_client.h"
#include "message.h"

#define REGION 1000

static bool is_append(uint64_t at, uint32_t size, uint32_t count, uint64_t region_size)
{
    struct message message = {.kind = MESSAGE_APPEND};

    message.append = (struct message_append){.agency = 1, .count = count, .at = at, .size = size};
    return message_is_request(&message, region_size);
}

/* A batch lies within the region, whole, and has a bet in it. */
static void test_append(void **state)
{
    (void)state;
    assert_true(is_append(0, 1, 1, REGION));
    assert_true(is_append(0, REGION, REGION, REGION));
    assert_true(is_append(REGION - 1, 1, 1, REGION));
    assert_false(is_append(REGION, 1, 1, REGION));
    assert_false(is_append(1, REGION, 1, REGION));
    assert_false(is_append(0, REGION + 1, 1, REGION));
    assert_false(is_append(UINT64_MAX, 1, 1, REGION));
    assert_false(is_append(UINT64_MAX - 1, 3, 1, REGION));
    assert_false(is_append(0, UINT32_MAX, 1, REGION));
    assert_false(is_append(0, 0, 0, REGION));
    assert_false(is_append(0, 1, 0, REGION));
    assert_false(is_append(0, 4, 5, REGION)); /* a bet is at least a byte */
    assert_false(is_append(0, 1, 1, 0));      /* without a region */
}

/* The other requests, and what is none. */
static void test_requests(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < 20; kind++) {
        const struct message message = {.kind = kind};
        bool is_request = kind == MESSAGE_HELLO || kind == MESSAGE_ASK || kind == MESSAGE_FINISH ||
                          kind == MESSAGE_CLOSE_DRAW || kind == MESSAGE_DRAW ||
                          kind == MESSAGE_FILES_LOST || kind == MESSAGE_SEAL ||
                          kind == MESSAGE_RESULT || kind == MESSAGE_ACT || kind == MESSAGE_SNAPSHOT;
        assert_int_equal(message_is_request(&message, REGION), is_request);
    }
    struct message files = {.kind = MESSAGE_OPEN_FILES};
    for (uint32_t kind = 0; kind <= STORE_FILES; kind++) {
        for (uint32_t count = 0; count < 100; count++) {
            files.files = (struct message_files){kind, count};
            assert_int_equal(message_is_request(&files, 0),
                             kind < STORE_FILES && count <= LEDGER_FDS_MAX &&
                                 count >= (kind == STORE_RESULT ? 1 : 2));
        }
    }
    files.kind = MESSAGE_FILES_LOST;
    assert_false(message_is_request(&files, 0));
    struct message piece = {.kind = MESSAGE_PIECE};
    for (unsigned size = 0; size < 256; size++) {
        piece.piece.size = (uint8_t)size;
        assert_int_equal(message_is_request(&piece, 0), size >= 1 && size <= MESSAGE_PIECE_MAX);
        assert_int_equal(message_is_answer(&piece), size >= 1 && size <= MESSAGE_PIECE_MAX);
    }
    struct message draw = {.kind = MESSAGE_DRAW};
    draw.draw.is_new = 1;
    assert_true(message_is_request(&draw, 0));
    draw.draw.is_new = 2;
    assert_false(message_is_request(&draw, 0));
    struct message hello = {.kind = MESSAGE_HELLO};
    hello.region_size = LEDGER_REGION_SIZE;
    assert_true(message_is_request(&hello, 0));
    hello.region_size++;
    assert_false(message_is_request(&hello, 0));
}

static void test_answers(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < 20; kind++) {
        const struct message message = {.kind = kind};
        assert_int_equal(message_is_answer(&message),
                         kind == MESSAGE_OUTCOME || kind == MESSAGE_NEWS);
    }
    struct message outcome = {.kind = MESSAGE_OUTCOME};
    outcome.outcome.status = STATUS_COUNT - 1;
    assert_true(message_is_answer(&outcome));
    outcome.outcome.status = STATUS_COUNT;
    assert_false(message_is_answer(&outcome));
    struct message news = {.kind = MESSAGE_NEWS, .news = {.phase = DRAW_DRAWN, .has_winners = 1}};
    assert_true(message_is_answer(&news));
    news.news.phase++;
    assert_false(message_is_answer(&news));
    news.news = (struct message_news){.has_winners = 2};
    assert_false(message_is_answer(&news));
}

static void assert_same_drawn(const struct draw_drawn *a, const struct draw_drawn *b)
{
    assert_true(a->time_s == b->time_s);
    assert_int_equal(a->winner_number, b->winner_number);
    assert_true(a->winners == b->winners);
    assert_true(a->winners_size == b->winners_size);
    assert_int_equal(a->winners_crc, b->winners_crc);
}

/* Every field of the news and of a draw's outcome arrives, with large values. */
static void test_round_trip(void **state)
{
    const struct ledger_news news = {
        .phase = DRAW_DRAWN,
        .agencies = UINT32_MAX,
        .finished = UINT32_MAX - 1,
        .winner_number = UINT32_MAX - 2,
        .bets = UINT64_MAX,
        .has_winners = true,
        .drawn = {.time_s = UINT64_MAX - 1,
                  .winner_number = UINT32_MAX - 3,
                  .winners = UINT64_MAX - 2,
                  .winners_size = UINT64_MAX - 3,
                  .winners_crc = UINT32_MAX - 4},
    };
    struct ledger_news got;
    struct draw_drawn drawn;
    struct message message;

    (void)state;
    message_from_news(&news, &message);
    assert_true(message_is_answer(&message));
    message_to_news(&message, &got);
    assert_int_equal(got.phase, news.phase);
    assert_int_equal(got.agencies, news.agencies);
    assert_int_equal(got.finished, news.finished);
    assert_int_equal(got.winner_number, news.winner_number);
    assert_true(got.bets == news.bets);
    assert_true(got.has_winners);
    assert_same_drawn(&got.drawn, &news.drawn);

    message_from_drawn(&news.drawn, true, &message);
    assert_int_equal(message.draw.is_new, 1);
    assert_true(message_is_request(&message, 0));
    message_to_drawn(&message, &drawn);
    assert_same_drawn(&drawn, &news.drawn);
}

/* What a draw says that somebody runs goes in pieces. */
static void test_more_news(void **state)
{
    const struct ledger_news news = {
        .terms = {.mode = DRAW_MANUAL, .has_seal = true, .close_at_s = 99, .id = "2026-11-25"},
        .closed = {.time_s = 1, .by = DRAW_BY_OPERATOR, .uid = 1000, .bets = 7},
        .is_sealed = true,
        .sealed = {.time_s = 2, .root = {1, 2, 3}},
        .drawn = {.uid = 1001, .source = text_of("bolillero 3")},
    };
    const struct ledger_news plain = {.phase = DRAW_OPEN};
    struct message_pieces pieces = {0};
    struct message_news_more more;
    struct ledger_news got = {0};
    struct message message;

    (void)state;
    assert_false(message_has_more(&plain));
    assert_true(message_has_more(&news));
    message_from_news_more(&news, &more);
    for (size_t at = 0; at < sizeof(more);) {
        at += message_from_piece((const char *)&more + at, sizeof(more) - at, &message);
        assert_true(message_is_answer(&message));
        assert_true(message_pieces_add(&pieces, &message.piece));
    }
    assert_int_equal(pieces.size, sizeof(more));
    assert_false(message_pieces_add(&pieces, &message.piece)); /* more than anything needs */
    memcpy(&more, pieces.bytes, sizeof(more));
    assert_true(message_to_news_more(&more, &got));
    assert_memory_equal(&got.terms, &news.terms, sizeof(got.terms));
    assert_int_equal(got.closed.by, DRAW_BY_OPERATOR);
    assert_int_equal(got.closed.uid, 1000);
    assert_true(got.is_sealed);
    assert_memory_equal(got.sealed.root, news.sealed.root, DRAW_ROOT_SIZE);
    assert_int_equal(got.drawn.uid, 1001);
    assert_int_equal(got.drawn.source.size, news.drawn.source.size);
    assert_memory_equal(got.drawn.source.data, news.drawn.source.data, got.drawn.source.size);

    more.source_size = DRAW_TEXT_MAX + 1;
    assert_false(message_to_news_more(&more, &got));
    more.source_size = 0;
    more.is_sealed = 2;
    assert_false(message_to_news_more(&more, &got));
    more.is_sealed = 0;
    memset(more.terms.id, 'a', sizeof(more.terms.id)); /* no end */
    assert_false(message_to_news_more(&more, &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),    cmocka_unit_test(test_requests),
        cmocka_unit_test(test_answers),   cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_more_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
