#include "control_message.h"

#include "assertion.h"
#include "control.pb-c.h"
#include "log_text.h"

#include <string.h>

#define DOCUMENT_MAX 16 /* bytes */
#define VKEY_MAX 255    /* bytes; a key for checking has about 60 */

static size_t control_message_pack(Lottery__Control__V1__Opcode opcode,
                                   const ProtobufCMessage *message, uint8_t out[FRAME_MAX_SIZE])
{
    size_t body_size = protobuf_c_message_get_packed_size(message);

    ASSERT(body_size <= FRAME_BODY_MAX);
    frame_header_write(out, (uint8_t)opcode, body_size);
    (void)protobuf_c_message_pack(message, out + FRAME_HEADER_SIZE);
    return FRAME_HEADER_SIZE + body_size;
}

/* Copies at most `max` bytes, with a NUL. */
static void control_message_copy(char *out, size_t max, const char *text, size_t size)
{
    size_t taken;

    if (size > max)
        size = max;
    out[log_text_copy(out, max, text, size, &taken)] = '\0';
}

size_t control_message_result(enum control_result result, const char *text, uint64_t instance,
                              uint8_t out[FRAME_MAX_SIZE])
{
    Lottery__Control__V1__Result message;
    char reason[CONTROL_TEXT_MAX + 1];

    lottery__control__v1__result__init(&message);
    message.code = (Lottery__Control__V1__ResultCode)result;
    message.instance = instance;
    if (text != NULL) {
        control_message_copy(reason, CONTROL_TEXT_MAX, text, strlen(text));
        message.reason = reason;
    }
    return control_message_pack(LOTTERY__CONTROL__V1__OPCODE__OPCODE_RESULT, &message.base, out);
}

static Lottery__Control__V1__Phase control_message_phase(const struct control_status *status)
{
    switch (status->phase) {
    case DRAW_NEW:
        break;
    case DRAW_OPEN:
        return LOTTERY__CONTROL__V1__PHASE__PHASE_OPEN;
    case DRAW_CLOSED:
        return status->is_sealed ? LOTTERY__CONTROL__V1__PHASE__PHASE_SEALED
                                 : LOTTERY__CONTROL__V1__PHASE__PHASE_CLOSED;
    case DRAW_DRAWN:
        return LOTTERY__CONTROL__V1__PHASE__PHASE_DRAWN;
    }
    return LOTTERY__CONTROL__V1__PHASE__PHASE_UNSPECIFIED;
}

/* What the status borrows for the message. */
struct status_texts {
    char source[DRAW_TEXT_MAX + 1];
    char vkey[VKEY_MAX + 1];
    uint8_t root[DRAW_ROOT_SIZE];
};

static void control_message_put_seal(Lottery__Control__V1__Status *message,
                                     const struct control_status *status,
                                     struct status_texts *texts)
{
    memcpy(texts->root, status->sealed.root, DRAW_ROOT_SIZE);
    message->root = (ProtobufCBinaryData){DRAW_ROOT_SIZE, texts->root};
    message->sealed_at = status->sealed.time_s;
    if (status->vkey == NULL)
        return;
    control_message_copy(texts->vkey, VKEY_MAX, status->vkey, strlen(status->vkey));
    message->vkey = texts->vkey;
}

static void control_message_put_drawn(Lottery__Control__V1__Status *message,
                                      const struct control_status *status,
                                      struct status_texts *texts)
{
    const struct draw_drawn *drawn = &status->drawn;

    message->number = drawn->winner_number;
    message->winners = drawn->winners;
    message->drawn_at = drawn->time_s;
    message->drawn_uid = drawn->uid;
    message->has_winners = status->has_winners;
    if (drawn->source.size == 0 || !draw_is_text(drawn->source))
        return;
    memcpy(texts->source, drawn->source.data, drawn->source.size);
    texts->source[drawn->source.size] = '\0';
    message->source = texts->source;
}

size_t control_message_status(const struct control_status *status, uint64_t instance,
                              uint8_t out[FRAME_MAX_SIZE])
{
    Lottery__Control__V1__Status message;
    struct status_texts texts;
    struct draw_terms terms = status->terms;

    lottery__control__v1__status__init(&message);
    message.instance = instance;
    message.phase = control_message_phase(status);
    if (status->phase != DRAW_NEW) {
        message.draw = terms.id;
        message.mode = (Lottery__Control__V1__Mode)terms.mode;
        message.has_seal = terms.has_seal;
        message.close_at = terms.close_at_s;
        message.agencies = status->agencies;
        message.finished = status->finished;
        message.has_bets = status->has_bets;
        message.bets = status->has_bets ? status->bets : 0;
    }
    if (status->phase >= DRAW_CLOSED) {
        message.closed_at = status->closed.time_s;
        message.closed_by = (Lottery__Control__V1__ClosedBy)status->closed.by;
        message.closed_uid = status->closed.uid;
        if (status->is_sealed)
            control_message_put_seal(&message, status, &texts);
    }
    if (status->phase == DRAW_DRAWN)
        control_message_put_drawn(&message, status, &texts);
    return control_message_pack(LOTTERY__CONTROL__V1__OPCODE__OPCODE_STATUS, &message.base, out);
}

size_t control_message_agencies(const struct control_agency *rows, size_t count,
                                uint8_t out[FRAME_MAX_SIZE])
{
    Lottery__Control__V1__Agencies message;
    Lottery__Control__V1__Agency agencies[CONTROL_PAGE_MAX];
    Lottery__Control__V1__Agency *pointers[CONTROL_PAGE_MAX];

    ASSERT(count <= CONTROL_PAGE_MAX);
    lottery__control__v1__agencies__init(&message);
    for (size_t i = 0; i < count; i++) {
        lottery__control__v1__agency__init(&agencies[i]);
        agencies[i].id = rows[i].id;
        agencies[i].bets = rows[i].bets;
        agencies[i].has_finished = rows[i].has_finished;
        pointers[i] = &agencies[i];
    }
    message.agencies = pointers;
    message.n_agencies = count;
    return control_message_pack(LOTTERY__CONTROL__V1__OPCODE__OPCODE_AGENCIES, &message.base, out);
}

size_t control_message_winners(const struct control_winner *rows, size_t count,
                               uint8_t out[FRAME_MAX_SIZE])
{
    Lottery__Control__V1__Winners message;
    Lottery__Control__V1__Winner winners[CONTROL_PAGE_MAX];
    Lottery__Control__V1__Winner *pointers[CONTROL_PAGE_MAX];
    char documents[CONTROL_PAGE_MAX][DOCUMENT_MAX + 1];

    ASSERT(count <= CONTROL_PAGE_MAX);
    lottery__control__v1__winners__init(&message);
    for (size_t i = 0; i < count; i++) {
        lottery__control__v1__winner__init(&winners[i]);
        winners[i].agency = rows[i].agency;
        control_message_copy(documents[i], DOCUMENT_MAX, rows[i].document.data,
                             rows[i].document.size);
        winners[i].document = documents[i];
        pointers[i] = &winners[i];
    }
    message.winners = pointers;
    message.n_winners = count;
    return control_message_pack(LOTTERY__CONTROL__V1__OPCODE__OPCODE_WINNERS, &message.base, out);
}
