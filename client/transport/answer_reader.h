/* answer_reader.h - decodes the bytes that the server sends into its answers: Ack, Winners and
 * Seal. No I/O.
 */
#ifndef LOTTERY_ANSWER_READER_H
#define LOTTERY_ANSWER_READER_H

#include "frame_reader.h"
#include "lottery.pb-c.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each takes one answer, valid during the call. It returns false to stop the reader, and may then
 * have called answer_reader_fini(). */
struct answer_handlers {
    bool (*on_ack)(void *owner, const Lottery__V1__Ack *ack);
    bool (*on_winners)(void *owner, const Lottery__V1__Winners *winners); /* NULL: not expected */
    bool (*on_seal)(void *owner, const Lottery__V1__Seal *seal);          /* NULL: not expected */
};

struct answer_reader {
    struct frame_reader frames;             /* holds the beginning of an incomplete answer */
    const struct answer_handlers *handlers; /* borrowed */
    void *owner;                            /* handed to the handlers */
};

void answer_reader_init(struct answer_reader *reader, const struct answer_handlers *handlers,
                        void *owner);

/* Forgets an incomplete answer, if there is one. To be called at the end, and between two
 * connections. */
void answer_reader_fini(struct answer_reader *reader);

/* Is an answer incomplete: has it begun but not ended? */
bool answer_reader_is_inside(const struct answer_reader *reader);

/* Takes the next `size` bytes and calls a handler for each answer that they complete.
 * STATUS_STOPPED when a handler returned false; STATUS_MALFORMED when the bytes are not an expected
 * answer; STATUS_NOMEM. After anything but STATUS_OK this connection cannot go on. */
enum status answer_reader_feed(struct answer_reader *reader, const uint8_t *data, size_t size);

#endif
