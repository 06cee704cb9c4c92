/* batch.h - packs bets into one NewBets frame, as many as fit. Pure: no I/O, no allocation. */
#ifndef LOTTERY_BATCH_H
#define LOTTERY_BATCH_H

#include "bet.h"
#include "bets_checksum.h"
#include "frame.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

struct batch {
    uint8_t frame[FRAME_MAX_SIZE]; /* header and body; complete after batch_end */
    size_t size;                   /* bytes of the frame so far */
    size_t end;     /* where the bets end at the latest: there is room for the rest */
    uint32_t count; /* bets in it */
    struct bets_checksum checksum; /* of the bets before it */
    struct text draw;              /* which draw it is for; borrowed; empty: the one without id */
};

/* Begins a batch of bets that follow the first `offset` bets of `agency`, of which `checksum` is,
 * in a draw whose id has at most 64 bytes. */
void batch_begin(struct batch *batch, uint32_t agency, uint64_t offset,
                 struct bets_checksum checksum, struct text draw);

/* Adds a valid bet. Returns false, and adds nothing, when the frame has no room for it; an empty
 * batch has room for any valid bet. */
bool batch_add(struct batch *batch, const struct bet *bet);

/* Completes the frame: `batch->size` bytes at `batch->frame` are ready to be sent. */
void batch_end(struct batch *batch);

#endif
