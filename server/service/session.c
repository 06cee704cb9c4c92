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
#include "past_draws.h"
#include "seal_sender.h"
#include "service_internal.h"
#include "session_files.h"
#include "session_internal.h"
#include "winners_frame.h"

#define WINNERS_BACKLOG_MAX ((size_t)16 * 1024) /* bytes that the peer may not have read yet */

void session_init(struct session *session, struct service *service,
                  const struct session_events *events, void *owner)
{
    *session = (struct session){.service = service, .events = events, .owner = owner};
    list_init(&session->requests);
}

void session_set_proof(struct session *session, enum session_proof proof, uint32_t agency)
{
    ASSERT((proof == SESSION_PROOF_AGENCY) == (agency != 0));
    ASSERT(session->agency == 0 && session->refusals == 0 && session->outstanding == 0);
    session->proof = proof;
    session->proven_agency = agency;
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
    session_leave_draw(session);
    if (session->is_counted)
        scoreboard_unclaim(session->service->config.row, session->agency);
    session->is_counted = false;
    session->outstanding = 0;
    session->outstanding_bytes = 0;
    session->refused = 0;
}

bool session_is_idle(const struct session *session)
{
    return session->outstanding == 0 && session->state != SESSION_WAITING &&
           session->state != SESSION_SENDING;
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

/* Answers a request that was refused and has a session, and ends it. Of another draw than the
 * session's nothing is said. */
static void session_end_refused(struct request *request)
{
    if (request->refusal != LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED) {
        request->op.received = request->session->received;
        request->op.checksum = request->session->checksum;
    }
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
    if (session->agency != 0 && !session->knows_received &&
        code != LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED) {
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
    scoreboard_count(session->service->config.row, SCOREBOARD_MALFORMED, 1);
    request = session_begin_request(session, session->agency, 0, session_answer_malformed);
    if (request == NULL) {
        session_give_up(session);
        return;
    }
    session_close(session);
    session_refuse(request, LOTTERY__V1__ACK_CODE__ACK_CODE_MALFORMED, "%s", detail);
}

/* Puts a session whose draw is not over into the list that it waits in. */
static void session_enlist(struct session *session)
{
    struct service *service = session->service;

    session->state = SESSION_WAITING;
    list_remove(&session->waiting);
    list_append(session->wants_seal ? &service->unsealed : &service->waiting, &session->waiting);
}

void session_wait(struct session *session, bool wants_seal)
{
    ASSERT(session->state != SESSION_CLOSED && session->agency != 0);
    session->owed++;
    if (wants_seal)
        session->wants_seal = seal_may_be_asked_for(session);
    if (session->state == SESSION_SENDING)
        return; /* it will be sent the winners again */
    if (session->past == NULL) {
        if (session->state == SESSION_BETTING || wants_seal)
            session_enlist(session);
        return;
    }
    bool is_sent = seal_send(session);
    ASSERT(is_sent); /* a draw that is over has all its files */
    session->state = SESSION_WAITING;
    session_send_winners(session);
}

void session_send_winners(struct session *session)
{
    ASSERT(session->state == SESSION_WAITING && session->owed > 0);
    session->state = SESSION_SENDING;
    session->sent = 0;
    session->sent_bytes = 0;
    session_continue(session);
}

/* Those of a draw that is over. */
static void session_on_bad_past(struct session *session, const struct errbuf *err)
{
    LOG_LIMITED(LOG_BURST, ERROR, "ganadores_enviados", FAIL, LOG_UINT("agencia", session->agency),
                LOG_TEXT("draw", session->draw_id), LOG_TEXT("reason", err->text));
    past_draw_set_damaged(session->past);
    session_abandon(session);
}

/* The winners are damaged, or cannot be read. */
static void session_on_bad_winners(struct session *session, enum status status)
{
    struct service *service = session->service;
    struct errbuf err;

    (void)file_fail(&err, WINNERS_INDEX_NAME, status);
    if (session->past != NULL) {
        session_on_bad_past(session, &err);
        return;
    }
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
            winner_index_of(session_files(session)->winners, session->agency);
        enum status status = winners_send_frame(session, &winners);
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
        } else if (!seal_send(session)) {
            session_enlist(session);
        }
    }
}
