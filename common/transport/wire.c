#include "wire.h"

#include <string.h>

#define DETAIL_MAX 256

size_t wire_pack(Lottery__V1__Opcode opcode, const ProtobufCMessage *message,
                 uint8_t out[FRAME_MAX_SIZE])
{
    size_t body_size = protobuf_c_message_get_packed_size(message);

    if (body_size > FRAME_BODY_MAX)
        return 0;
    frame_header_write(out, (uint8_t)opcode, body_size);
    (void)protobuf_c_message_pack(message, out + FRAME_HEADER_SIZE);
    return FRAME_HEADER_SIZE + body_size;
}

size_t wire_pack_ack(Lottery__V1__AckCode code, uint64_t received, const char *detail,
                     uint8_t out[FRAME_MAX_SIZE])
{
    Lottery__V1__Ack ack;
    char text[DETAIL_MAX + 1];

    lottery__v1__ack__init(&ack);
    ack.code = code;
    ack.received = received;
    if (detail != NULL) {
        size_t size = strnlen(detail, DETAIL_MAX);
        /* Never cut within a UTF-8 sequence: readers of proto3 strings refuse the whole message. */
        if (detail[size] != '\0') {
            while (size > 0 && ((unsigned char)detail[size] & 0xc0) == 0x80)
                size--;
        }
        memcpy(text, detail, size);
        text[size] = '\0';
        ack.detail = text;
    }
    return wire_pack(LOTTERY__V1__OPCODE__OPCODE_ACK, &ack.base, out);
}

size_t wire_pack_finished(uint32_t agency, uint64_t total, uint8_t out[FRAME_MAX_SIZE])
{
    Lottery__V1__Finished finished;

    lottery__v1__finished__init(&finished);
    finished.agency_id = agency;
    finished.total = total;
    return wire_pack(LOTTERY__V1__OPCODE__OPCODE_FINISHED, &finished.base, out);
}

size_t wire_nested_size(size_t body_size)
{
    size_t size = 1; /* tag */

    for (size_t left = body_size; left >= 0x80; left >>= 7)
        size++;
    return size + 1 + body_size;
}
