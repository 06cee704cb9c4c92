/* seal_message.h - the central's messages about a sealed draw, kept until they can be checked, and
 * as the checks of common/seal want them. */
#ifndef LOTTERY_SEAL_MESSAGE_H
#define LOTTERY_SEAL_MESSAGE_H

#include "frame.h"
#include "lottery.pb-c.h"
#include "merkle.h"
#include "seal_check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message of at most one frame. Zeroed: there is none. */
struct kept_message {
    size_t size; /* bytes; 0: there is none */
    uint8_t bytes[FRAME_BODY_MAX];
};

/* Keeps a copy of the message, in place of the one before. False, without a change, if it is empty
 * or does not fit. */
bool kept_message_set(struct kept_message *kept, const ProtobufCMessage *message);

/* Is it the same message as the one that is kept? */
bool kept_message_is(const struct kept_message *kept, const ProtobufCMessage *message);

/* A Seal that was kept. */
struct seal_view {
    Lottery__V1__Seal *message; /* owned */
    struct text proof[MERKLE_PROOF_MAX + 1];
    struct seal_claim claim; /* what it says; borrows from here */
};

/* Opens a Seal that was kept; false without memory. The view must not be moved. A proof that is
 * longer than any is cut, but not to one that could be right. */
bool seal_view_open(struct seal_view *view, const struct kept_message *kept);
void seal_view_close(struct seal_view *view);

/* What the message Drawn says; borrows from it. */
struct result_claim result_claim_of(const Lottery__V1__Drawn *drawn);

#endif
