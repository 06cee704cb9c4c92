#include "batch.h"

#include "lottery.pb-c.h"
#include "wire.h"

/* The key of NewBets.bets, a length-delimited field; see "Message Structure" in the encoding guide
 * of Protocol Buffers. A message may be put together from pieces: here its head, then bet by bet.
 */
#define BETS_FIELD 3
#define BETS_KEY (BETS_FIELD << 3 | 2)

void batch_begin(struct batch *batch, uint32_t agency, uint64_t offset)
{
    Lottery__V1__NewBets head;

    lottery__v1__new_bets__init(&head);
    head.agency_id = agency;
    head.offset = offset;
    batch->size =
        FRAME_HEADER_SIZE + lottery__v1__new_bets__pack(&head, batch->frame + FRAME_HEADER_SIZE);
    batch->count = 0;
}

/* protobuf-c's strings are not const, though packing only reads them. */
static char *string_of(struct text text)
{
    return (char *)(uintptr_t)text.data;
}

bool batch_add(struct batch *batch, const struct bet *bet)
{
    Lottery__V1__Bet message;

    lottery__v1__bet__init(&message);
    message.first_name = string_of(bet->first_name);
    message.last_name = string_of(bet->last_name);
    message.document = string_of(bet->document);
    message.birthdate = string_of(bet->birthdate);
    message.number = bet->number;
    size_t body_size = lottery__v1__bet__get_packed_size(&message);
    size_t whole_size = wire_nested_size(body_size);
    if (whole_size > FRAME_MAX_SIZE - batch->size)
        return false;
    uint8_t *at = batch->frame + batch->size;
    *at++ = BETS_KEY;
    for (size_t left = body_size; left > 0; left >>= 7)
        *at++ = (uint8_t)((left & 0x7f) | (left >= 0x80 ? 0x80 : 0));
    (void)lottery__v1__bet__pack(&message, at);
    batch->size += whole_size;
    batch->count++;
    return true;
}

void batch_end(struct batch *batch)
{
    frame_header_write(batch->frame, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS,
                       batch->size - FRAME_HEADER_SIZE);
}
