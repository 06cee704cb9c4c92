/* frame_reader.h - cuts a stream that comes in arbitrary pieces into frames.
 *
 * Whole frames are handed out where they lie in the piece, without a copy. Only what was not taken
 * is copied, at the end of a piece: an incomplete frame into one heap block of FRAME_MAX_SIZE bytes
 * that is freed as soon as the frame is complete; whole frames, which an owner has left for later,
 * into a block of their size. Between two frames a connection holds no buffer at all.
 *
 * There are two ways to use it. frame_reader_feed() takes all of a piece. An owner that may have to
 * stop between two frames and go on later calls frame_reader_give(), then frame_reader_next() as
 * often as it likes, then frame_reader_keep(); and later again, without a piece,
 * frame_reader_next() and frame_reader_keep().
 */
#ifndef LOTTERY_FRAME_READER_H
#define LOTTERY_FRAME_READER_H

#include "frame.h"
#include "status.h"

#include <stdbool.h>

struct frame_reader {
    uint8_t *kept;        /* input that was not taken; owned; NULL = none */
    size_t kept_at;       /* where it begins; what is before was taken */
    size_t kept_end;      /* where it ends */
    size_t kept_capacity; /* bytes of the block */
    const uint8_t *piece; /* the rest of the piece, borrowed from give() to keep(); it follows what
                             is kept */
    size_t piece_size;
};

/* Takes one frame, valid during the call. Returns false to stop the reader; it may then have
 * finished the reader (which is not touched again). */
typedef bool (*frame_reader_cb)(void *context, const struct frame *frame);

void frame_reader_init(struct frame_reader *reader);

/* Frees what is kept. May be called again. */
void frame_reader_fini(struct frame_reader *reader);

/* Is there input that was not taken? Once all whole frames have been taken: is a frame incomplete,
 * has it begun but not ended? */
bool frame_reader_is_inside(const struct frame_reader *reader);

/* Bytes on the heap. */
size_t frame_reader_memory(const struct frame_reader *reader);

/* Gives the reader the next piece of the stream, borrowed until frame_reader_keep(). */
void frame_reader_give(struct frame_reader *reader, const uint8_t *data, size_t size);

/* Takes the next frame: FRAME_OK, and *out is valid until the next call; FRAME_NEED_MORE when no
 * frame is complete; FRAME_BAD when its length is over the limit. */
enum frame_result frame_reader_next(struct frame_reader *reader, struct frame *out);

/* After FRAME_BAD: the header of that frame, FRAME_HEADER_SIZE bytes. */
const uint8_t *frame_reader_bad_header(const struct frame_reader *reader);

/* Ends the use of a piece: copies what was not taken. STATUS_NOMEM: the stream cannot go on. */
enum status frame_reader_keep(struct frame_reader *reader);

/* Feeds the next `size` bytes of the stream and calls `on_frame` for every frame they complete.
 * Returns STATUS_OK; STATUS_MALFORMED when a length is over the limit; STATUS_NOMEM; STATUS_STOPPED
 * when on_frame returned false. After anything but STATUS_OK the stream cannot go on. */
enum status frame_reader_feed(struct frame_reader *reader, const uint8_t *data, size_t size,
                              frame_reader_cb on_frame, void *context);

#endif
