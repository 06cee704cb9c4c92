#include "alloc_fault.h"
#include "cmocka_all.h"
#include "frame_reader.h"
#include "guard.h"
#include "prng.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STREAM_MAX (64 * 1024)

/* A stream of frames, and what a reader has made of it. */
struct fixture {
    struct frame_reader reader;
    uint8_t stream[STREAM_MAX];
    size_t stream_size;
    size_t ends[64]; /* where each frame of the stream ends */
    size_t frames;   /* how many it has */
    size_t seen;     /* bytes of the stream whose frames were correct */
    size_t calls;
    size_t stop_at;   /* on_frame returns false at this call; 0 = never */
    bool is_finished; /* ... and finishes the reader before */
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    frame_reader_init(&f->reader);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    frame_reader_fini(&f->reader);
    assert_false(frame_reader_is_inside(&f->reader));
    free(f);
    return 0;
}

static void add_frame(struct fixture *f, uint8_t opcode, size_t body_size)
{
    uint8_t *at = f->stream + f->stream_size;

    frame_header_write(at, opcode, body_size);
    for (size_t i = 0; i < body_size; i++)
        at[FRAME_HEADER_SIZE + i] = (uint8_t)(i * 31 + f->frames);
    f->stream_size += FRAME_HEADER_SIZE + body_size;
    f->ends[f->frames++] = f->stream_size;
}

/* Frames of every awkward size, the longest between short ones. */
static void add_all_sizes(struct fixture *f)
{
    static const size_t sizes[] = {0, 1, 0, 4, 5, 6, 100, FRAME_BODY_MAX, 255, 256, 0, 300, 0};

    for (size_t i = 0; i < COUNT(sizes); i++)
        add_frame(f, (uint8_t)(i * 19), sizes[i]);
}

static void rewind_stream(struct fixture *f)
{
    f->seen = 0;
    f->calls = 0;
}

/* Checks that the frame is the next one of the stream, byte for byte. */
static bool on_frame(void *context, const struct frame *frame)
{
    struct fixture *f = context;
    uint8_t header[FRAME_HEADER_SIZE];

    f->calls++;
    if (f->calls == f->stop_at && f->is_finished)
        frame_reader_fini(&f->reader);
    frame_header_write(header, frame->opcode, frame->body_size);
    assert_true(f->seen + frame_size(frame) <= f->stream_size);
    assert_memory_equal(header, f->stream + f->seen, FRAME_HEADER_SIZE);
    if (frame->body_size > 0)
        assert_memory_equal(frame->body, f->stream + f->seen + FRAME_HEADER_SIZE, frame->body_size);
    f->seen += frame_size(frame);
    return f->calls != f->stop_at;
}

/* Feeds a piece from memory that ends where the piece ends and is freed right after. */
static enum status feed(struct fixture *f, size_t from, size_t to)
{
    size_t size = to - from;
    uint8_t *copy = malloc(size > 0 ? size : 1);

    assert_non_null(copy);
    memcpy(copy, f->stream + from, size);
    enum status status = frame_reader_feed(&f->reader, copy, size, on_frame, f);
    free(copy);
    return status;
}

/* How many frames are complete after `size` bytes of the stream. */
static size_t whole_within(const struct fixture *f, size_t size)
{
    size_t count = 0;

    while (count < f->frames && f->ends[count] <= size)
        count++;
    return count;
}

/* Checks that the reader has passed on what it should and has a buffer only within a frame. */
static void assert_state_after(const struct fixture *f, size_t size)
{
    size_t whole = whole_within(f, size);
    size_t boundary = whole > 0 ? f->ends[whole - 1] : 0;

    assert_int_equal(f->calls, whole);
    assert_int_equal(f->seen, boundary);
    assert_int_equal(frame_reader_is_inside(&f->reader), size > boundary);
}

/* Fed byte by byte, every frame comes out at its last byte and not before. */
static void test_byte_by_byte(void **state)
{
    struct fixture *f = *state;

    add_all_sizes(f);
    for (size_t at = 0; at < f->stream_size; at++) {
        struct guarded guarded = guarded_copy(f->stream + at, 1);
        assert_int_equal(frame_reader_feed(&f->reader, guarded.bytes, 1, on_frame, f), STATUS_OK);
        guarded_free(&guarded);
        assert_state_after(f, at + 1);
    }
    assert_int_equal(f->calls, f->frames);
}

/* Cut in two at any point, the stream gives the same frames. */
static void test_every_split_point(void **state)
{
    struct fixture *f = *state;

    add_all_sizes(f);
    for (size_t cut = 0; cut <= f->stream_size; cut++) {
        rewind_stream(f);
        assert_int_equal(feed(f, 0, cut), STATUS_OK);
        assert_state_after(f, cut);
        assert_int_equal(feed(f, cut, f->stream_size), STATUS_OK);
        assert_state_after(f, f->stream_size);
    }
}

