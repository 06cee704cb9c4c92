#include "bet_codec.h"
#include "cmocka_all.h"
#include "guard.h"
#include "lottery.pb-c.h"
#include "prng.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_BETS 20
#define MESSAGE_CAPACITY 8192
#define DRAW_SIZE 127 /* bytes of a draw's id; of those that are valid none is so long */

/* A bet and space for its texts, NUL-terminated for protobuf-c. */
struct sample {
    char first_name[BET_NAME_MAX + 1];
    char last_name[BET_NAME_MAX + 1];
    char document[BET_DOCUMENT_MAX + 1];
    char birthdate[BET_BIRTHDATE_SIZE + 1];
    struct bet bet;
    Lottery__V1__Bet message;
};

static void fill(struct prng *prng, char *out, size_t min, size_t max)
{
    size_t size = min + prng_below(prng, (uint32_t)(max - min + 1));

    for (size_t i = 0; i < size; i++)
        out[i] = (char)(1 + prng_below(prng, 255));
    out[size] = '\0';
}

static void make_sample(struct prng *prng, struct sample *out)
{
    static const uint32_t numbers[] = {0, 1, 127, 128, 7574, 9999};

    fill(prng, out->first_name, 1, BET_NAME_MAX);
    fill(prng, out->last_name, 1, BET_NAME_MAX);
    fill(prng, out->document, 1, BET_DOCUMENT_MAX);
    fill(prng, out->birthdate, BET_BIRTHDATE_SIZE, BET_BIRTHDATE_SIZE);
    out->bet =
        (struct bet){text_of(out->first_name), text_of(out->last_name), text_of(out->document),
                     text_of(out->birthdate), numbers[prng_below(prng, 6)]};
    lottery__v1__bet__init(&out->message);
    out->message.first_name = out->first_name;
    out->message.last_name = out->last_name;
    out->message.document = out->document;
    out->message.birthdate = out->birthdate;
    out->message.number = out->bet.number;
}

/* A NewBets of random bets, as protobuf-c writes it. */
static size_t make_message(struct prng *prng, uint8_t out[MESSAGE_CAPACITY])
{
    static const uint64_t numbers[] = {0, 1, 128, 78697, UINT32_MAX, INT64_MAX};
    static struct sample samples[MAX_BETS];
    Lottery__V1__Bet *bets[MAX_BETS];
    char draw[DRAW_SIZE + 1];
    Lottery__V1__NewBets message;
    lottery__v1__new_bets__init(&message);
    uint8_t checksum[] = {(uint8_t)prng_next(prng), 0, 0xff, (uint8_t)prng_next(prng)};

    message.agency_id = (uint32_t)numbers[prng_below(prng, 5)];
    message.offset = numbers[prng_below(prng, 6)];
    message.n_bets = prng_below(prng, MAX_BETS + 1);
    message.bets = bets;
    for (size_t i = 0; i < message.n_bets; i++) {
        make_sample(prng, &samples[i]);
        if (prng_below(prng, 8) == 0)
            samples[i].message.last_name[0] = '\0'; /* an empty field is left out */
        bets[i] = &samples[i].message;
    }
    if (prng_below(prng, 2) == 0)
        message.checksum = (ProtobufCBinaryData){sizeof(checksum), checksum};
    if (prng_below(prng, 2) == 0) {
        fill(prng, draw, 1, DRAW_SIZE);
        message.draw = draw;
    }
    return lottery__v1__new_bets__pack(&message, out);
}

static void assert_text(struct text ours, const char *theirs)
{
    /* Compares also the bytes after a NUL byte within the text. */
    assert_memory_equal(ours.data, theirs, ours.size);
    assert_int_equal(theirs[ours.size], '\0');
}

static void assert_checksum(const struct bets_checksum *ours, const ProtobufCBinaryData *theirs)
{
    assert_int_equal(theirs->len, ours->is_given ? BETS_CHECKSUM_SIZE : 0);
    if (ours->is_given)
        assert_int_equal(ours->value, little_get32(theirs->data));
}

/* If the codec can read the message, checks that protobuf-c reads the same. Returns whether it can.
 */
