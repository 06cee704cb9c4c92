#include "frame.h"

enum frame_result frame_decode(const uint8_t *data, size_t size, struct frame *out)
{
    if (size < FRAME_HEADER_SIZE)
        return FRAME_NEED_MORE;
    uint32_t length = (uint32_t)data[1] | (uint32_t)data[2] << 8 | (uint32_t)data[3] << 16 |
                      (uint32_t)data[4] << 24;
    if (length > FRAME_BODY_MAX)
        return FRAME_BAD;
    if (length > size - FRAME_HEADER_SIZE)
        return FRAME_NEED_MORE;
    *out = (struct frame){data + FRAME_HEADER_SIZE, length, data[0]};
    return FRAME_OK;
}

void frame_header_write(uint8_t header[FRAME_HEADER_SIZE], uint8_t opcode, size_t body_size)
{
    header[0] = opcode;
    for (unsigned i = 0; i < 4; i++)
        header[1 + i] = (uint8_t)(body_size >> (8 * i));
}