/* Cut in three at any two points, too. */
static void test_every_two_split_points(void **state)
{
    struct fixture *f = *state;

    add_frame(f, 0, 3);
    add_frame(f, 1, 0);
    add_frame(f, 2, 12);
    add_frame(f, 3, 1);
    for (size_t first = 0; first <= f->stream_size; first++) {
        for (size_t second = first; second <= f->stream_size; second++) {
            rewind_stream(f);
            assert_int_equal(feed(f, 0, first), STATUS_OK);
            assert_int_equal(feed(f, first, second), STATUS_OK);
            assert_state_after(f, second);
            assert_int_equal(feed(f, second, f->stream_size), STATUS_OK);
            assert_state_after(f, f->stream_size);
        }
    }
}

/* In pieces of any size, all of one size or mixed, the stream gives the same frames. */
static void test_pieces_of_any_size(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {5};

    add_all_sizes(f);
    for (size_t round = 1; round < 1500; round++) {
        rewind_stream(f);
        for (size_t at = 0; at < f->stream_size;) {
            size_t size = round <= 700 ? round : 1 + prng_below(&prng, (uint32_t)(round * 8));
            size_t to = size < f->stream_size - at ? at + size : f->stream_size;
            assert_int_equal(feed(f, at, to), STATUS_OK);
            at = to;
        }
        assert_state_after(f, f->stream_size);
    }
}

struct place {
    const uint8_t *from;
    const uint8_t *to;
    size_t calls;
};

static bool is_within(void *context, const struct frame *frame)
{
    struct place *place = context;

    place->calls++;
    assert_true(frame->body >= place->from && frame->body + frame->body_size <= place->to);
    return true;
}

/* Whole frames within a piece are passed on where they are, without a copy. */
static void test_whole_frames_are_not_copied(void **state)
{
    struct fixture *f = *state;
    struct place place = {f->stream, f->stream + STREAM_MAX, 0};

    add_all_sizes(f);
    assert_int_equal(frame_reader_feed(&f->reader, f->stream, f->stream_size, is_within, &place),
                     STATUS_OK);
    assert_int_equal(place.calls, f->frames);
    assert_int_equal(frame_reader_memory(&f->reader), 0);
}

/* An empty piece changes nothing, neither between frames nor within one. */
static void test_empty_piece(void **state)
{
    struct fixture *f = *state;

    add_frame(f, 1, 10);
    assert_int_equal(feed(f, 0, 0), STATUS_OK);
    assert_state_after(f, 0);
    for (size_t at = 0; at < f->stream_size; at++) {
        assert_int_equal(feed(f, at, at + 1), STATUS_OK);
        assert_int_equal(feed(f, at + 1, at + 1), STATUS_OK);
        assert_state_after(f, at + 1);
    }
}

/* A length over the limit is malformed at the byte that shows it, after the frames before it. */
static void test_too_long(void **state)
{
    static const uint32_t lengths[] = {FRAME_BODY_MAX + 1, 0x10000, 0x1000000, 0xffffffff};

    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct fixture *f = *state;
        memset(f, 0, sizeof(*f));
        add_frame(f, 1, 10);
        add_frame(f, 2, 0);
        frame_header_write(f->stream + f->stream_size, 0, lengths[i]);
        size_t header_end = f->stream_size + FRAME_HEADER_SIZE;
        for (size_t cut = 0; cut < header_end; cut++) {
            rewind_stream(f);
            frame_reader_init(&f->reader);
            assert_int_equal(feed(f, 0, cut), STATUS_OK);
            assert_int_equal(feed(f, cut, header_end), STATUS_MALFORMED);
            assert_int_equal(f->calls, 2);
            frame_reader_fini(&f->reader);
        }
        rewind_stream(f);
        for (size_t at = 0; at < header_end - 1; at++)
            assert_int_equal(feed(f, at, at + 1), STATUS_OK);
        assert_int_equal(feed(f, header_end - 1, header_end), STATUS_MALFORMED);
        assert_int_equal(f->calls, 2);
        frame_reader_fini(&f->reader);
    }
}

/* When on_frame returns false, it is not called again, whether its frame came whole or in pieces.
 * It may finish the reader: the frame stays valid until on_frame returns. */
static void test_stop(void **state)
{
    for (int finishes = 0; finishes < 2; finishes++) {
        for (size_t stop_at = 1; stop_at <= 4; stop_at++) {
            struct fixture *f = *state;
            memset(f, 0, sizeof(*f));
            for (uint8_t i = 0; i < 5; i++)
                add_frame(f, i, (size_t)i * 3 % 7);
            f->stop_at = stop_at;
            f->is_finished = finishes != 0;
            for (size_t cut = 0; cut < f->ends[stop_at - 1]; cut++) {
                rewind_stream(f);
                frame_reader_init(&f->reader);
                assert_int_equal(feed(f, 0, cut), STATUS_OK);
                assert_int_equal(feed(f, cut, f->stream_size), STATUS_STOPPED);
                assert_int_equal(f->calls, stop_at);
                frame_reader_fini(&f->reader);
            }
        }
    }
}

