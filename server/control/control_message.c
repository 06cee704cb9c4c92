#include "control_message.h"

#include "assertion.h"
#include "log_text.h"

#include <string.h>

#define DOCUMENT_MAX 16 /* bytes */

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

static Lottery__Control__V1__Phase control_message_phase(enum draw_phase phase, bool is_sealed)
{
    switch (phase) {
    case DRAW_NEW:
        break;
    case DRAW_OPEN:
        return LOTTERY__CONTROL__V1__PHASE__PHASE_OPEN;
    case DRAW_CLOSED:
        return is_sealed ? LOTTERY__CONTROL__V1__PHASE__PHASE_SEALED
                         : LOTTERY__CONTROL__V1__PHASE__PHASE_CLOSED;
    case DRAW_DRAWN:
        return LOTTERY__CONTROL__V1__PHASE__PHASE_DRAWN;
    }
    return LOTTERY__CONTROL__V1__PHASE__PHASE_UNSPECIFIED;
}

static void control_message_put_seal(const struct control_status *status,
                                     struct control_status_message *out)
{
    memcpy(out->root, status->sealed.root, DRAW_ROOT_SIZE);
    out->message.root = (ProtobufCBinaryData){DRAW_ROOT_SIZE, out->root};
    out->message.sealed_at = status->sealed.time_s;
    if (status->vkey == NULL)
        return;
    control_message_copy(out->vkey, CONTROL_VKEY_MAX, status->vkey, strlen(status->vkey));
    out->message.vkey = out->vkey;
}

static void control_message_put_drawn(const struct control_status *status,
                                      struct control_status_message *out)
{
    const struct draw_drawn *drawn = &status->drawn;
    Lottery__Control__V1__Status *message = &out->message;

    message->number = drawn->winner_number;
    message->winners = drawn->winners;
    message->drawn_at = drawn->time_s;
    message->drawn_uid = drawn->uid;
    message->has_winners = status->has_winners;
    if (drawn->source.size == 0 || !draw_is_text(drawn->source))
        return;
    memcpy(out->source, drawn->source.data, drawn->source.size);
    out->source[drawn->source.size] = '\0';
    message->source = out->source;
}

static void control_message_put_terms(const struct control_status *status,
                                      struct control_status_message *out)
{
    Lottery__Control__V1__Status *message = &out->message;

    memcpy(out->draw, status->terms.id, sizeof(out->draw));
    message->draw = out->draw;
    message->mode = (Lottery__Control__V1__Mode)status->terms.mode;
    message->has_seal = status->terms.has_seal;
    message->close_at = status->terms.close_at_s;
    message->agencies = status->agencies;
    message->finished = status->finished;
    message->has_bets = status->has_bets;
    message->bets = status->has_bets ? status->bets : 0;
}

void control_message_fill_status(const struct control_status *status, uint64_t instance,
                                 struct control_status_message *out)
{
    Lottery__Control__V1__Status *message = &out->message;

    lottery__control__v1__status__init(message);
    message->instance = instance;
    message->phase = control_message_phase(status->phase, status->is_sealed);
    if (status->phase != DRAW_NEW)
        control_message_put_terms(status, out);
    if (status->phase >= DRAW_CLOSED) {
        message->closed_at = status->closed.time_s;
        message->closed_by = (Lottery__Control__V1__ClosedBy)status->closed.by;
        message->closed_uid = status->closed.uid;
        if (status->is_sealed)
            control_message_put_seal(status, out);
    }
    if (status->phase == DRAW_DRAWN)
        control_message_put_drawn(status, out);
}

size_t control_message_status(const struct control_status *status, uint64_t instance,
                              uint8_t out[FRAME_MAX_SIZE])
{
    struct control_status_message status_message;

    control_message_fill_status(status, instance, &status_message);
    return control_message_pack(LOTTERY__CONTROL__V1__OPCODE__OPCODE_STATUS,
                                &status_message.message.base, out);
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

size_t control_message_snapshot(const struct control_snapshot *snapshot,
                                uint8_t out[FRAME_MAX_SIZE])
{
    Lottery__Control__V1__Snapshot message;
    char draw[DRAW_ID_MAX + 1];

    lottery__control__v1__snapshot__init(&message);
    control_message_copy(draw, DRAW_ID_MAX, snapshot->draw, strlen(snapshot->draw));
    message.draw = draw;
    message.phase = control_message_phase(snapshot->phase, snapshot->is_sealed);
    message.bets = snapshot->bets;
    return control_message_pack(LOTTERY__CONTROL__V1__OPCODE__OPCODE_SNAPSHOT, &message.base, out);
}

/* All of the file but its name. */
static void control_message_fill_file(const struct control_file *file,
                                      Lottery__Control__V1__SnapshotFile *out)
{
    lottery__control__v1__snapshot_file__init(out);
    out->source = (Lottery__Control__V1__FileSource)file->source;
    out->content =
        (ProtobufCBinaryData){file->content.size, (uint8_t *)(uintptr_t)file->content.data};
    out->size = file->size;
    out->device = file->device;
    out->inode = file->inode;
}

size_t control_message_file(const struct control_file *file, uint8_t out[FRAME_MAX_SIZE])
{
    Lottery__Control__V1__SnapshotFile message;
    char name[CONTROL_NAME_MAX + 1];

    ASSERT(file->content.size <= CONTROL_CONTENT_MAX);
    control_message_fill_file(file, &message);
    control_message_copy(name, CONTROL_NAME_MAX, file->name, strlen(file->name));
    message.name = name;
    return control_message_pack(LOTTERY__CONTROL__V1__OPCODE__OPCODE_SNAPSHOT_FILE, &message.base,
                                out);
}
