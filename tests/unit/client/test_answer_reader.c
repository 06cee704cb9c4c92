/* Decoding the server's answers: which handler is called, and which bytes are unexpected. */
#include "answer_reader.h"
#include "cmocka_all.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_MAX 4096

struct fixture {
    struct answer_reader reader;
    unsigned acks;
    unsigned winners;
    unsigned seals;
    uint64_t received;  /* of the last Ack */
    uint64_t total;     /* of the last Seal */
    char documents[64]; /* of all Winners, one after the other */
    unsigned stop_at;   /* this answer stops the reader; 0 = none does */
    uint8_t stream[STREAM_MAX];
    size_t size; /* bytes of stream */
};

static bool goes_on(const struct fixture *f)
{
    return f->acks + f->winners + f->seals != f->stop_at;
}

static bool on_ack(void *owner, const Lottery__V1__Ack *ack)
{
    struct fixture *f = owner;

    f->acks++;
    f->received = ack->received;
    return goes_on(f);
}

static bool on_winners(void *owner, const Lottery__V1__Winners *winners)
{
    struct fixture *f = owner;

    f->winners++;
    for (size_t i = 0; i < winners->n_documents; i++)
        (void)strncat(f->documents, winners->documents[i],
                      sizeof(f->documents) - strlen(f->documents) - 1);
    return goes_on(f);
}

static bool on_seal(void *owner, const Lottery__V1__Seal *seal)
{
    struct fixture *f = owner;

    f->seals++;
    f->total = seal->total;
    return goes_on(f);
}

static const struct answer_handlers handlers = {on_ack, on_winners, on_seal};
static const struct answer_handlers acks_only = {on_ack, NULL, NULL};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    answer_reader_init(&f->reader, &handlers, f);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    answer_reader_fini(&f->reader);
    answer_reader_fini(&f->reader); /* may be called again */
    free(f);
    return 0;
}

static void add(struct fixture *f, const uint8_t *frame, size_t size)
{
    assert_true(size > 0 && size <= sizeof(f->stream) - f->size);
    memcpy(f->stream + f->size, frame, size);
    f->size += size;
}

static void add_ack(struct fixture *f, uint64_t received)
{
    uint8_t frame[FRAME_MAX_SIZE];
    const struct wire_ack ack = {
        .code = LOTTERY__V1__ACK_CODE__ACK_CODE_OK, .received = received, .detail = ""};

    add(f, frame, wire_pack_ack(&ack, frame));
}

static void add_winners(struct fixture *f, const char *text, bool more)
{
    char copy[16];
    char *document = copy;
    Lottery__V1__Winners winners;
    uint8_t frame[FRAME_MAX_SIZE];

    lottery__v1__winners__init(&winners);
    (void)snprintf(copy, sizeof(copy), "%s", text);
    winners.n_documents = 1;
    winners.documents = &document;
    winners.more = more;
    add(f, frame, wire_pack(LOTTERY__V1__OPCODE__OPCODE_WINNERS, &winners.base, frame));
}

static void add_seal(struct fixture *f, uint64_t total)
{
    Lottery__V1__Seal seal;
    uint8_t frame[FRAME_MAX_SIZE];

    lottery__v1__seal__init(&seal);
    seal.total = total;
    add(f, frame, wire_pack(LOTTERY__V1__OPCODE__OPCODE_SEAL, &seal.base, frame));
}

/* A frame whose body is `body`. */
static void add_frame(struct fixture *f, uint8_t opcode, const char *body)
{
    uint8_t header[FRAME_HEADER_SIZE];

    frame_header_write(header, opcode, strlen(body));
    add(f, header, sizeof(header));
    if (body[0] != '\0')
        add(f, (const uint8_t *)body, strlen(body));
}

static enum status feed_all(struct fixture *f)
{
    return answer_reader_feed(&f->reader, f->stream, f->size);
}

/* Acks and Winners reach their handlers in order, in whatever pieces the bytes arrive. */
static void test_answers_in_every_piece_size(void **state)
{
    struct fixture *f = *state;

    add_ack(f, 7);
    add_winners(f, "AB", true);
    add_winners(f, "CD", false);
    add_ack(f, 8);
    for (size_t piece = 1; piece <= f->size; piece++) {
        f->acks = 0;
        f->winners = 0;
        f->documents[0] = '\0';
        for (size_t at = 0; at < f->size; at += piece) {
            size_t left = f->size - at;
            assert_int_equal(
                answer_reader_feed(&f->reader, f->stream + at, left < piece ? left : piece),
                STATUS_OK);
        }
        assert_int_equal(f->acks, 2);
        assert_int_equal(f->winners, 2);
        assert_true(f->received == 8);
        assert_string_equal(f->documents, "ABCD");
    }
}

