#include "batch.h"

#include "bet_codec.h"
#include "lottery.pb-c.h"

/* An encoded message may be written in pieces: the other fields here, then bet by bet. */
void batch_begin(struct batch *batch, uint32_t agency, uint64_t offset,
                 struct bets_checksum checksum, struct text draw)
{
    Lottery__V1__NewBets head;

    lottery__v1__new_bets__init(&head);
    head.agency_id = agency;
    head.offset = offset;
    batch->size =
        FRAME_HEADER_SIZE + lottery__v1__new_bets__pack(&head, batch->frame + FRAME_HEADER_SIZE);
    batch->count = 0;
    batch->checksum = checksum;
    batch->draw = draw;
    batch->end = FRAME_MAX_SIZE - (checksum.is_given ? NEW_BETS_CHECKSUM_SIZE : 0) -
                 new_bets_draw_size(draw);
}

bool batch_add(struct batch *batch, const struct bet *bet)
{
    size_t size = bet_encoded_size(bet);

    if (size > batch->end - batch->size)
        return false;
    (void)bet_encode(bet, batch->frame + batch->size);
    batch->size += size;
    batch->count++;
    return true;
}

void batch_end(struct batch *batch)
{
    uint8_t *end = batch->frame + batch->size;

    if (batch->checksum.is_given)
        end = new_bets_checksum_encode(batch->checksum.value, end);
    end = new_bets_draw_encode(batch->draw, end);
    batch->size = (size_t)(end - batch->frame);
    frame_header_write(batch->frame, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS,
                       batch->size - FRAME_HEADER_SIZE);
}
