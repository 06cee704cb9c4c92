#include "winners_frame.h"

#include "assertion.h"
#include "bet.h"
#include "frame.h"
#include "service_internal.h"
#include "session.h"
#include "session_files.h"
#include "wire.h"

#include <string.h>

#define WINNERS_OVERHEAD 16                    /* bytes; the fields agency_id and more take fewer */
#define WINNERS_PER_FRAME (FRAME_BODY_MAX / 3) /* a document of one character takes three bytes */
#define WINNERS_TEXT_SIZE                                                                          \
    (FRAME_BODY_MAX + BET_DOCUMENT_MAX) /* bytes of a frame's documents, which take more in the    \
                                           frame, and of the next one, which did not fit */

/* Reads the documents that come next, as many of their `size` bytes as are left or fit. */
static enum status winners_read(const struct session *session, uint64_t size, char *text,
                                size_t capacity, size_t *out_size)
{
    if (session->sent_bytes > size)
        return STATUS_DAMAGED; /* the index was opened again, and is another one */
    uint64_t left = size - session->sent_bytes;
    *out_size = left < capacity ? (size_t)left : capacity;
    return winner_index_read(session_files(session)->winners, session->agency, session->sent_bytes,
                             text, *out_size);
}

/* The size of the document that begins the `size` bytes of text, without its line feed. 0: there is
 * none, or it is damaged. */
static size_t winners_document_size(const char *text, size_t size)
{
    const char *end = memchr(text, '\n', size);

    return end != NULL && end - text <= BET_DOCUMENT_MAX ? (size_t)(end - text) : 0;
}

/* The number of a draw, and memory for its text. */
struct winners_drawn {
    Lottery__V1__Drawn message;
    char source[DRAW_TEXT_MAX + 1]; /* a string */
};

/* Tells the number with the first of the winners, if it was not known before. */
static void winners_add_drawn(const struct session *session, struct winners_drawn *out,
                              Lottery__V1__Winners *winners)
{
    const struct draw_drawn *drawn = session_drawn_to_tell(session);

    if (session->sent > 0 || drawn == NULL)
        return;
    lottery__v1__drawn__init(&out->message);
    out->message.number = drawn->winner_number;
    out->message.time = drawn->time_s;
    if (drawn->source.size > 0) {
        memcpy(out->source, drawn->source.data, drawn->source.size);
        out->source[drawn->source.size] = '\0';
        out->message.source = out->source;
    }
    if (session_files(session)->result != NULL)
        out->message.note = session_files(session)->result;
    winners->drawn = &out->message;
}

enum status winners_send_frame(struct session *session, const struct winner_documents *winners)
{
    char text[WINNERS_TEXT_SIZE];
    char *documents[WINNERS_PER_FRAME];
    Lottery__V1__Winners message;
    struct winners_drawn drawn;
    uint8_t frame[FRAME_MAX_SIZE];
    size_t body_size = WINNERS_OVERHEAD;
    size_t text_size;
    size_t at = 0;
    size_t taken = 0;

    enum status status = winners_read(session, winners->size, text, sizeof(text), &text_size);
    if (status != STATUS_OK)
        return status;
    lottery__v1__winners__init(&message);
    winners_add_drawn(session, &drawn, &message);
    if (message.drawn != NULL)
        body_size += wire_nested_size(lottery__v1__drawn__get_packed_size(message.drawn));
    while (session->sent + taken < winners->count) {
        size_t size = winners_document_size(text + at, text_size - at);
        if (size == 0)
            return STATUS_DAMAGED;
        if (wire_nested_size(size) > FRAME_BODY_MAX - body_size)
            break;
        body_size += wire_nested_size(size);
        text[at + size] = '\0'; /* in the place of the line feed */
        documents[taken++] = text + at;
        at += size + 1;
    }
    session->sent += taken;
    session->sent_bytes += at;
    message.agency_id = session->agency;
    message.n_documents = taken;
    message.documents = documents;
    message.more = session->sent < winners->count;
    ASSERT(taken > 0 || !message.more); /* a document always fits an empty frame */
    if (!message.more && session->sent_bytes != winners->size)
        return STATUS_DAMAGED; /* there are more bytes than documents */
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_WINNERS, &message.base, frame);
    ASSERT(size > 0);
    scoreboard_count(session->service->config.row, SCOREBOARD_WINNERS, 1);
    session->events->send(session->owner, frame, size);
    return STATUS_OK;
}
