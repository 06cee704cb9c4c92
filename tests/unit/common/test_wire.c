#include "cmocka_all.h"
#include "guard.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#define DETAIL_MAX 256

/* Decodes the one frame in `bytes` and checks its size and opcode. */
static struct frame only_frame(const uint8_t *bytes, size_t size, uint8_t opcode)
{
    struct frame frame;

    assert_int_equal(frame_decode(bytes, size, &frame), FRAME_OK);
    assert_int_equal(frame_size(&frame), size);
    assert_int_equal(frame.opcode, opcode);
    return frame;
}

static Lottery__V1__Ack *unpack_ack(const uint8_t *bytes, size_t size)
{
    struct frame frame = only_frame(bytes, size, LOTTERY__V1__OPCODE__OPCODE_ACK);
    Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame.body_size, frame.body);

    assert_non_null(ack);
    return ack;
}

/* The opcodes and codes are the documented ones. */
static void test_numbers(void **state)
{
    (void)state;
    assert_int_equal(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, 0);
    assert_int_equal(LOTTERY__V1__OPCODE__OPCODE_ACK, 1);
    assert_int_equal(LOTTERY__V1__OPCODE__OPCODE_FINISHED, 3);
    assert_int_equal(LOTTERY__V1__OPCODE__OPCODE_WINNERS, 4);
    assert_int_equal(LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 1);
    assert_int_equal(LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR, 8);
}

/* A packed message decodes to the same message, after a header with its opcode; the bytes are those
 * of protobuf-c. */
static void test_pack_to_the_byte(void **state)
{
    char first_name[] = "A";
    char last_name[] = "B";
    char document[] = "1";
    char birthdate[] = "19990317";
    Lottery__V1__Bet bet;
    Lottery__V1__Bet *bets[] = {&bet};
    Lottery__V1__NewBets batch;
    lottery__v1__new_bets__init(&batch);
    static const char expected[] = "\x00\x1d\x00\x00\x00"
                                   "\x08\x05\x10\xac\x02\x1a\x16\x0a\x01"
                                   "A\x12\x01"
                                   "B\x1a\x01"
                                   "1\x22\x08"
                                   "19990317\x28\x96\x3b";
    uint8_t out[FRAME_MAX_SIZE];

    (void)state;
    lottery__v1__bet__init(&bet);
    bet.first_name = first_name;
    bet.last_name = last_name;
    bet.document = document;
    bet.birthdate = birthdate;
    bet.number = 7574;
    batch.agency_id = 5;
    batch.offset = 300;
    batch.bets = bets;
    batch.n_bets = 1;
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &batch.base, out);
    assert_int_equal(size, sizeof(expected) - 1);
    assert_memory_equal(out, expected, size);
}

/* A message without content is a frame without body. */
static void test_pack_empty(void **state)
{
    Lottery__V1__NewBets batch;
    lottery__v1__new_bets__init(&batch);
    uint8_t out[FRAME_MAX_SIZE];

    (void)state;
    assert_int_equal(wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &batch.base, out),
                     FRAME_HEADER_SIZE);
    assert_memory_equal(out, "\0\0\0\0\0", FRAME_HEADER_SIZE);
}

/* A frame of exactly the limit is packed and fills the buffer; one byte more gives 0 and writes
 * nothing. */
static void test_pack_at_the_limit(void **state)
{
    static char text[FRAME_MAX_SIZE + 10];
    static uint8_t fresh[FRAME_MAX_SIZE];

    (void)state;
    memset(fresh, 0xee, sizeof(fresh));
    for (size_t body = FRAME_BODY_MAX - 5; body <= FRAME_BODY_MAX + 5; body++) {
        Lottery__V1__Ack ack;
        struct guarded out = guarded_copy(fresh, sizeof(fresh));
        memset(text, 'x', sizeof(text));
        text[body - 3] = '\0'; /* a tag and two bytes of length come before it */
        lottery__v1__ack__init(&ack);
        ack.detail = text;
        assert_int_equal(lottery__v1__ack__get_packed_size(&ack), body);
        size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_ACK, &ack.base, out.bytes);
        if (body <= FRAME_BODY_MAX) {
            assert_int_equal(size, FRAME_HEADER_SIZE + body);
            (void)only_frame(out.bytes, size, LOTTERY__V1__OPCODE__OPCODE_ACK);
        } else {
            assert_int_equal(size, 0);
            assert_memory_equal(out.bytes, fresh, sizeof(fresh));
        }
        guarded_free(&out);
    }
}