/* A handler stops the reader; the rest of the same piece is ignored. */
static void test_handler_stops(void **state)
{
    struct fixture *f = *state;

    add_ack(f, 1);
    add_winners(f, "AB", false);
    add_ack(f, 2);
    f->stop_at = 1;
    assert_int_equal(feed_all(f), STATUS_STOPPED);
    assert_int_equal(f->acks + f->winners, 1);
    f->stop_at = 3;
    assert_int_equal(feed_all(f), STATUS_STOPPED);
    assert_int_equal(f->acks, 2);
    assert_int_equal(f->winners, 1);
}

/* Messages that only agencies send, unknown opcodes, bodies that are not messages and frames that
 * are too long are refused. The good answer before them is still handled. */
static void test_unexpected_messages(void **state)
{
    static const struct {
        uint8_t opcode;
        const char *body;
    } cases[] = {
        {LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, ""},
        {LOTTERY__V1__OPCODE__OPCODE_FINISHED, ""},
        {2, ""},
        {255, ""},
        {LOTTERY__V1__OPCODE__OPCODE_ACK, "\xff\xff"},
        {LOTTERY__V1__OPCODE__OPCODE_ACK, "\x0a"},
        {LOTTERY__V1__OPCODE__OPCODE_WINNERS, "\x0a"},
        {LOTTERY__V1__OPCODE__OPCODE_SEAL, "\x22\x7f"},
    };
    static const uint8_t too_long[FRAME_HEADER_SIZE] = {1, 0xff, 0xff, 0xff, 0xff};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f->size = 0;
        f->acks = 0;
        add_ack(f, 1);
        add_frame(f, cases[i].opcode, cases[i].body);
        add_ack(f, 2);
        assert_int_equal(feed_all(f), STATUS_MALFORMED);
        assert_int_equal(f->acks, 1);
        assert_int_equal(f->winners, 0);
    }
    assert_int_equal(answer_reader_feed(&f->reader, too_long, sizeof(too_long)), STATUS_MALFORMED);
}

/* Without a handler for Winners, they are refused. */
static void test_winners_not_expected(void **state)
{
    struct fixture *f = *state;

    answer_reader_init(&f->reader, &acks_only, f);
    add_ack(f, 1);
    add_winners(f, "AB", false);
    assert_int_equal(feed_all(f), STATUS_MALFORMED);
    assert_int_equal(f->acks, 1);
    assert_int_equal(f->winners, 0);
}

/* A Seal is an answer for who expects one, in pieces of every size, and can stop the reader. */
static void test_seal(void **state)
{
    struct fixture *f = *state;

    add_seal(f, 300);
    add_ack(f, 1);
    for (size_t i = 0; i < f->size; i++)
        assert_int_equal(answer_reader_feed(&f->reader, f->stream + i, 1), STATUS_OK);
    assert_int_equal(f->seals, 1);
    assert_int_equal(f->acks, 1);
    assert_true(f->total == 300);
    f->stop_at = 3;
    assert_int_equal(feed_all(f), STATUS_STOPPED);
    assert_int_equal(f->acks, 1);
    answer_reader_fini(&f->reader);
    answer_reader_init(&f->reader, &acks_only, f);
    assert_int_equal(feed_all(f), STATUS_MALFORMED);
    assert_int_equal(f->seals, 2);
}

/* Half an answer of one connection is not mixed with the next connection's bytes. */
static void test_fini_forgets(void **state)
{
    struct fixture *f = *state;

    add_ack(f, 3);
    assert_int_equal(answer_reader_feed(&f->reader, f->stream, f->size - 1), STATUS_OK);
    answer_reader_fini(&f->reader);
    assert_int_equal(feed_all(f), STATUS_OK);
    assert_int_equal(f->acks, 1);
    assert_true(f->received == 3);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_answers_in_every_piece_size),
        CASE(test_handler_stops),
        CASE(test_unexpected_messages),
        CASE(test_winners_not_expected),
        CASE(test_seal),
        CASE(test_fini_forgets),
    };

    return cmocka_run_group_tests_name("answer_reader", tests, NULL, NULL);
}
