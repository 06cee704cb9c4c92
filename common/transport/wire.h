/* wire.h - protobuf messages into frames. Knows protobuf and frames; no domain, no sockets. */
#ifndef LOTTERY_WIRE_H
#define LOTTERY_WIRE_H

#include "bets_checksum.h"
#include "frame.h"
#include "lottery.pb-c.h"

/* Writes a frame with `message` to `out`. Returns the frame's size, or 0 when it would exceed
 * FRAME_MAX_SIZE (nothing is written then). Does not allocate. */
size_t wire_pack(Lottery__V1__Opcode opcode, const ProtobufCMessage *message,
                 uint8_t out[FRAME_MAX_SIZE]);

/* What an Ack says. */
struct wire_ack {
    Lottery__V1__AckCode code;
    uint64_t received;
    const char *detail; /* borrowed; NULL: none; cut to 256 bytes */
    struct bets_checksum checksum;
    uint32_t stored;
    const char *draw; /* its id; borrowed; NULL or empty: none */
};

/* Packs an Ack. Never returns 0. */
size_t wire_pack_ack(const struct wire_ack *ack, uint8_t out[FRAME_MAX_SIZE]);

/* What a Finished says. */
struct wire_finished {
    uint32_t agency;
    uint64_t total;
    struct bets_checksum checksum; /* of these bets */
    const char *draw;              /* borrowed; at most 64 bytes; NULL or empty: no id */
    bool want_seal;
};

/* Packs a Finished. Never returns 0. */
size_t wire_pack_finished(const struct wire_finished *finished, uint8_t out[FRAME_MAX_SIZE]);

/* The bytes that a nested message of `body_size` bytes takes in its parent, for field numbers up to
 * 15: tag, length, body. */
size_t wire_nested_size(size_t body_size);

#endif
