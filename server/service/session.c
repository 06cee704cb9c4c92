/* The conversation with one connection.
 *
 * Happy path: each message becomes a request; the ledger ends requests in order, and each then
 * sends its answer (request.h). After an accepted Finished the session waits. After the draw it
 * sends the winners, as many frames at a time as the connection takes.
 *
 * Failure modes: the connection is gone first: its requests lose their session and end without an
 * answer. There is no memory for a request: the session closes at once. A message is malformed: the
 * answers to earlier messages leave, then MALFORMED, and the session ends. So it does after a few
 * refused messages that name no agency. The link to the ledger is closed before an operation has
 * ended, or the winners are damaged or cannot be read: the session ends without that answer and
 * without those that would follow.
 */
#include "session.h"

#include "assertion.h"
#include "log.h"
#include "log_limit.h"
#include "service_internal.h"
#include "session_internal.h"
#include "wire.h"

#include <string.h>

#define WINNERS_BACKLOG_MAX                                                                        \
    ((size_t)16 * 1024)     /* bytes of winners that the peer may not have read yet */
#define WINNERS_OVERHEAD 16 /* bytes; the fields agency_id and more take fewer */
#define WINNERS_PER_FRAME (FRAME_BODY_MAX / 3) /* a document of one character takes three bytes */
#define WINNERS_TEXT_SIZE                                                                          \
    (FRAME_BODY_MAX + BET_DOCUMENT_MAX) /* bytes of a frame's documents, which take more in the    \
                                           frame, and of the next one, which did not fit */

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
    requests_drop(&session->requests);
    session->outstanding = 0;
    session->outstanding_bytes = 0;
    session->refused = 0;
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
    LOG_LIMITED(LOG_BURST, ERROR, "session", FAIL, LOG_TEXT("reason", status_text(STATUS_NOMEM)));
    session_close(session);
    session->events->finish(session->owner);
}

void session_abandon(struct session *session)
{
    session_fini(session);
    session->events->finish(session->owner);
}

/* Whoever sends messages but is no agency gets a few answers, which say what is wrong. */
static void session_count_refusal(struct session *session)
{
    if (session->agency != 0 || session->state == SESSION_CLOSED ||
        ++session->refusals < SESSION_REFUSALS_MAX)
        return;
    session_close(session);
    session->events->finish(session->owner);
}

/* Answers a request that was refused and has a session, and ends it. */
static void session_end_refused(struct request *request)
{
    request->op.received = request->session->received;
    request->op.checksum = request->session->checksum;
    request->answer(request);
    request_end(request);
}

/* Answers the first requests of the session, as long as they were refused. */
static void session_answer_refused(struct session *session)
{
    while (!list_is_empty(&session->requests)) {
        struct request *first = LIST_ITEM(session->requests.ring.next, struct request, node);
        if (first->is_at_ledger)
            return;
        session_end_refused(first);
    }
}

/* Notes which bets of the session's agency the ledger has. */
static void session_note_received(struct session *session, const struct ledger_op *op)
{
    session->knows_received = true;
    if (op->received > session->received) { /* operations that failed may not say how many */
        session->received = op->received;
        session->checksum = op->checksum;
    }
}

static void session_on_done(struct ledger_op *op)
{
    struct request *request = (struct request *)op;
    struct session *session = request->session;

    if (request_is_lost(request)) { /* no later answer may take the place of this one */
        request_end(request);
        if (session != NULL)
            session_abandon(session);
        return;
    }
    if (session != NULL)
        session_note_received(session, op);
    request->answer(request);
    session = request->session; /* NULL also when damaged winners have ended it */
    request_end(request);
    if (session == NULL)
        return;
    session_answer_refused(session);
    session->events->progress(session->owner);
}

struct request *session_begin_request(struct session *session, uint32_t agency, size_t frame_bytes,
                                      request_answer_cb answer)
{
    return request_begin(session, agency, frame_bytes, session_on_done, answer);
}

