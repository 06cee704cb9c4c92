/* Batches, decoded with the generated code: they have the bets that were added, and none is larger
 * than a frame. */
#include "batch.h"
#include "bet_codec.h"
#include "cmocka_all.h"
#include "lottery.pb-c.h"
#include "prng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bets_checksum nothing = {0, false};
static const struct text no_draw = {"", 0};

static struct bet make_bet(const char *first, const char *last, const char *document,
                           uint32_t number)
{
    return (struct bet){text_of(first), text_of(last), text_of(document), text_of("1999-03-17"),
                        number};
}

/* Decodes the message of a finished batch; the caller frees it. */
static Lottery__V1__NewBets *unpack(const struct batch *batch)
{
    struct frame frame;

    assert_true(batch->size <= FRAME_MAX_SIZE);
    assert_int_equal(frame_decode(batch->frame, batch->size, &frame), FRAME_OK);
    assert_int_equal(frame_size(&frame), batch->size);
    assert_int_equal(frame.opcode, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS);
    Lottery__V1__NewBets *message =
        lottery__v1__new_bets__unpack(NULL, frame.body_size, frame.body);
    assert_non_null(message);
    assert_int_equal(message->n_bets, batch->count);
    return message;
}

/* A batch without bets, which asks how many the server has, contains only agency and offset. */
static void test_question(void **state)
{
    struct batch batch;

    (void)state;
    batch_begin(&batch, 3, 0, nothing, no_draw);
    batch_end(&batch);
    Lottery__V1__NewBets *message = unpack(&batch);
    assert_int_equal(message->agency_id, 3);
    assert_true(message->offset == 0);
    assert_int_equal(message->n_bets, 0);
    lottery__v1__new_bets__free_unpacked(message, NULL);
}

/* Agency and offset are encoded correctly at both ends of their range. */
static void test_head(void **state)
{
    static const struct {
        uint32_t agency;
        uint64_t offset;
    } cases[] = {{1, 0}, {1, 1}, {127, 127}, {128, 128}, {10000, 78697}, {UINT32_MAX, UINT64_MAX}};
    const struct bet bet = make_bet("Ana", "Paz", "1", 0);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct batch batch;
        batch_begin(&batch, cases[i].agency, cases[i].offset, nothing, no_draw);
        assert_true(batch_add(&batch, &bet));
        batch_end(&batch);
        Lottery__V1__NewBets *message = unpack(&batch);
        assert_int_equal(message->agency_id, cases[i].agency);
        assert_true(message->offset == cases[i].offset);
        lottery__v1__new_bets__free_unpacked(message, NULL);
    }
}

/* The checksum comes after the bets, and the frame keeps room for it. */
static void test_checksum(void **state)
{
    const struct bet bet = make_bet("Ana", "Paz", "1", 0);
    struct batch without;
    struct batch batch;

    (void)state;
    batch_begin(&without, 1, 7, nothing, no_draw);
    batch_begin(&batch, 1, 7, (struct bets_checksum){0x01020304, true}, no_draw);
    while (batch_add(&without, &bet))
        continue;
    while (batch_add(&batch, &bet))
        continue;
    batch_end(&without);
    batch_end(&batch);
    assert_true(batch.size <= FRAME_MAX_SIZE && without.size <= FRAME_MAX_SIZE);
    assert_in_range(without.count - batch.count, 0, 1);
    Lottery__V1__NewBets *message = unpack(&batch);
    assert_int_equal(message->checksum.len, BETS_CHECKSUM_SIZE);
    assert_memory_equal(message->checksum.data, "\x04\x03\x02\x01", 4);
    lottery__v1__new_bets__free_unpacked(message, NULL);
    message = unpack(&without);
    assert_int_equal(message->checksum.len, 0);
    lottery__v1__new_bets__free_unpacked(message, NULL);
}

/* The draw comes last, and the frame keeps room for it; the bytes are those that the generated code
 * packs. */
