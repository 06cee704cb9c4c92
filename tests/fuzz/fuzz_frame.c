/* The frame reader returns the same frames however the stream is cut (all at once, byte by byte, in
 * two pieces), and wherever its owner stops for a while; and a simple decoder returns them too. */
#include "frame_reader.h"
#include "fuzz.h"

#define FRAMES_MAX 4096

struct seen {
    struct {
        uint8_t opcode;
        size_t body_at; /* offset in `bodies` */
        size_t body_size;
    } frames[FRAMES_MAX];
    size_t count;
    uint8_t *bodies; /* room for the whole input */
    size_t bodies_size;
    enum status status;
};

static bool note_frame(void *context, const struct frame *frame)
{
    struct seen *seen = context;

    FUZZ_CHECK(frame->body_size <= FRAME_BODY_MAX);
    seen->frames[seen->count].opcode = frame->opcode;
    seen->frames[seen->count].body_at = seen->bodies_size;
    seen->frames[seen->count].body_size = frame->body_size;
    seen->count++;
    if (frame->body_size > 0)
        memcpy(seen->bodies + seen->bodies_size, frame->body, frame->body_size);
    seen->bodies_size += frame->body_size;
    return true;
}

static void begin(struct seen *seen, size_t size)
{
    seen->count = 0;
    seen->bodies_size = 0;
    seen->status = STATUS_OK;
    seen->bodies = malloc(size + 1);
    FUZZ_CHECK(seen->bodies != NULL);
}

/* The stream in pieces of `first`, then `step` bytes. */
static void feed(struct seen *seen, const uint8_t *data, size_t size, size_t first, size_t step)
{
    struct frame_reader reader;
    size_t piece = first;

    begin(seen, size);
    frame_reader_init(&reader);
    for (size_t at = 0; at < size && seen->status == STATUS_OK; at += piece, piece = step) {
        if (piece > size - at)
            piece = size - at;
        seen->status = frame_reader_feed(&reader, data + at, piece, note_frame, seen);
    }
    frame_reader_fini(&reader);
}

/* Takes at most `max` frames from the reader. */
static enum frame_result take(struct frame_reader *reader, struct seen *seen, size_t max)
{
    enum frame_result result = FRAME_OK;
    struct frame frame;

    for (size_t i = 0; i < max && result == FRAME_OK; i++) {
        result = frame_reader_next(reader, &frame);
        if (result == FRAME_OK)
            (void)note_frame(seen, &frame);
    }
    FUZZ_CHECK(result == FRAME_BAD || frame_reader_keep(reader) == STATUS_OK);
    return result;
}

/* The stream in pieces of `step` bytes, with a pause after every `max` frames. With `is_late` the
 * next piece may come before all frames of the last one are taken. */
static void feed_with_pauses(struct seen *seen, const uint8_t *data, size_t size, size_t step,
                             size_t max, bool is_late)
{
    struct frame_reader reader;
    enum frame_result result = FRAME_NEED_MORE;

    begin(seen, size);
    frame_reader_init(&reader);
    for (size_t at = 0; at < size && result != FRAME_BAD; at += step) {
        frame_reader_give(&reader, data + at, step < size - at ? step : size - at);
        result = take(&reader, seen, max);
        while (result == FRAME_OK && !is_late)
            result = take(&reader, seen, max);
    }
    while (result == FRAME_OK)
        result = take(&reader, seen, max);
    if (result == FRAME_BAD)
        seen->status = STATUS_MALFORMED;
    frame_reader_fini(&reader);
}

/* The simple decoder, to compare with. */
static void read_naively(struct seen *seen, const uint8_t *data, size_t size)
{
    begin(seen, size);
    for (size_t at = 0; size - at >= 5;) {
        size_t length = data[at + 1] | (size_t)data[at + 2] << 8 | (size_t)data[at + 3] << 16 |
                        (size_t)data[at + 4] << 24;
        struct frame frame = {data + at + 5, length, data[at]};
        if (5 + length > FRAME_MAX_SIZE) {
            seen->status = STATUS_MALFORMED;
            return;
        }
        if (5 + length > size - at)
            return;
        (void)note_frame(seen, &frame);
        at += 5 + length;
    }
}

static void check_same(const struct seen *a, const struct seen *b)
{
    FUZZ_CHECK(a->status == b->status);
    FUZZ_CHECK(a->count == b->count && a->bodies_size == b->bodies_size);
    FUZZ_CHECK(memcmp(a->bodies, b->bodies, a->bodies_size) == 0);
    for (size_t i = 0; i < a->count; i++)
        FUZZ_CHECK(a->frames[i].opcode == b->frames[i].opcode &&
                   a->frames[i].body_at == b->frames[i].body_at &&
                   a->frames[i].body_size == b->frames[i].body_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct seen wanted;
    static struct seen seen;

    if (size < 2 || size > FRAMES_MAX * FRAME_HEADER_SIZE)
        return 0;
    size_t cut = 1 + (data[0] | (size_t)data[1] << 8);
    data += 2;
    size -= 2;
    read_naively(&wanted, data, size);
    const size_t cuts[][2] = {{size, size}, {1, 1}, {cut, size}, {cut, cut}};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        feed(&seen, data, size, cuts[i][0], cuts[i][1]);
        check_same(&wanted, &seen);
        free(seen.bodies);
    }
    for (size_t i = 0; i < 4; i++) {
        feed_with_pauses(&seen, data, size, cut, 1 + i / 2 * 2, i % 2 != 0);
        check_same(&wanted, &seen);
        free(seen.bodies);
    }
    free(wanted.bodies);
    return 0;
}
