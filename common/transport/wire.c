#include "wire.h"

#include "draw_id.h"

#include <stdio.h>
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

/* The field's value, in `bytes`. */
static ProtobufCBinaryData wire_checksum(const struct bets_checksum *checksum,
                                         uint8_t bytes[BETS_CHECKSUM_SIZE])
{
    if (!checksum->is_given)
        return (ProtobufCBinaryData){0, NULL};
    little_put32(bytes, checksum->value);
    return (ProtobufCBinaryData){BETS_CHECKSUM_SIZE, bytes};
}

/* Copies the text, cut to DETAIL_MAX bytes, but never within a UTF-8 sequence: readers of proto3
 * strings refuse the whole message. */
static void wire_cut_detail(const char *detail, char out[DETAIL_MAX + 1])
{
    size_t size = strnlen(detail, DETAIL_MAX);

    if (detail[size] != '\0') {
        while (size > 0 && ((unsigned char)detail[size] & 0xc0) == 0x80)
            size--;
    }
    memcpy(out, detail, size);
    out[size] = '\0';
}

size_t wire_pack_ack(const struct wire_ack *ack, uint8_t out[FRAME_MAX_SIZE])
{
    Lottery__V1__Ack message;
    uint8_t checksum[BETS_CHECKSUM_SIZE];
    char detail[DETAIL_MAX + 1];

    lottery__v1__ack__init(&message);
    message.code = ack->code;
    message.received = ack->received;
    message.checksum = wire_checksum(&ack->checksum, checksum);
    message.stored = ack->stored;
    if (ack->draw != NULL)
        message.draw = (char *)(uintptr_t)ack->draw; /* packing does not change it */
    if (ack->detail != NULL) {
        wire_cut_detail(ack->detail, detail);
        message.detail = detail;
    }
    return wire_pack(LOTTERY__V1__OPCODE__OPCODE_ACK, &message.base, out);
}

size_t wire_pack_finished(const struct wire_finished *finished, uint8_t out[FRAME_MAX_SIZE])
{
    Lottery__V1__Finished message;
    uint8_t checksum[BETS_CHECKSUM_SIZE];
    char draw[DRAW_ID_MAX + 1] = "";

    lottery__v1__finished__init(&message);
    message.agency_id = finished->agency;
    message.total = finished->total;
    message.checksum = wire_checksum(&finished->checksum, checksum);
    message.want_seal = finished->want_seal;
    if (finished->draw != NULL)
        (void)snprintf(draw, sizeof(draw), "%s", finished->draw);
    message.draw = draw;
    return wire_pack(LOTTERY__V1__OPCODE__OPCODE_FINISHED, &message.base, out);
}

size_t wire_nested_size(size_t body_size)
{
    size_t size = 1; /* tag */

    for (size_t left = body_size; left >= 0x80; left >>= 7)
        size++;
    return size + 1 + body_size;
}
