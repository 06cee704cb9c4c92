/* frame.h - the frame around every message: opcode u8 | length u32 little endian | body.
 *
 * A pure decoder: no allocation, no I/O, no state.
 */
#ifndef LOTTERY_FRAME_H
#define LOTTERY_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_SIZE 5 /* bytes */
#define FRAME_MAX_SIZE 8192 /* bytes of a whole frame, header included, in both directions */
#define FRAME_BODY_MAX (FRAME_MAX_SIZE - FRAME_HEADER_SIZE)

enum frame_result {
    FRAME_OK,        /* a whole frame is there */
    FRAME_NEED_MORE, /* a prefix of a frame; nothing is consumed */
    FRAME_BAD        /* its length is over the limit: there is no way to find the next frame */
};

struct frame {
    const uint8_t *body; /* points into the decoded bytes; valid as long as they are */
    size_t body_size;    /* 0..FRAME_BODY_MAX */
    uint8_t opcode;      /* as received; the caller has to refuse unknown ones */
};

/* The size of the whole frame that `frame` came from. */
static inline size_t frame_size(const struct frame *frame)
{
    return FRAME_HEADER_SIZE + frame->body_size;
}

/* Decodes the first frame of `size` bytes at `data`. *out is written only for FRAME_OK. The limit
 * is checked as soon as the length is known, before any of the body has come. */
enum frame_result frame_decode(const uint8_t *data, size_t size, struct frame *out);

/* Writes the header of a frame with `body_size` (<= FRAME_BODY_MAX) bytes of body. */
void frame_header_write(uint8_t header[FRAME_HEADER_SIZE], uint8_t opcode, size_t body_size);

#endif
