#include "request.h"

#include "assertion.h"
#include "service_internal.h"
#include "session.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>

#define SPARES_MAX 256 /* unused requests that a service keeps */

void request_end(struct request *request)
{
    struct service *service = request->service;
    struct session *session = request->session;

    ASSERT(service != NULL); /* a request ends only once */
    ASSERT(service->outstanding > 0);
    if (session != NULL) {
        ASSERT(session->outstanding > 0 && session->outstanding_bytes >= request->frame_bytes);
        list_remove(&request->node);
        session->outstanding--;
        session->outstanding_bytes -= request->frame_bytes;
        session->refused -= request->refusal != LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED;
    }
    service->outstanding--;
    free(request->notes);
    request->notes = NULL;
    request->service = NULL;
    if (service->spares_count >= SPARES_MAX) {
        free(request);
        return;
    }
    list_prepend(&service->spares, &request->node);
    service->spares_count++;
}

/* UNSPECIFIED: it is not known what became of the operation. */
static Lottery__V1__AckCode ack_code_of(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return LOTTERY__V1__ACK_CODE__ACK_CODE_OK;
    case STATUS_GAP:
        return LOTTERY__V1__ACK_CODE__ACK_CODE_OFFSET_GAP;
    case STATUS_CLOSED:
        return LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED;
    case STATUS_UNKNOWN_AGENCY:
        return LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY;
    case STATUS_MISMATCH:
        return LOTTERY__V1__ACK_CODE__ACK_CODE_CONTENT_MISMATCH;
    case STATUS_INCOMPLETE:
        return LOTTERY__V1__ACK_CODE__ACK_CODE_INCOMPLETE;
    case STATUS_NOMEM:
    case STATUS_IO:
    case STATUS_NOSPACE:
        return LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR; /* nothing was stored */
    case STATUS_INVALID:
    case STATUS_NOTFOUND:
    case STATUS_INUSE:
    case STATUS_DAMAGED:
    case STATUS_MALFORMED:
    case STATUS_STOPPED:
    case STATUS_UNCERTAIN:
    case STATUS_GONE:
    case STATUS_UNTRUSTED:
    case STATUS_COUNT:
        break;
    }
    return LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED;
}

struct request *request_begin(struct session *session, uint32_t agency, size_t frame_bytes,
                              ledger_done_cb done, request_answer_cb answer)
{
    struct service *service = session->service;
    struct list_node *spare = list_pop(&service->spares);
    struct request *request;

    ASSERT(session->state != SESSION_CLOSED);
    if (spare != NULL) {
        service->spares_count--;
        request = LIST_ITEM(spare, struct request, node);
    } else {
        request = malloc(sizeof(*request));
        if (request == NULL)
            return NULL;
    }
    *request = (struct request){
        .op = {.done = done},
        .answer = answer,
        .service = service,
        .session = session,
        .frame_bytes = frame_bytes,
        .agency = agency,
        .draw_id = session->draw_id,
        .refusal = LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED,
    };
    list_append(&session->requests, &request->node);
    session->outstanding++;
    session->outstanding_bytes += frame_bytes;
    service->outstanding++;
    return request;
}

bool request_is_lost(const struct request *request)
{
    return ack_code_of(request->op.status) == LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED;
}

void request_set_refusal(struct request *request, Lottery__V1__AckCode code, const char *format,
                         va_list args)
{
    ASSERT(code != LOTTERY__V1__ACK_CODE__ACK_CODE_OK && !request->is_at_ledger);
    ASSERT(request->refusal == LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED);
    request->refusal = code;
    request->session->refused++;
    (void)vsnprintf(request->detail, sizeof(request->detail), format, args);
}

/* Where a draw is run by somebody, an agency may not have seen its end. */
static const char *request_status_text(const struct request *request)
{
    const struct session *session = request->session;
    const struct ledger_news *news = ledger_news(request->service->config.ledger);
    bool is_run = news->terms.mode == DRAW_MANUAL || news->terms.id[0] != '\0';

    if (request->op.status == STATUS_CLOSED &&
        ((session != NULL && session->past != NULL) || (is_run && news->phase >= DRAW_CLOSED)))
        return "the draw is closed: ask for the winners with Finished";
    return status_text(request->op.status);
}

Lottery__V1__AckCode request_code(struct request *request)
{
    enum status status = request->op.status;

    if (request->refusal != LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED)
        return request->refusal;
    if (status != STATUS_OK)
        (void)snprintf(request->detail, sizeof(request->detail), "%s",
                       request_status_text(request));
    return ack_code_of(status);
}

void request_send_ack(const struct request *request, Lottery__V1__AckCode code)
{
    struct session *session = request->session;
    const struct ledger_op *op = &request->op;
    struct scoreboard_row *row = request->service->config.row;
    struct wire_ack ack = {.code = code, .received = op->received, .draw = request->draw_id};
    uint8_t frame[FRAME_MAX_SIZE];

    if (session == NULL)
        return;
    if (request->detail[0] != '\0')
        ack.detail = request->detail;
    if (op->claimed.is_given) { /* else it is answered as before there were checksums */
        ack.checksum = (struct bets_checksum){op->checksum, true};
        ack.stored = op->stored;
    }
    ASSERT(code < SCOREBOARD_CODES);
    scoreboard_count(row, SCOREBOARD_ANSWERS + code, 1);
    if (op->stored > 0)
        scoreboard_count(row, SCOREBOARD_BETS, op->stored);
    size_t size = wire_pack_ack(&ack, frame);
    session->events->send(session->owner, frame, size);
}

void requests_drop(struct list *requests)
{
    LIST_FOR_EACH (node, requests) {
        struct request *request = LIST_ITEM(node, struct request, node);
        list_remove(node);
        uint64_t received = request->session->received;
        request->session = NULL;
        if (request->is_at_ledger)
            continue; /* the operation is the ledger's */
        request->op.received = received;
        request->answer(request); /* logs it */
        request_end(request);
    }
}
