#include "cmocka_all.h"
#include "frame.h"
#include "guard.h"

#include <stdbool.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct frame untouched = {(const uint8_t *)"", 4711, 0x55};

/* Decodes right before an inaccessible page; checks that *out is written only with FRAME_OK. */
static enum frame_result decode(const uint8_t *data, size_t size, struct frame *out)
{
    struct guarded guarded = guarded_copy(data, size);

    memcpy(out, &untouched, sizeof(untouched)); /* an assignment may leave the padding out */
    enum frame_result result = frame_decode(guarded.bytes, size, out);
    if (result == FRAME_OK)
        out->body = data + (out->body - guarded.bytes); /* the same place in the original */
    else
        assert_memory_equal(out, &untouched, sizeof(untouched));
    guarded_free(&guarded);
    return result;
}

static size_t build(uint8_t *out, uint8_t opcode, size_t body_size)
{
    frame_header_write(out, opcode, body_size);
    for (size_t i = 0; i < body_size; i++)
        out[FRAME_HEADER_SIZE + i] = (uint8_t)(i * 7 + body_size);
    return FRAME_HEADER_SIZE + body_size;
}

/* The limits are the documented ones. */
static void test_limits(void **state)
{
    struct frame frame = {NULL, FRAME_BODY_MAX, 0};

    (void)state;
    assert_int_equal(FRAME_HEADER_SIZE, 5);
    assert_int_equal(FRAME_MAX_SIZE, 8192);
    assert_int_equal(frame_size(&frame), 8192);
}

/* The header is the opcode and the length, least byte first. */
static void test_header_bytes(void **state)
{
    uint8_t header[FRAME_HEADER_SIZE + 1] = {0, 0, 0, 0, 0, 0xee};

    (void)state;
    frame_header_write(header, 3, 0);
    assert_memory_equal(header, "\x03\x00\x00\x00\x00\xee", 6);
    frame_header_write(header, 255, 1);
    assert_memory_equal(header, "\xff\x01\x00\x00\x00\xee", 6);
    frame_header_write(header, 0, FRAME_BODY_MAX);
    assert_memory_equal(header, "\x00\xfb\x1f\x00\x00\xee", 6);
}

/* For every kind of size, each prefix of a frame needs more bytes; the whole frame is decoded. */
static void test_every_prefix_needs_more(void **state)
{
    static const size_t sizes[] = {0,   1,   2,   4,    5,    6,    127,  128,
                                   255, 256, 300, 4091, 4096, 8185, 8186, FRAME_BODY_MAX};
    uint8_t bytes[FRAME_MAX_SIZE];
    struct frame frame;

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t whole = build(bytes, (uint8_t)(i * 17), sizes[i]);
        for (size_t size = 0; size < whole; size++)
            assert_int_equal(decode(bytes, size, &frame), FRAME_NEED_MORE);
        assert_int_equal(decode(bytes, whole, &frame), FRAME_OK);
        assert_int_equal(frame.opcode, (uint8_t)(i * 17));
        assert_int_equal(frame.body_size, sizes[i]);
        assert_ptr_equal(frame.body, bytes + FRAME_HEADER_SIZE);
        assert_int_equal(frame_size(&frame), whole);
    }
}

/* What follows a frame does not matter, not even a bad frame. */
static void test_only_the_first_frame_counts(void **state)
{
    uint8_t bytes[100];
    struct frame frame;

    (void)state;
    memset(bytes, 0xff, sizeof(bytes));
    size_t whole = build(bytes, 1, 10);
    for (size_t size = whole; size <= sizeof(bytes); size++) {
        assert_int_equal(decode(bytes, size, &frame), FRAME_OK);
        assert_int_equal(frame.body_size, 10);
    }
}

/* A length over the limit is bad as soon as it is known, whichever of its bytes is too large. */
static void test_too_long_is_bad_at_once(void **state)
{
    static const uint32_t lengths[] = {
        FRAME_BODY_MAX + 1, FRAME_MAX_SIZE, FRAME_MAX_SIZE + 1, 0xffff,     0x10000,    0x10001,
        0x1000000,          0x1000001,      0x7fffffff,         0x80000000, 0xfffffffa, 0xfffffffb,
        0xfffffffc,         0xffffffff};
    struct frame frame;

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        uint8_t bytes[20] = {0};
        frame_header_write(bytes, 0, lengths[i]);
        for (size_t size = 0; size < FRAME_HEADER_SIZE; size++)
            assert_int_equal(decode(bytes, size, &frame), FRAME_NEED_MORE);
        for (size_t size = FRAME_HEADER_SIZE; size <= sizeof(bytes); size++)
            assert_int_equal(decode(bytes, size, &frame), FRAME_BAD);
    }
}

/* Every opcode passes: it is checked elsewhere. */
static void test_every_opcode(void **state)
{
    struct frame frame;

    (void)state;
    for (int opcode = 0; opcode < 256; opcode++) {
        uint8_t bytes[FRAME_HEADER_SIZE];
        frame_header_write(bytes, (uint8_t)opcode, 0);
        assert_int_equal(decode(bytes, sizeof(bytes), &frame), FRAME_OK);
        assert_int_equal(frame.opcode, opcode);
        assert_int_equal(frame.body_size, 0);
    }
}

/* Writing and decoding headers agree on every possible body size. */
static void test_every_size_round_trip(void **state)
{
    static uint8_t bytes[FRAME_MAX_SIZE];
    struct frame frame;

    (void)state;
    for (size_t size = 0; size <= FRAME_BODY_MAX; size++) {
        frame_header_write(bytes, 4, size);
        assert_int_equal(frame_decode(bytes, FRAME_HEADER_SIZE + size, &frame), FRAME_OK);
        assert_int_equal(frame.body_size, size);
        if (size > 0)
            assert_int_equal(frame_decode(bytes, FRAME_HEADER_SIZE + size - 1, &frame),
                             FRAME_NEED_MORE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_header_bytes),
        cmocka_unit_test(test_every_prefix_needs_more),
        cmocka_unit_test(test_only_the_first_frame_counts),
        cmocka_unit_test(test_too_long_is_bad_at_once),
        cmocka_unit_test(test_every_opcode),
        cmocka_unit_test(test_every_size_round_trip),
    };

    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