void session_refuse(struct request *request, Lottery__V1__AckCode code, const char *format, ...)
{
    struct session *session = request->session;
    va_list args;

    va_start(args, format);
    request_set_refusal(request, code, format, args);
    va_end(args);
    if (session->outstanding > 1)
        return; /* session_answer_refused() will */
    if (session->agency != 0 && !session->knows_received) {
        request->is_at_ledger = true;
        ledger_ask(session->service->config.ledger, &request->op, session->agency, 0);
        return;
    }
    session_end_refused(request);
    session_count_refusal(session);
}

static void session_answer_malformed(struct request *request)
{
    request_send_ack(request, request->refusal);
    if (request->session != NULL)
        request->session->events->finish(request->session->owner);
}

void session_malformed(struct session *session, const char *detail)
{
    struct request *request;

    if (session->state == SESSION_CLOSED)
        return;
    request = session_begin_request(session, session->agency, 0, session_answer_malformed);
    if (request == NULL) {
        session_give_up(session);
        return;
    }
    session_close(session);
    session_refuse(request, LOTTERY__V1__ACK_CODE__ACK_CODE_MALFORMED, "%s", detail);
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

/* Reads the documents that come next, as many of their `size` bytes as are left or fit. */
static enum status session_read_winners(const struct session *session, uint64_t size, char *text,
                                        size_t capacity, size_t *out_size)
{
    if (session->sent_bytes > size)
        return STATUS_DAMAGED; /* the index was opened again, and is another one */
    uint64_t left = size - session->sent_bytes;
    *out_size = left < capacity ? (size_t)left : capacity;
    return winner_index_read(session->service->winners, session->agency, session->sent_bytes, text,
                             *out_size);
}

/* The size of the document that begins the `size` bytes of text, without its line feed. 0: there is
 * none, or it is damaged. */
static size_t session_document_size(const char *text, size_t size)
{
    const char *end = memchr(text, '\n', size);

    return end != NULL && end - text <= BET_DOCUMENT_MAX ? (size_t)(end - text) : 0;
}

/* Sends one frame with the next winners and counts them. When they are damaged or cannot be read,
 * nothing was sent. */
static enum status session_send_winners_frame(struct session *session,
                                              const struct winner_documents *winners)
{
    char text[WINNERS_TEXT_SIZE];
    char *documents[WINNERS_PER_FRAME];
    Lottery__V1__Winners message;
    uint8_t frame[FRAME_MAX_SIZE];
    size_t body_size = WINNERS_OVERHEAD;
    size_t text_size;
    size_t at = 0;
    size_t taken = 0;

    enum status status =
        session_read_winners(session, winners->size, text, sizeof(text), &text_size);
    if (status != STATUS_OK)
        return status;
    lottery__v1__winners__init(&message);
    while (session->sent + taken < winners->count) {
        size_t size = session_document_size(text + at, text_size - at);
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
    session->events->send(session->owner, frame, size);
    return STATUS_OK;
}

/* The winners are damaged, or cannot be read. */
static void session_on_bad_winners(struct session *session, enum status status)
{
    struct service *service = session->service;
    struct errbuf err;

    (void)file_fail(&err, WINNERS_INDEX_NAME, status);
    if (!service->has_logged_damage)
        LOG(ERROR, "ganadores_enviados", FAIL, LOG_UINT("agencia", session->agency),
            LOG_TEXT("reason", err.text));
    service->has_logged_damage = true;
    if (status == STATUS_DAMAGED) {
        service->are_winners_damaged = true;
        if (service->config.on_damage != NULL)
            service->config.on_damage(service->config.owner);
    }
    session_abandon(session);
}

void session_continue(struct session *session)
{
    while (session->state == SESSION_SENDING &&
           session->events->backlog(session->owner) < WINNERS_BACKLOG_MAX) {
        const struct winner_documents winners =
            winner_index_of(session->service->winners, session->agency);
        enum status status = session_send_winners_frame(session, &winners);
        if (status != STATUS_OK) {
            session_on_bad_winners(session, status);
            return;
        }
        if (session->sent < winners.count)
            continue;
        LOG_LIMITED(FINISHED_BURST, DEBUG, "ganadores_enviados", SUCCESS,
                    LOG_UINT("agencia", session->agency), LOG_UINT("cantidad", winners.count));
        session->sent = 0;
        session->sent_bytes = 0;
        if (--session->owed == 0) {
            session->state = SESSION_BETTING;
            session->events->progress(session->owner);
        }
    }
}
