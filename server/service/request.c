#include "request.h"

#include "assertion.h"
#include "service_internal.h"
#include "session.h"
#include "wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SPARES_MAX 256 /* unused requests that a service keeps */

/* Ends the request: it leaves its session. */
static void request_end(struct request *request)
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

/* Answers a request that was refused and has a session, and ends it. */
static void request_end_refused(struct request *request)
{
    request->op.received = request->session->received;
    request->answer(request);
    request_end(request);
}

/* Answers the first requests of the session, as long as they were refused. */
static void request_answer_refused(struct session *session)
{
    while (!list_is_empty(&session->requests)) {
        struct request *first = LIST_ITEM(session->requests.ring.next, struct request, node);
        if (first->is_at_ledger)
            return;
        request_end_refused(first);
    }
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
    case STATUS_COUNT:
        break;
    }
    return LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED;
}

static void request_on_done(struct ledger_op *op)
{
    struct request *request = (struct request *)op;
    struct session *session = request->session;

    if (ack_code_of(op->status) == LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED) {
        /* The link to the ledger was closed first. No code would be true, and no later answer may
         * take the place of this one. */
        request_end(request);
        if (session != NULL)
            session_abandon(session);
        return;
    }
    if (session != NULL)
        session_note_received(session, op->received);
    request->answer(request);
    session = request->session; /* NULL also when damaged winners have ended it */
    request_end(request);
    if (session == NULL)
        return;
    request_answer_refused(session);
    session->events->progress(session->owner);
}

struct request *request_begin(struct session *session, uint32_t agency, size_t frame_bytes,
                              request_answer_cb answer)
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
        .op = {.done = request_on_done},
        .answer = answer,
        .service = service,
        .session = session,
        .frame_bytes = frame_bytes,
        .agency = agency,
        .refusal = LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED,
    };
    list_append(&session->requests, &request->node);
    session->outstanding++;
    session->outstanding_bytes += frame_bytes;
    service->outstanding++;
    return request;
}

void request_refuse(struct request *request, Lottery__V1__AckCode code, const char *format, ...)
{
    struct session *session = request->session;
    va_list args;

    ASSERT(code != LOTTERY__V1__ACK_CODE__ACK_CODE_OK && !request->is_at_ledger);
    ASSERT(request->refusal == LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED);
    request->refusal = code;
    session->refused++;
    va_start(args, format);
    (void)vsnprintf(request->detail, sizeof(request->detail), format, args);
    va_end(args);
    if (session->outstanding > 1)
        return; /* request_answer_refused() will */
    if (session->agency != 0 && !session->knows_received) {
        request->is_at_ledger = true;
        ledger_ask(request->service->config.ledger, &request->op, session->agency);
        return;
    }
    request_end_refused(request);
    session_count_refusal(session);
}

Lottery__V1__AckCode request_code(struct request *request)
{
    enum status status = request->op.status;

    if (request->refusal != LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED)
        return request->refusal;
    if (status != STATUS_OK)
        (void)snprintf(request->detail, sizeof(request->detail), "%s", status_text(status));
    return ack_code_of(status);
}

void request_send_ack(const struct request *request, Lottery__V1__AckCode code)
{
    struct session *session = request->session;
    const char *detail = request->detail[0] != '\0' ? request->detail : NULL;
    uint8_t frame[FRAME_MAX_SIZE];

    if (session == NULL)
        return;
    size_t size = wire_pack_ack(code, request->op.received, detail, frame);
    session->events->send(session->owner, frame, size);
}

void requests_drop(struct list *requests)
{
    for (struct list_node *node; (node = list_pop(requests)) != NULL;) {
        struct request *request = LIST_ITEM(node, struct request, node);
        uint64_t received = request->session->received;
        request->session = NULL;
        if (request->is_at_ledger)
            continue; /* the operation is the ledger's */
        request->op.received = received;
        request->answer(request); /* logs it */
        request_end(request);
    }
}