static bool assert_agree(const uint8_t *bytes, size_t size)
{
    static struct bet bets[MESSAGE_CAPACITY / 2];
    struct guarded copy = guarded_copy(bytes, size);
    struct new_bets head;

    bool is_read = new_bets_decode(copy.bytes, size, &head, bets);
    if (is_read) {
        Lottery__V1__NewBets *theirs = lottery__v1__new_bets__unpack(NULL, size, copy.bytes);
        assert_non_null(theirs);
        assert_int_equal(head.agency, theirs->agency_id);
        assert_true(head.offset == theirs->offset);
        assert_int_equal(head.count, theirs->n_bets);
        assert_checksum(&head.checksum, &theirs->checksum);
        if (head.draw.size > 0)
            assert_text(head.draw, theirs->draw);
        else
            assert_string_equal(theirs->draw, "");
        for (size_t i = 0; i < head.count; i++) {
            assert_text(bets[i].first_name, theirs->bets[i]->first_name);
            assert_text(bets[i].last_name, theirs->bets[i]->last_name);
            assert_text(bets[i].document, theirs->bets[i]->document);
            assert_text(bets[i].birthdate, theirs->bets[i]->birthdate);
            assert_int_equal(bets[i].number, theirs->bets[i]->number);
        }
        lottery__v1__new_bets__free_unpacked(theirs, NULL);
    }
    guarded_free(&copy);
    return is_read;
}

static void assert_field(const ProtobufCMessageDescriptor *message, unsigned index, uint32_t id,
                         ProtobufCType type, ProtobufCLabel label)
{
    assert_int_equal(message->fields[index].id, id);
    assert_int_equal(message->fields[index].type, type);
    assert_int_equal(message->fields[index].label, label);
}

/* The schema is still the one that the codec was written for. */
static void test_schema(void **state)
{
    const ProtobufCMessageDescriptor *batch = &lottery__v1__new_bets__descriptor;
    const ProtobufCMessageDescriptor *bet = &lottery__v1__bet__descriptor;

    (void)state;
    assert_int_equal(batch->n_fields, 5);
    assert_field(batch, 0, 1, PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_LABEL_NONE);
    assert_field(batch, 1, 2, PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_LABEL_NONE);
    assert_field(batch, 2, 3, PROTOBUF_C_TYPE_MESSAGE, PROTOBUF_C_LABEL_REPEATED);
    assert_field(batch, 3, 4, PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_LABEL_NONE);
    assert_field(batch, 4, 5, PROTOBUF_C_TYPE_STRING, PROTOBUF_C_LABEL_NONE);
    assert_string_equal(batch->fields[4].name, "draw");
    assert_int_equal(bet->n_fields, 5);
    for (unsigned i = 0; i < 4; i++)
        assert_field(bet, i, i + 1, PROTOBUF_C_TYPE_STRING, PROTOBUF_C_LABEL_NONE);
    assert_field(bet, 4, 5, PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_LABEL_NONE);
    assert_string_equal(bet->fields[0].name, "first_name");
    assert_string_equal(bet->fields[1].name, "last_name");
    assert_string_equal(bet->fields[2].name, "document");
    assert_string_equal(bet->fields[3].name, "birthdate");
    assert_string_equal(bet->fields[4].name, "number");
}

/* A bet is written as protobuf-c writes it, byte for byte. */
static void test_encode(void **state)
{
    struct prng prng = {1};

    (void)state;
    for (int round = 0; round < 5000; round++) {
        struct sample sample;
        Lottery__V1__Bet *bets[] = {&sample.message};
        Lottery__V1__NewBets message;
        lottery__v1__new_bets__init(&message);
        uint8_t theirs[512];
        uint8_t ours[512];
        make_sample(&prng, &sample);
        message.n_bets = 1;
        message.bets = bets;
        size_t size = lottery__v1__new_bets__pack(&message, theirs);
        assert_int_equal(bet_encoded_size(&sample.bet), size);
        assert_ptr_equal(bet_encode(&sample.bet, ours), ours + size);
        assert_memory_equal(ours, theirs, size);
    }
}

/* Every message that protobuf-c writes is read, except offsets of 64 bits, which no agency reaches.
 */
static void test_decode(void **state)
{
    static uint8_t bytes[MESSAGE_CAPACITY];
    struct prng prng = {2};

    (void)state;
    assert_true(assert_agree(bytes, 0));
    for (int round = 0; round < 2000; round++) {
        size_t size = make_message(&prng, bytes);
        assert_true(assert_agree(bytes, size));
    }
}

