#include "frame_reader.h"

#include <stdlib.h>
#include <string.h>

void frame_reader_init(struct frame_reader *reader)
{
    *reader = (struct frame_reader){NULL, 0};
}

void frame_reader_fini(struct frame_reader *reader)
{
    free(reader->partial);
    frame_reader_init(reader);
}

bool frame_reader_is_inside(const struct frame_reader *reader)
{
    return reader->partial != NULL;
}

static size_t frame_reader_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Moves bytes from the piece to the incomplete frame: first up to the end of the header, which has
 * the length, then up to the end of the frame, but no further. */
static enum frame_result complete_partial(struct frame_reader *reader, const uint8_t **data,
                                          size_t *size, struct frame *frame)
{
    for (;;) {
        size_t want = FRAME_HEADER_SIZE;
        if (reader->partial_size >= FRAME_HEADER_SIZE) {
            enum frame_result result = frame_decode(reader->partial, reader->partial_size, frame);
            if (result != FRAME_NEED_MORE)
                return result;
            want =
                FRAME_HEADER_SIZE + ((size_t)reader->partial[1] | (size_t)reader->partial[2] << 8);
        }
        if (*size == 0)
            return FRAME_NEED_MORE;
        size_t taken = frame_reader_smaller(want - reader->partial_size, *size);
        memcpy(reader->partial + reader->partial_size, *data, taken);
        reader->partial_size += taken;
        *data += taken;
        *size -= taken;
    }
}

static enum status keep(struct frame_reader *reader, const uint8_t *data, size_t size)
{
    reader->partial = malloc(FRAME_MAX_SIZE);
    if (reader->partial == NULL)
        return STATUS_NOMEM;
    memcpy(reader->partial, data, size);
    reader->partial_size = size;
    return STATUS_OK;
}

enum status frame_reader_feed(struct frame_reader *reader, const uint8_t *data, size_t size,
                              frame_reader_cb on_frame, void *context)
{
    struct frame frame;

    if (reader->partial != NULL) {
        enum frame_result result = complete_partial(reader, &data, &size, &frame);
        if (result == FRAME_BAD)
            return STATUS_MALFORMED;
        if (result == FRAME_NEED_MORE)
            return STATUS_OK;
        /* Take the block out of the reader first, because on_frame may finish the reader. */
        uint8_t *block = reader->partial;
        frame_reader_init(reader);
        bool go_on = on_frame(context, &frame);
        free(block);
        if (!go_on)
            return STATUS_STOPPED;
    }
    while (size > 0) {
        switch (frame_decode(data, size, &frame)) {
        case FRAME_BAD:
            return STATUS_MALFORMED;
        case FRAME_NEED_MORE:
            return keep(reader, data, size);
        case FRAME_OK:
            if (!on_frame(context, &frame))
                return STATUS_STOPPED;
            data += frame_size(&frame);
            size -= frame_size(&frame);
            break;
        }
    }
    return STATUS_OK;
}