/* Without memory for an incomplete frame the reader returns STATUS_NOMEM, after the whole frames.
 */
static void test_no_memory(void **state)
{
    struct fixture *f = *state;

    add_frame(f, 1, 10);
    add_frame(f, 2, 20);
    alloc_fault_after(0);
    enum status status = frame_reader_feed(&f->reader, f->stream, f->stream_size - 1, on_frame, f);
    assert_true(alloc_fault_end());
    assert_int_equal(status, STATUS_NOMEM);
    assert_int_equal(f->calls, 1);
    assert_false(frame_reader_is_inside(&f->reader));
}

/* Takes at most `max` frames; returns what the reader said last. */
static enum frame_result take(struct fixture *f, unsigned max)
{
    enum frame_result result = FRAME_OK;
    struct frame frame;

    for (unsigned i = 0; i < max && result == FRAME_OK; i++) {
        result = frame_reader_next(&f->reader, &frame);
        if (result == FRAME_OK)
            (void)on_frame(f, &frame);
    }
    return result;
}

/* An owner may stop after any frame, give the piece's memory back, and go on later: the same frames
 * come out, however the stream was cut. What is kept has the size of what was not taken. */
static void test_stop_and_go_on(void **state)
{
    struct fixture *f = *state;

    add_all_sizes(f);
    for (unsigned max = 1; max <= 5; max++) {
        for (size_t step = 1; step <= f->stream_size; step = step * 3 / 2 + 1) {
            rewind_stream(f);
            for (size_t at = 0; at < f->stream_size; at += step) {
                size_t size = step < f->stream_size - at ? step : f->stream_size - at;
                struct guarded piece = guarded_copy(f->stream + at, size);
                frame_reader_give(&f->reader, piece.bytes, size);
                enum frame_result result = take(f, max);
                assert_int_equal(frame_reader_keep(&f->reader), STATUS_OK);
                guarded_free(&piece);
                assert_true(frame_reader_memory(&f->reader) <= step + FRAME_MAX_SIZE);
                while (result == FRAME_OK) {
                    result = take(f, max);
                    assert_int_equal(frame_reader_keep(&f->reader), STATUS_OK);
                }
                assert_int_equal(result, FRAME_NEED_MORE);
                assert_true(frame_reader_memory(&f->reader) <= FRAME_MAX_SIZE);
                assert_state_after(f, at + size);
            }
        }
    }
}

/* A piece may come while whole frames of earlier ones are still kept. */
static void test_pieces_before_going_on(void **state)
{
    struct fixture *f = *state;

    add_all_sizes(f);
    for (size_t step = 1; step <= f->stream_size; step = step * 3 / 2 + 1) {
        rewind_stream(f);
        for (size_t at = 0; at < f->stream_size; at += step) {
            size_t size = step < f->stream_size - at ? step : f->stream_size - at;
            frame_reader_give(&f->reader, f->stream + at, size);
            (void)take(f, at / step % 2);
            assert_int_equal(frame_reader_keep(&f->reader), STATUS_OK);
        }
        assert_int_equal(take(f, 1000), FRAME_NEED_MORE);
        assert_int_equal(frame_reader_keep(&f->reader), STATUS_OK);
        assert_state_after(f, f->stream_size);
    }
}

/* Without memory for what was not taken, keep says so, and nothing leaks. */
static void test_keep_without_memory(void **state)
{
    struct fixture *f = *state;

    add_all_sizes(f);
    frame_reader_give(&f->reader, f->stream, f->stream_size);
    assert_int_equal(take(f, 3), FRAME_OK);
    alloc_fault_after(0);
    enum status status = frame_reader_keep(&f->reader);
    assert_true(alloc_fault_end());
    assert_int_equal(status, STATUS_NOMEM);
}

/* Finishing within a frame frees its buffer; finishing twice and starting again are allowed. */
static void test_fini_again(void **state)
{
    struct fixture *f = *state;

    add_frame(f, 1, 10);
    assert_int_equal(feed(f, 0, 7), STATUS_OK);
    assert_true(frame_reader_is_inside(&f->reader));
    frame_reader_fini(&f->reader);
    frame_reader_fini(&f->reader);
    assert_false(frame_reader_is_inside(&f->reader));
    assert_int_equal(feed(f, 0, f->stream_size), STATUS_OK);
    assert_int_equal(f->calls, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_byte_by_byte),
        CASE(test_every_split_point),
        CASE(test_every_two_split_points),
        CASE(test_pieces_of_any_size),
        CASE(test_whole_frames_are_not_copied),
        CASE(test_empty_piece),
        CASE(test_too_long),
        CASE(test_stop),
        CASE(test_no_memory),
        CASE(test_stop_and_go_on),
        CASE(test_pieces_before_going_on),
        CASE(test_keep_without_memory),
        CASE(test_fini_again),
    };

    return cmocka_run_group_tests_name("frame_reader", tests, NULL, NULL);
}
