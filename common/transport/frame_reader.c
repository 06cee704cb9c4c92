#include "frame_reader.h"

#include <stdlib.h>
#include <string.h>

void frame_reader_init(struct frame_reader *reader)
{
    *reader = (struct frame_reader){.kept = NULL};
}

void frame_reader_fini(struct frame_reader *reader)
{
    free(reader->kept);
    frame_reader_init(reader);
}

static size_t frame_reader_kept_size(const struct frame_reader *reader)
{
    return reader->kept_end - reader->kept_at;
}

bool frame_reader_is_inside(const struct frame_reader *reader)
{
    return frame_reader_kept_size(reader) > 0;
}

size_t frame_reader_memory(const struct frame_reader *reader)
{
    return reader->kept_capacity;
}

void frame_reader_give(struct frame_reader *reader, const uint8_t *data, size_t size)
{
    reader->piece = data;
    reader->piece_size = size;
}

/* Moves `size` bytes from the piece to the incomplete frame, for which the block has room. */
static void frame_reader_complete(struct frame_reader *reader, size_t size)
{
    size_t kept_size = frame_reader_kept_size(reader);

    if (size > reader->kept_capacity - reader->kept_end) {
        memmove(reader->kept, reader->kept + reader->kept_at, kept_size);
        reader->kept_at = 0;
        reader->kept_end = kept_size;
    }
    memcpy(reader->kept + reader->kept_end, reader->piece, size);
    reader->kept_end += size;
    reader->piece += size;
    reader->piece_size -= size;
}

/* Takes the next frame from what is kept. If that is the beginning of a frame, it moves bytes from
 * the piece to it: first up to the end of the header, which has the length, then up to the end of
 * the frame, but no further. */
static enum frame_result frame_reader_next_kept(struct frame_reader *reader, struct frame *out)
{
    for (;;) {
        const uint8_t *begin = reader->kept + reader->kept_at;
        size_t size = frame_reader_kept_size(reader);
        enum frame_result result = frame_decode(begin, size, out);
        if (result == FRAME_OK)
            reader->kept_at += frame_size(out);
        if (result != FRAME_NEED_MORE || reader->piece_size == 0)
            return result;
        size_t want = FRAME_HEADER_SIZE;
        if (size >= FRAME_HEADER_SIZE)
            want += (size_t)begin[1] | (size_t)begin[2] << 8;
        size_t missing = want - size;
        frame_reader_complete(reader, missing < reader->piece_size ? missing : reader->piece_size);
    }
}

enum frame_result frame_reader_next(struct frame_reader *reader, struct frame *out)
{
    if (frame_reader_kept_size(reader) > 0)
        return frame_reader_next_kept(reader, out);
    if (reader->kept != NULL) { /* all of it was taken, and the last frame is not used any more */
        free(reader->kept);
        reader->kept = NULL;
        reader->kept_at = reader->kept_end = reader->kept_capacity = 0;
    }
    if (reader->piece_size == 0)
        return FRAME_NEED_MORE;
    enum frame_result result = frame_decode(reader->piece, reader->piece_size, out);
    if (result == FRAME_OK) {
        reader->piece += frame_size(out);
        reader->piece_size -= frame_size(out);
    }
    return result;
}

const uint8_t *frame_reader_bad_header(const struct frame_reader *reader)
{
    return frame_reader_kept_size(reader) > 0 ? reader->kept + reader->kept_at : reader->piece;
}

/* Copies all that was not taken to a new block. */
static enum status frame_reader_move(struct frame_reader *reader)
{
    size_t kept_size = frame_reader_kept_size(reader);
    size_t size = kept_size + reader->piece_size;
    size_t capacity = size > FRAME_MAX_SIZE ? size : FRAME_MAX_SIZE;
    uint8_t *block = malloc(capacity);

    if (block == NULL)
        return STATUS_NOMEM;
    if (kept_size > 0)
        memcpy(block, reader->kept + reader->kept_at, kept_size);
    if (reader->piece_size > 0)
        memcpy(block + kept_size, reader->piece, reader->piece_size);
    free(reader->kept);
    *reader = (struct frame_reader){.kept = block, .kept_end = size, .kept_capacity = capacity};
    return STATUS_OK;
}

enum status frame_reader_keep(struct frame_reader *reader)
{
    size_t size = frame_reader_kept_size(reader) + reader->piece_size;
    enum status status = STATUS_OK;

    if (size == 0)
        frame_reader_fini(reader);
    else if (reader->piece_size > 0 ||
             (size <= FRAME_MAX_SIZE && reader->kept_capacity > FRAME_MAX_SIZE))
        status = frame_reader_move(reader);
    reader->piece = NULL;
    reader->piece_size = 0;
    return status;
}

enum status frame_reader_feed(struct frame_reader *reader, const uint8_t *data, size_t size,
                              frame_reader_cb on_frame, void *context)
{
    struct frame frame;

    frame_reader_give(reader, data, size);
    for (;;) {
        enum frame_result result = frame_reader_next(reader, &frame);
        if (result == FRAME_NEED_MORE)
            return frame_reader_keep(reader);
        if (result == FRAME_BAD)
            return STATUS_MALFORMED;
        /* Empty the reader first, because on_frame may finish it. */
        const struct frame_reader rest = *reader;
        frame_reader_init(reader);
        bool go_on = on_frame(context, &frame);
        free(rest.kept);
        if (!go_on)
            return STATUS_STOPPED;
        frame_reader_give(reader, rest.piece, rest.piece_size);
    }
}
