#include "handlers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Room to unpack the worst message that fits a frame: thousands of empty bets, each of which
 * becomes a struct, a pointer and the notes of protobuf-c's scanner. */
#define ARENA_CAPACITY ((size_t)2 * 1024 * 1024)

#define ANY_OPEN (1u << SESSION_BETTING | 1u << SESSION_WAITING | 1u << SESSION_SENDING)

/* Which message is for which handler, and in which states it may come. What is not here may only be
 * sent by the central, or by nobody. */
static const struct {
    uint8_t opcode;
    unsigned states;
    bool (*handle)(struct session *session, const uint8_t *body, size_t size);
} handlers[] = {
    {LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, ANY_OPEN, handle_new_bets},
    {LOTTERY__V1__OPCODE__OPCODE_FINISHED, ANY_OPEN, handle_finished},
};

enum status service_create(struct store *store, const struct service_events *events, void *owner,
                           struct service **out)
{
    struct service *service = calloc(1, sizeof(*service));

    if (service == NULL)
        return STATUS_NOMEM;
    if (!arena_init(&service->arena, ARENA_CAPACITY)) {
        free(service);
        return STATUS_NOMEM;
    }
    service->store = store;
    service->events = events;
    service->owner = owner;
    *out = service;
    return STATUS_OK;
}

void service_destroy(struct service *service)
{
    if (service == NULL)
        return;
    while (service->spares != NULL) {
        struct request *request = service->spares;
        service->spares = request->next;
        free(request);
    }
    winner_index_fini(&service->winners);
    arena_fini(&service->arena);
    free(service);
}

size_t service_outstanding(const struct service *service)
{
    return service->outstanding;
}

enum status service_send_winners(struct service *service, struct errbuf *err)
{
    if (!service->has_winners) {
        enum status status = winner_index_load(service->store, &service->winners, err);
        if (status != STATUS_OK)
            return status;
        service->has_winners = true;
    }
    while (service->waiting != NULL)
        session_send_winners(service->waiting);
    return STATUS_OK;
}

void service_report_waiting(struct service *service)
{
    for (struct session *session = service->waiting; session != NULL; session = session->next)
        service->events->waiting(service->owner, session->agency, session->total);
}

struct request *request_begin(struct session *session, uint32_t agency, size_t frame_bytes,
                              store_done_cb done)
{
    struct service *service = session->service;
    struct request *request = service->spares;

    if (request != NULL) {
        service->spares = request->next;
    } else {
        request = malloc(sizeof(*request));
        if (request == NULL)
            return NULL;
    }
    request->op.done = done;
    request->service = service;
    request->session = session;
    request->frame_bytes = frame_bytes;
    request->count = 0;
    request->agency = agency;
    request->refusal = LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED;
    request->detail[0] = '\0';

    request->next = session->requests;
    request->link = &session->requests;
    if (request->next != NULL)
        request->next->link = &request->next;
    session->requests = request;
    session->outstanding++;
    session->outstanding_bytes += frame_bytes;
    service->outstanding++;
    return request;
}

void request_end(struct request *request)
{
    struct service *service = request->service;

    if (request->session != NULL) {
        *request->link = request->next;
        if (request->next != NULL)
            request->next->link = request->link;
        request->session->outstanding--;
        request->session->outstanding_bytes -= request->frame_bytes;
    }
    request->next = service->spares;
    service->spares = request;
    service->outstanding--;
}

void request_refuse(struct request *request, Lottery__V1__AckCode code, const char *format, ...)
{
    va_list args;

    request->refusal = code;
    va_start(args, format);
    (void)vsnprintf(request->detail, sizeof(request->detail), format, args);
    va_end(args);
    /* A question can not fail at once. */
    (void)store_append(request->service->store, &request->op, request->agency, 0, NULL, 0);
}

static Lottery__V1__AckCode ack_code_of(enum status status)
{
    switch ((int)status) {
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
    default:
        return LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR;
    }
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

bool session_receive(struct session *session, uint8_t opcode, const uint8_t *body, size_t size)
{
    char detail[REQUEST_DETAIL_SIZE];

    if (session->state == SESSION_CLOSED)
        return false;
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].opcode == opcode && (handlers[i].states >> session->state & 1) != 0)
            return handlers[i].handle(session, body, size);
    }
    (void)snprintf(detail, sizeof(detail), "opcode %u is not for the central", opcode);
    session_malformed(session, detail);
    return false;
}