static void test_draw(void **state)
{
    static const char longest[] =
        "2026-11-25_a_draw_whose_id_has_as_many_characters_as_any_may_ha1";
    static const char *const draws[] = {"", "1", "2026-11-25-nocturna", longest};
    const struct bet bet = make_bet("Ana", "Paz", "1", 0);

    (void)state;
    assert_int_equal(strlen(longest), 64);
    for (size_t i = 0; i < sizeof(draws) / sizeof(draws[0]); i++) {
        uint8_t body[FRAME_MAX_SIZE];
        struct batch batch;
        batch_begin(&batch, 1, 7, (struct bets_checksum){0x01020304, true}, text_of(draws[i]));
        while (batch_add(&batch, &bet))
            continue;
        batch_end(&batch);
        assert_in_range(batch.size, FRAME_MAX_SIZE - bet_encoded_size(&bet) + 1, FRAME_MAX_SIZE);
        Lottery__V1__NewBets *message = unpack(&batch);
        assert_string_equal(message->draw, draws[i]);
        assert_memory_equal(message->checksum.data, "\x04\x03\x02\x01", 4);
        assert_int_equal(lottery__v1__new_bets__pack(message, body),
                         batch.size - FRAME_HEADER_SIZE);
        assert_memory_equal(body, batch.frame + FRAME_HEADER_SIZE, batch.size - FRAME_HEADER_SIZE);
        lottery__v1__new_bets__free_unpacked(message, NULL);
    }
}

/* The decoded bets are the same, field by field, in order. */
static void test_bets_come_out_as_they_went_in(void **state)
{
    const struct bet bets[] = {
        make_bet("Ana", "Paz, \"Nita\"", "00000001", 0),
        make_bet("Mar\xc3\xad"
                 "a",
                 "; | & : / =", "A1", 7574),
        make_bet("a", "b", "1234567890123456", 9999),
    };
    struct batch batch;

    (void)state;
    batch_begin(&batch, 1, 5, nothing, no_draw);
    for (size_t i = 0; i < 3; i++)
        assert_true(batch_add(&batch, &bets[i]));
    batch_end(&batch);
    Lottery__V1__NewBets *message = unpack(&batch);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(message->bets[i]->first_name, bets[i].first_name.data);
        assert_string_equal(message->bets[i]->last_name, bets[i].last_name.data);
        assert_string_equal(message->bets[i]->document, bets[i].document.data);
        assert_string_equal(message->bets[i]->birthdate, bets[i].birthdate.data);
        assert_int_equal(message->bets[i]->number, bets[i].number);
    }
    lottery__v1__new_bets__free_unpacked(message, NULL);
}

/* For bets of every size around 127, above which the size takes two bytes, the bytes are those that
 * the generated code packs. */
static void test_same_bytes_as_the_generated_code(void **state)
{
    char name[BET_NAME_MAX + 1];
    char longest[BET_NAME_MAX + 1];

    (void)state;
    memset(longest, 'y', BET_NAME_MAX);
    longest[BET_NAME_MAX] = '\0';
    for (size_t size = 1; size <= BET_NAME_MAX; size++) {
        uint8_t body[FRAME_MAX_SIZE];
        struct batch batch;
        memset(name, 'x', size);
        name[size] = '\0';
        const struct bet short_one = make_bet(name, "b", "30904465", 7574);
        const struct bet long_one = make_bet(name, longest, "30904465", 7574);
        batch_begin(&batch, 2, 3, nothing, no_draw);
        assert_true(batch_add(&batch, &short_one));
        assert_true(batch_add(&batch, &long_one));
        batch_end(&batch);
        Lottery__V1__NewBets *message = unpack(&batch);
        assert_int_equal(lottery__v1__new_bets__pack(message, body),
                         batch.size - FRAME_HEADER_SIZE);
        assert_memory_equal(body, batch.frame + FRAME_HEADER_SIZE, batch.size - FRAME_HEADER_SIZE);
        lottery__v1__new_bets__free_unpacked(message, NULL);
    }
}

/* Fills the frame with copies of a bet; returns how many bytes stay free. */
static size_t fill(struct batch *batch, uint64_t offset, const struct bet *bet)
{
    batch_begin(batch, 1, offset, nothing, no_draw);
    while (batch_add(batch, bet))
        continue;
    return FRAME_MAX_SIZE - batch->size;
}

/* A last bet that fills the frame to exactly 8192 bytes is added; one byte more is refused and
 * changes nothing. */