/* An Ack has its fields, up to the largest numbers; without detail that text is empty. */
static void test_ack(void **state)
{
    uint8_t out[FRAME_MAX_SIZE];

    (void)state;
    for (int code = 0; code <= 9; code++) {
        const struct wire_ack said = {.code = (Lottery__V1__AckCode)code,
                                      .received = UINT64_MAX - (unsigned)code,
                                      .detail = "why",
                                      .checksum = {UINT32_MAX - (unsigned)code, true},
                                      .stored = UINT32_MAX};
        size_t size = wire_pack_ack(&said, out);
        Lottery__V1__Ack *ack = unpack_ack(out, size);
        assert_int_equal(ack->checksum.len, BETS_CHECKSUM_SIZE);
        assert_int_equal(little_get32(ack->checksum.data), UINT32_MAX - (unsigned)code);
        assert_int_equal(ack->stored, UINT32_MAX);
        assert_int_equal(ack->code, code);
        assert_true(ack->received == UINT64_MAX - (unsigned)code);
        assert_string_equal(ack->detail, "why");
        lottery__v1__ack__free_unpacked(ack, NULL);
    }
    const struct wire_ack said = {.code = LOTTERY__V1__ACK_CODE__ACK_CODE_OK};
    size_t size = wire_pack_ack(&said, out);
    assert_int_equal(size, FRAME_HEADER_SIZE + 2); /* what is not said takes no byte */
    Lottery__V1__Ack *ack = unpack_ack(out, size);
    assert_true(ack->received == 0);
    assert_string_equal(ack->detail, "");
    assert_int_equal(ack->checksum.len, 0);
    assert_int_equal(ack->stored, 0);
    lottery__v1__ack__free_unpacked(ack, NULL);
}

/* A detail is cut to 256 bytes; shorter ones stay whole. */
static void test_ack_detail_is_cut(void **state)
{
    char detail[1000];
    uint8_t out[FRAME_MAX_SIZE];

    (void)state;
    for (size_t length = 0; length < 600; length++) {
        memset(detail, 'x', length);
        detail[length] = '\0';
        struct guarded guarded = guarded_copy(detail, length + 1);
        const struct wire_ack said = {.code = LOTTERY__V1__ACK_CODE__ACK_CODE_MALFORMED,
                                      .detail = (const char *)guarded.bytes};
        size_t size = wire_pack_ack(&said, out);
        guarded_free(&guarded);
        Lottery__V1__Ack *ack = unpack_ack(out, size);
        assert_int_equal(strlen(ack->detail), length < DETAIL_MAX ? length : DETAIL_MAX);
        lottery__v1__ack__free_unpacked(ack, NULL);
    }
}

/* The cut is never within a UTF-8 sequence, wherever the sequence is. */
static void test_ack_detail_keeps_utf8_whole(void **state)
{
    static const char *const characters[] = {"\xc3\xb1", "\xe2\x82\xac", "\xf0\x9f\x8e\xb0"};
    char detail[1000];
    uint8_t out[FRAME_MAX_SIZE];

    (void)state;
    for (size_t c = 0; c < 3; c++) {
        size_t width = strlen(characters[c]);
        for (size_t before = 0; before < DETAIL_MAX + 8; before++) {
            memset(detail, 'x', sizeof(detail));
            for (size_t at = before; at + width < sizeof(detail); at += width)
                memcpy(detail + at, characters[c], width);
            detail[before + (sizeof(detail) - 1 - before) / width * width] = '\0';
            size_t kept =
                before >= DETAIL_MAX ? DETAIL_MAX : before + (DETAIL_MAX - before) / width * width;
            const struct wire_ack said = {.code = LOTTERY__V1__ACK_CODE__ACK_CODE_OK,
                                          .detail = detail};
            size_t size = wire_pack_ack(&said, out);
            Lottery__V1__Ack *ack = unpack_ack(out, size);
            assert_int_equal(strlen(ack->detail), kept);
            assert_memory_equal(ack->detail, detail, kept);
            lottery__v1__ack__free_unpacked(ack, NULL);
        }
    }
}

