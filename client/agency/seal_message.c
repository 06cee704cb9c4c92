#include "seal_message.h"

#include <string.h>

bool kept_message_set(struct kept_message *kept, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);

    if (size == 0 || size > sizeof(kept->bytes))
        return false;
    kept->size = protobuf_c_message_pack(message, kept->bytes);
    return true;
}

bool kept_message_is(const struct kept_message *kept, const ProtobufCMessage *message)
{
    struct kept_message other;

    return kept_message_set(&other, message) && other.size == kept->size &&
           memcmp(other.bytes, kept->bytes, kept->size) == 0;
}

static struct text seal_view_bytes(ProtobufCBinaryData bytes)
{
    return (struct text){(const char *)bytes.data, bytes.len};
}

bool seal_view_open(struct seal_view *view, const struct kept_message *kept)
{
    Lottery__V1__Seal *message = lottery__v1__seal__unpack(NULL, kept->size, kept->bytes);

    view->message = message;
    if (message == NULL)
        return false;
    size_t count = message->n_proof <= MERKLE_PROOF_MAX ? message->n_proof : MERKLE_PROOF_MAX + 1;
    for (size_t i = 0; i < count; i++)
        view->proof[i] = seal_view_bytes(message->proof[i]);
    view->claim = (struct seal_claim){
        .agency = message->agency_id,
        .draw = text_of(message->draw),
        .total = message->total,
        .digest = seal_view_bytes(message->digest),
        .nonce = seal_view_bytes(message->nonce),
        .index = message->index,
        .proof = view->proof,
        .proof_count = count,
        .note = text_of(message->note),
    };
    return true;
}

void seal_view_close(struct seal_view *view)
{
    lottery__v1__seal__free_unpacked(view->message, NULL);
}

struct result_claim result_claim_of(const Lottery__V1__Drawn *drawn)
{
    return (struct result_claim){
        .number = drawn->number,
        .source = text_of(drawn->source),
        .time_s = drawn->time,
        .note = text_of(drawn->note),
    };
}
