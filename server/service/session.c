/* The conversation with one connection.
 *
 * Happy path: each message becomes a request; the ledger ends requests in order, and each then
 * sends its answer. After an accepted Finished the session waits. After the draw it sends the
 * winners, as many frames at a time as the connection takes.
 *
 * Failure modes: the connection is gone first: its requests lose their session and end without an
 * answer. There is no memory for a request: the session closes at once. A message is malformed: the
 * answers to earlier messages leave, then MALFORMED, and the session ends. The link to the ledger
 * is closed before an operation has ended, or the winners are damaged: the session ends without
 * that answer and without those that would follow.
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
    session->outstanding = 0;
    session->outstanding_bytes = 0;
}

bool session_is_idle(const struct session *session)
{
    return session->outstanding == 0 && session->state != SESSION_WAITING &&
           session->state != SESSION_SENDING;
}

bool session_claim_agency(struct session *session, uint32_t agency)
{
    if (agency < 1 || agency > ledger_news(session->service->config.ledger)->agencies)
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

void session_abandon(struct session *session)
{
    session_fini(session);
    session->events->finish(session->owner);
}

bool session_end_lost(struct request *request)
{
    struct session *session = request->session;

    if (!request_is_lost(request))
        return false;
    request_end(request);
    if (session != NULL)
        session_abandon(session);
    return true;
}

static void session_on_malformed_done(struct ledger_op *op)
{
    struct request *request = (struct request *)op;
    struct session *session = request->session;

    if (session_end_lost(request))
        return;
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

void session_wait(struct session *session)
{
    ASSERT(session->state != SESSION_CLOSED && session->agency != 0);
    session->owed++;
    if (session->state != SESSION_BETTING)
        return; /* it is waiting, or is being sent the winners and will be sent them again */
    session->state = SESSION_WAITING;
    list_append(&session->service->waiting, &session->waiting);
}

void session_send_winners(struct session *session)
{
    ASSERT(session->state == SESSION_WAITING && session->owed > 0);
    session->state = SESSION_SENDING;
    session->sent = 0;
    session->sent_bytes = 0;
    session_continue(session);
}

/* The size of the document that begins at byte `at`, without its line feed. 0: there is none, or it
 * is damaged. */
static size_t session_document_size(const struct winner_documents *winners, size_t at)
{
    if (at >= winners->size)
        return 0;
    const char *begin = winners->text + at;
    const char *end = memchr(begin, '\n', winners->size - at);
    return end != NULL && end - begin <= BET_DOCUMENT_MAX ? (size_t)(end - begin) : 0;
}

/* Sends one frame with the next winners and counts them. Returns false when they are damaged; then
 * nothing was sent. */
static bool session_send_winners_frame(struct session *session,
                                       const struct winner_documents *winners)
{
    static char texts[WINNERS_PER_FRAME][BET_DOCUMENT_MAX + 1];
    static char *documents[WINNERS_PER_FRAME];
    Lottery__V1__Winners message;
    uint8_t frame[FRAME_MAX_SIZE];
    size_t body_size = WINNERS_OVERHEAD;
    size_t at = session->sent_bytes;
    size_t taken = 0;

    lottery__v1__winners__init(&message);
    while (session->sent + taken < winners->count) {
        size_t size = session_document_size(winners, at);
        if (size == 0)
            return false;
        if (wire_nested_size(size) > FRAME_BODY_MAX - body_size)
            break;
        body_size += wire_nested_size(size);
        memcpy(texts[taken], winners->text + at, size);
        texts[taken][size] = '\0';
        documents[taken] = texts[taken];
        taken++;
        at += size + 1;
    }
    session->sent += taken;
    session->sent_bytes = at;
    message.agency_id = session->agency;
    message.n_documents = taken;
    message.documents = documents;
    message.more = session->sent < winners->count;
    ASSERT(taken > 0 || !message.more); /* a document always fits an empty frame */
    if (!message.more && at != winners->size)
        return false; /* there are more bytes than documents */
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_WINNERS, &message.base, frame);
    ASSERT(size > 0);
    session->events->send(session->owner, frame, size);
    return true;
}

static void session_on_damage(struct session *session)
{
    struct service *service = session->service;

    if (!service->has_logged_damage)
        LOG(ERROR, "ganadores_enviados", FAIL, LOG_UINT("agencia", session->agency),
            LOG_TEXT("reason", WINNERS_INDEX_NAME ": damaged data"));
    service->has_logged_damage = true;
    session_abandon(session);
}

void session_continue(struct session *session)
{
    while (session->state == SESSION_SENDING &&
           session->events->backlog(session->owner) < WINNERS_BACKLOG_MAX) {
        const struct winner_documents winners =
            winner_index_of(session->service->winners, session->agency);
        ASSERT(session->sent <= winners.count && session->sent_bytes <= winners.size);
        if (!session_send_winners_frame(session, &winners)) {
            session_on_damage(session);
            return;
        }
        if (session->sent < winners.count)
            continue;
        LOG(DEBUG, "ganadores_enviados", SUCCESS, LOG_UINT("agencia", session->agency),
            LOG_UINT("cantidad", winners.count));
        session->sent = 0;
        session->sent_bytes = 0;
        if (--session->owed == 0) {
            session->state = SESSION_BETTING;
            session->events->progress(session->owner);
        }
    }
}
