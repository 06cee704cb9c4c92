/* frame_reader.h - cuts a stream that comes in arbitrary pieces into frames.
 *
 * Whole frames are handed out where they lie in the piece, without a copy. Only an incomplete frame
 * at the end of a piece is copied, into one heap block of FRAME_MAX_SIZE bytes that is freed as
 * soon as the frame is complete: between two frames a connection holds no buffer at all.
 */
#ifndef LOTTERY_FRAME_READER_H
#define LOTTERY_FRAME_READER_H

#include "frame.h"
#include "status.h"

#include <stdbool.h>

struct frame_reader {
    uint8_t *partial;    /* the beginning of a frame, in FRAME_MAX_SIZE bytes; NULL = none */
    size_t partial_size; /* bytes in it */
};

/* Takes one frame, valid during the call. Returns false to stop the reader; it may then have
 * finished the reader (which is not touched again). */
typedef bool (*frame_reader_cb)(void *context, const struct frame *frame);

void frame_reader_init(struct frame_reader *reader);

/* Frees the copy of an incomplete frame. May be called again. */
void frame_reader_fini(struct frame_reader *reader);

/* Is a frame incomplete: has it begun but not ended? */
bool frame_reader_is_inside(const struct frame_reader *reader);

/* Feeds the next `size` bytes of the stream and calls `on_frame` for every frame they complete.
 * Returns STATUS_OK; STATUS_MALFORMED when a length is over the limit; STATUS_NOMEM; STATUS_STOPPED
 * when on_frame returned false. After anything but STATUS_OK the stream cannot go on. */
enum status frame_reader_feed(struct frame_reader *reader, const uint8_t *data, size_t size,
                              frame_reader_cb on_frame, void *context);

#endif
