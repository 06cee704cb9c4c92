/* The conversation with one connection.
 *
 * Happy path: each message becomes a request; the store ends requests in order, and each then sends
 * its answer. After an accepted Finished the session waits. After the draw it sends the winners, as
 * many frames at a time as the connection takes.
 *
 * Failure modes: the connection is gone first: its requests lose their session and end without an
 * answer. There is no memory for a request: the session closes at once. A message is malformed: the
 * answers to earlier messages leave, then MALFORMED, and the session ends.
 */
#include "session.h"

#include "assertion.h"
#include "log.h"
#include "request.h"
#include "service_internal.h"
#include "wire.h"

#include <string.h>

#define WINNERS_BACKLOG_MAX                                                                        \
    ((size_t)64 * 1024)     /* bytes of winners that the peer may not have read yet */
#define WINNERS_OVERHEAD 16 /* bytes; the fields agency_id and more take fewer */
#define WINNERS_PER_FRAME (FRAME_BODY_MAX / 3) /* a document of one character takes three bytes */

void session_init(struct session *session, struct service *service,
                  const struct session_events *events, void *owner)
{
    *session = (struct session){.service = service, .events = events, .owner = owner};
    list_init(&session->requests);
}

static void session_close(struct session *session)
{
    list_remove(&session->waiting);
    session->state = SESSION_CLOSED;
}

void session_fini(struct session *session)
{
    session_close(session);
    for (struct list_node *node; (node = list_pop(&session->requests)) != NULL;)
        LIST_ITEM(node, struct request, node)->session = NULL;
}

bool session_is_idle(const struct session *session)
{
    return session->outstanding == 0 && session->state != SESSION_WAITING &&
           session->state != SESSION_SENDING;
}

bool session_claim_agency(struct session *session, uint32_t agency)
{
    if (agency < 1 || agency > store_agencies(session->service->config.store))
        return false;
    if (session->agency == 0)
        session->agency = agency;
    return session->agency == agency;
}

void session_give_up(struct session *session)
{
    LOG(ERROR, "session", FAIL, LOG_TEXT("reason", status_text(STATUS_NOMEM)));
    session_close(session);
    session->events->finish(session->owner);
}

static void session_on_malformed_done(struct store_op *op)
{
    struct request *request = (struct request *)op;
    struct session *session = request->session;

    request_send_ack(request, request->refusal);
    if (session != NULL)
        session->events->finish(session->owner);
    request_end(request);
}

void session_malformed(struct session *session, const char *detail)
{
    struct request *request;

    if (session->state == SESSION_CLOSED)
        return;
    request = request_begin(session, session->agency, 0, session_on_malformed_done);
    if (request == NULL) {
        session_give_up(session);
        return;
    }
    session_close(session);
    request_refuse(request, LOTTERY__V1__ACK_CODE__ACK_CODE_MALFORMED, "%s", detail);
}

void session_wait(struct session *session, uint64_t total)
{
    struct service *service = session->service;

    ASSERT(session->state != SESSION_CLOSED && session->agency != 0);
    session->owed++;
    if (session->state != SESSION_BETTING)
        return; /* it is waiting, or is being sent the winners and will be sent them again */
    session->state = SESSION_WAITING;
    session->total = total;
    list_append(&service->waiting, &session->waiting);
    service->config.events->waiting(service->config.owner, session->agency, total);
}

void session_send_winners(struct session *session)
{
    ASSERT(session->state == SESSION_WAITING && session->owed > 0);
    session->state = SESSION_SENDING;
    session->sent = 0;
    session_continue(session);
}

/* Sends one frame with the next winners. Returns how many it has. */
static uint64_t session_send_winners_frame(struct session *session, const struct winner *winners,
                                           uint64_t count)
{
    static char texts[WINNERS_PER_FRAME][BET_DOCUMENT_MAX + 1];
    static char *documents[WINNERS_PER_FRAME];
    Lottery__V1__Winners message;
    uint8_t frame[FRAME_MAX_SIZE];
    size_t body_size = WINNERS_OVERHEAD;
    uint64_t taken = 0;

    lottery__v1__winners__init(&message);
    while (taken < count) {
        size_t size = winners[taken].document_size;
        if (wire_nested_size(size) > FRAME_BODY_MAX - body_size)
            break;
        body_size += wire_nested_size(size);
        memcpy(texts[taken], winners[taken].document, size);
        texts[taken][size] = '\0';
        documents[taken] = texts[taken];
        taken++;
    }
    ASSERT(taken > 0 || count == 0); /* a document always fits an empty frame */
    message.agency_id = session->agency;
    message.n_documents = (size_t)taken;
    message.documents = documents;
    message.more = taken < count;
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_WINNERS, &message.base, frame);
    ASSERT(size > 0);
    session->events->send(session->owner, frame, size);
    return taken;
}

void session_continue(struct session *session)
{
    uint64_t count;

    while (session->state == SESSION_SENDING &&
           session->events->backlog(session->owner) < WINNERS_BACKLOG_MAX) {
        const struct winner *winners =
            winner_index_of(&session->service->winners, session->agency, &count);
        ASSERT(session->sent <= count);
        session->sent +=
            session_send_winners_frame(session, winners + session->sent, count - session->sent);
        if (session->sent < count)
            continue;
        LOG(DEBUG, "ganadores_enviados", SUCCESS, LOG_UINT("agencia", session->agency),
            LOG_UINT("cantidad", count));
        session->sent = 0;
        if (--session->owed == 0) {
            session->state = SESSION_BETTING;
            session->events->progress(session->owner);
        }
    }
}