static void test_frame_filled_to_the_byte(void **state)
{
    const struct bet bet = make_bet("Santiago Lionel", "Lorca", "30904465", 7574);
    const struct bet shortest = make_bet("a", "b", "1", 1);
    char name[BET_NAME_MAX + 2];
    struct batch batch;
    struct batch probe;

    (void)state;
    /* The name may grow by the bytes that some bets leave free, less the size of the shortest bet.
     */
    batch_begin(&probe, 1, 0, nothing, no_draw);
    size_t empty = probe.size;
    assert_true(batch_add(&probe, &shortest));
    size_t min = probe.size - empty;
    assert_true(batch_add(&probe, &bet));
    size_t usual = probe.size - empty - min;

    batch_begin(&batch, 1, 0, nothing, no_draw);
    while (FRAME_MAX_SIZE - batch.size >= usual + min)
        assert_true(batch_add(&batch, &bet));
    size_t grow = FRAME_MAX_SIZE - batch.size - min;
    assert_true(grow + 2 < sizeof(name));
    memset(name, 'x', grow + 2);
    name[grow + 2] = '\0'; /* one byte too many */
    const struct bet too_long = make_bet(name, "b", "1", 1);
    struct batch before = batch;
    assert_false(batch_add(&batch, &too_long));
    assert_int_equal(batch.size, before.size);
    assert_int_equal(batch.count, before.count);
    assert_memory_equal(batch.frame, before.frame, before.size);

    name[grow + 1] = '\0';
    const struct bet fits = make_bet(name, "b", "1", 1);
    assert_true(batch_add(&batch, &fits));
    assert_int_equal(batch.size, FRAME_MAX_SIZE);
    assert_int_equal(batch.count, before.count + 1);
    assert_false(batch_add(&batch, &shortest));
    batch_end(&batch);
    Lottery__V1__NewBets *message = unpack(&batch);
    assert_string_equal(message->bets[message->n_bets - 1]->first_name, name);
    lottery__v1__new_bets__free_unpacked(message, NULL);
}

/* Even with the largest head, there is always room for one of the largest bets. */
static void test_one_bet_always_fits(void **state)
{
    char name[BET_NAME_MAX + 1];
    struct batch batch;

    (void)state;
    memset(name, 'x', BET_NAME_MAX);
    name[BET_NAME_MAX] = '\0';
    const struct bet bet = make_bet(name, name, "1234567890123456", 9999);
    batch_begin(&batch, UINT32_MAX, UINT64_MAX, nothing, no_draw);
    assert_true(batch_add(&batch, &bet));
}

/* Bets of all sizes in random order: a bet is refused only if it does not fit, and every bet that
 * was added is in the message. */
static void test_random_bets(void **state)
{
    enum { ROUNDS = 300 };
    struct prng prng = {7574};
    char name[BET_NAME_MAX + 1];
    char document[BET_DOCUMENT_MAX + 1];

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct batch batch;
        size_t sum = 0;
        size_t head;
        batch_begin(&batch, 1 + prng_next(&prng), prng_next(&prng), nothing, no_draw);
        head = batch.size;
        for (bool has_room = true; has_room;) {
            size_t size = 1 + prng_below(&prng, BET_NAME_MAX);
            memset(name, 'x', size);
            name[size] = '\0';
            (void)snprintf(document, sizeof(document), "%u", prng_next(&prng));
            const struct bet bet = make_bet(name, "Paz", document, prng_below(&prng, 10000));
            size_t before = batch.size;
            has_room = batch_add(&batch, &bet);
            sum += batch.size - before;
            if (!has_room)
                assert_true(FRAME_MAX_SIZE - before < 2 + 2 + size + 5 + 2 + 10 + 12 + 3 + 1);
        }
        assert_int_equal(head + sum, batch.size);
        batch_end(&batch);
        lottery__v1__new_bets__free_unpacked(unpack(&batch), NULL);
    }
}

/* A batch that is used again takes the same bets. */
static void test_reuse(void **state)
{
    const struct bet bet = make_bet("Ana", "Paz", "1", 0);
    struct batch batch;

    (void)state;
    size_t left = fill(&batch, 0, &bet);
    uint32_t count = batch.count;
    assert_true(count > 200);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fill(&batch, 0, &bet), left);
        assert_int_equal(batch.count, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_question),
        cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_draw),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_bets_come_out_as_they_went_in),
        cmocka_unit_test(test_same_bytes_as_the_generated_code),
        cmocka_unit_test(test_frame_filled_to_the_byte),
        cmocka_unit_test(test_one_bet_always_fits),
        cmocka_unit_test(test_random_bets),
        cmocka_unit_test(test_reuse),
    };

    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