/* A message that is cut or has a changed byte is read as protobuf-c reads it, or not at all. */
static void test_decode_damaged(void **state)
{
    static uint8_t bytes[MESSAGE_CAPACITY];
    struct prng prng = {3};
    size_t refused = 0;

    (void)state;
    for (int round = 0; round < 40; round++) {
        size_t size = make_message(&prng, bytes);
        for (size_t cut = 0; cut < size; cut++)
            refused += !assert_agree(bytes, cut);
        for (int change = 0; change < 500 && size > 0; change++) {
            size_t at = prng_below(&prng, (uint32_t)size);
            uint8_t before = bytes[at];
            bytes[at] = (uint8_t)prng_next(&prng);
            refused += !assert_agree(bytes, size);
            bytes[at] = before;
        }
    }
    assert_true(refused > 1000);
}

/* The checksum is written as protobuf-c writes it. */
static void test_encode_checksum(void **state)
{
    static const uint32_t values[] = {0, 1, 0x80, 0x01020304, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        Lottery__V1__NewBets message;
        lottery__v1__new_bets__init(&message);
        uint8_t bytes[BETS_CHECKSUM_SIZE];
        uint8_t theirs[16];
        uint8_t ours[NEW_BETS_CHECKSUM_SIZE];

        little_put32(bytes, values[i]);
        message.checksum = (ProtobufCBinaryData){sizeof(bytes), bytes};
        assert_int_equal(lottery__v1__new_bets__pack(&message, theirs), sizeof(ours));
        assert_ptr_equal(new_bets_checksum_encode(values[i], ours), ours + sizeof(ours));
        assert_memory_equal(ours, theirs, sizeof(ours));
    }
}

/* Encodings that protobuf-c reads but never writes are left to it. */
static void test_left_to_protobuf(void **state)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t size;
    } cases[] = {
#define CASE(what, bytes) {what, bytes, sizeof(bytes) - 1}
        CASE("an unknown field", "\x08\x01\x78\x01"),
        CASE("a checksum that is a number", "\x08\x01\x20\x01"),
        CASE("an empty checksum", "\x08\x01\x22\x00"),
        CASE("a checksum of three bytes", "\x08\x01\x22\x03"
                                          "abc"),
        CASE("a checksum of five bytes", "\x08\x01\x22\x05"
                                         "abcde"),
        CASE("half a checksum", "\x08\x01\x22\x04"
                                "ab"),
        CASE("a checksum twice", "\x22\x04"
                                 "abcd"
                                 "\x22\x04"
                                 "abcd"),
        CASE("bets after the checksum", "\x22\x04"
                                        "abcd"
                                        "\x1a\x00"),
        CASE("a draw with two bytes of length", "\x2a\x81\x00"
                                                "a"),
        CASE("half a draw", "\x2a\x02"
                            "a"),
        CASE("a draw twice", "\x2a\x01"
                             "a"
                             "\x2a\x01"
                             "a"),
        CASE("a draw that is a number", "\x28\x01"),
        CASE("a checksum after the draw", "\x2a\x01"
                                          "a"
                                          "\x22\x04"
                                          "abcd"),
        CASE("bets after the draw", "\x2a\x01"
                                    "a"
                                    "\x1a\x00"),
        CASE("fields out of order", "\x10\x01\x08\x01"),
        CASE("a field twice", "\x08\x01\x08\x02"),
        CASE("a number in more bytes than it needs", "\x08\x81\x00"),
        CASE("an agency of 33 bits", "\x08\xff\xff\xff\xff\x1f"),
        CASE("a number of ten bytes", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        CASE("a wrong wire type", "\x0a\x01"),
        CASE("an unknown field in a bet", "\x1a\x02\x30\x01"),
        CASE("a bet's fields out of order", "\x1a\x06\x12\x01"
                                            "b\x0a\x01"
                                            "a"),
        CASE("a text beyond its bet", "\x1a\x03\x0a\x02"
                                      "a"),
        CASE("a bet beyond its message", "\x1a\x04\x0a\x01"
                                         "a"),
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (assert_agree((const uint8_t *)cases[i].bytes, cases[i].size))
            fail_msg("%s was read", cases[i].what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),          cmocka_unit_test(test_encode),
        cmocka_unit_test(test_decode),          cmocka_unit_test(test_decode_damaged),
        cmocka_unit_test(test_encode_checksum), cmocka_unit_test(test_left_to_protobuf),
    };

    return cmocka_run_group_tests_name("bet_codec", tests, NULL, NULL);
}