/* A Finished has agency, total and draw, up to the largest. */
static void test_finished(void **state)
{
    static const struct {
        uint32_t agency;
        uint64_t total;
        struct bets_checksum checksum;
        const char *draw;
        bool want_seal;
    } cases[] = {
        {0, 0, {0, false}, NULL, false},
        {1, 78697, {0, true}, "", true},
        {1, 78697, {0, true}, "2026-11-25-nocturna", false},
        {UINT32_MAX,
         UINT64_MAX,
         {UINT32_MAX, true},
         "2026-11-25_a_draw_whose_id_has_as_many_characters_as_any_may_ha1",
         true},
    };
    uint8_t out[FRAME_MAX_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct wire_finished said = {cases[i].agency, cases[i].total, cases[i].checksum,
                                           cases[i].draw, cases[i].want_seal};
        size_t size = wire_pack_finished(&said, out);
        struct frame frame = only_frame(out, size, LOTTERY__V1__OPCODE__OPCODE_FINISHED);
        Lottery__V1__Finished *finished =
            lottery__v1__finished__unpack(NULL, frame.body_size, frame.body);
        assert_non_null(finished);
        assert_int_equal(finished->agency_id, cases[i].agency);
        assert_true(finished->total == cases[i].total);
        struct bets_checksum checksum;
        assert_true(bets_checksum_read(finished->checksum.data, finished->checksum.len, &checksum));
        assert_int_equal(checksum.is_given, cases[i].checksum.is_given);
        assert_int_equal(checksum.value, cases[i].checksum.value);
        assert_string_equal(finished->draw, cases[i].draw != NULL ? cases[i].draw : "");
        assert_int_equal(finished->want_seal, cases[i].want_seal);
        lottery__v1__finished__free_unpacked(finished, NULL);
    }
}

/* The size of a nested message is the one of protobuf-c, around every change of its length. */
static void test_nested_size(void **state)
{
    enum { LONGEST = 20000 };
    char *name = malloc(LONGEST + 1);
    Lottery__V1__Bet bet;
    Lottery__V1__Bet *bets[] = {&bet};
    Lottery__V1__NewBets batch;
    lottery__v1__new_bets__init(&batch);

    (void)state;
    assert_non_null(name);
    memset(name, 'x', LONGEST);
    name[LONGEST] = '\0';
    lottery__v1__bet__init(&bet);
    batch.bets = bets;
    batch.n_bets = 1;
    for (size_t length = 0; length <= LONGEST; length += length > 300 && length < 16300 ? 97 : 1) {
        bet.first_name = name + LONGEST - length;
        size_t body_size = protobuf_c_message_get_packed_size(&bet.base);
        assert_int_equal(wire_nested_size(body_size),
                         protobuf_c_message_get_packed_size(&batch.base));
    }
    assert_int_equal(wire_nested_size(0x7f), 2 + 0x7f);
    assert_int_equal(wire_nested_size(0x80), 3 + 0x80);
    assert_int_equal(wire_nested_size(0x3fff), 3 + 0x3fff);
    assert_int_equal(wire_nested_size(0x4000), 4 + 0x4000);
    assert_int_equal(wire_nested_size(0x200000), 5 + 0x200000);
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_pack_to_the_byte),
        cmocka_unit_test(test_pack_empty),
        cmocka_unit_test(test_pack_at_the_limit),
        cmocka_unit_test(test_ack),
        cmocka_unit_test(test_ack_detail_is_cut),
        cmocka_unit_test(test_ack_detail_keeps_utf8_whole),
        cmocka_unit_test(test_finished),
        cmocka_unit_test(test_nested_size),
    };

    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
