#include "answer_reader.h"

#include "assertion.h"

/* One call of answer_reader_feed(). */
struct answer_feed {
    const struct answer_handlers *handlers;
    void *owner;
    bool is_unexpected; /* the last frame was not an expected answer */
};

static bool answer_take_ack(struct answer_feed *feed, const struct frame *frame)
{
    Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame->body_size, frame->body);

    feed->is_unexpected = ack == NULL;
    bool go_on = ack != NULL && feed->handlers->on_ack(feed->owner, ack);
    lottery__v1__ack__free_unpacked(ack, NULL);
    return go_on;
}

static bool answer_take_winners(struct answer_feed *feed, const struct frame *frame)
{
    Lottery__V1__Winners *winners =
        lottery__v1__winners__unpack(NULL, frame->body_size, frame->body);

    feed->is_unexpected = winners == NULL;
    bool go_on = winners != NULL && feed->handlers->on_winners(feed->owner, winners);
    lottery__v1__winners__free_unpacked(winners, NULL);
    return go_on;
}

static bool answer_take_seal(struct answer_feed *feed, const struct frame *frame)
{
    Lottery__V1__Seal *seal = lottery__v1__seal__unpack(NULL, frame->body_size, frame->body);

    feed->is_unexpected = seal == NULL;
    bool go_on = seal != NULL && feed->handlers->on_seal(feed->owner, seal);
    lottery__v1__seal__free_unpacked(seal, NULL);
    return go_on;
}

static bool answer_reader_on_frame(void *context, const struct frame *frame)
{
    struct answer_feed *feed = context;

    if (frame->opcode == LOTTERY__V1__OPCODE__OPCODE_ACK)
        return answer_take_ack(feed, frame);
    if (frame->opcode == LOTTERY__V1__OPCODE__OPCODE_WINNERS && feed->handlers->on_winners != NULL)
        return answer_take_winners(feed, frame);
    if (frame->opcode == LOTTERY__V1__OPCODE__OPCODE_SEAL && feed->handlers->on_seal != NULL)
        return answer_take_seal(feed, frame);
    feed->is_unexpected = true;
    return false;
}

void answer_reader_init(struct answer_reader *reader, const struct answer_handlers *handlers,
                        void *owner)
{
    ASSERT(handlers->on_ack != NULL);
    frame_reader_init(&reader->frames);
    reader->handlers = handlers;
    reader->owner = owner;
}

void answer_reader_fini(struct answer_reader *reader)
{
    frame_reader_fini(&reader->frames);
}

bool answer_reader_is_inside(const struct answer_reader *reader)
{
    return frame_reader_is_inside(&reader->frames);
}

enum status answer_reader_feed(struct answer_reader *reader, const uint8_t *data, size_t size)
{
    struct answer_feed feed = {reader->handlers, reader->owner, false};

    enum status status =
        frame_reader_feed(&reader->frames, data, size, answer_reader_on_frame, &feed);
    return feed.is_unexpected ? STATUS_MALFORMED : status;
}
