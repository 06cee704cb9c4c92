#include "session_draw.h"

#include "assertion.h"
#include "past_draws.h"
#include "service_internal.h"
#include "session_internal.h"

#include <string.h>

static bool is_same_draw(const char *id, struct text draw)
{
    if (draw.size == 0)
        return id[0] == '\0';
    return strlen(id) == draw.size && memcmp(id, draw.data, draw.size) == 0;
}

static const struct ledger_news *session_news(const struct session *session)
{
    return ledger_news(session->service->config.ledger);
}

static uint32_t session_agencies(const struct session *session, const struct past_draw *past)
{
    return past != NULL ? past->draw.agencies : session_news(session)->agencies;
}

static void session_refuse_agency(struct request *request, uint32_t agencies)
{
    session_refuse(request, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY,
                   "agency %u is not one of 1..%u, or not this connection's", request->agency,
                   agencies);
}

/* Has the peer proved that it may send this? */
static bool session_may_send(const struct session *session, const struct request *request,
                             bool is_question)
{
    switch (session->proof) {
    case SESSION_PROOF_NONE:
        return true;
    case SESSION_PROOF_AGENCY:
        return request->agency == session->proven_agency;
    case SESSION_PROOF_SERVER:
        return is_question;
    }
    return false;
}

static void session_refuse_unproven(const struct session *session, struct request *request)
{
    const Lottery__V1__AckCode code = LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY;

    if (session->proof == SESSION_PROOF_SERVER)
        session_refuse(request, code,
                       "this connection's certificate is the server's own: it may only ask");
    else
        session_refuse(request, code,
                       "agency %u is not this connection's: its certificate is for agency %u",
                       request->agency, session->proven_agency);
}

/* The message names a draw that is not there. */
static void session_refuse_draw(const struct session *session, struct request *request)
{
    const struct ledger_news *news = session_news(session);
    const Lottery__V1__AckCode code = LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED;

    if (news->terms.id[0] == '\0')
        session_refuse(request, code, "the draw here has no id: leave \"draw\" empty");
    else if (news->phase > DRAW_OPEN)
        session_refuse(request, code, "no such draw here; the last one is %s", news->terms.id);
    else
        session_refuse(request, code, "bets are taken for draw %s: set \"draw\" to it",
                       news->terms.id);
}

/* The session has an agency and a draw, and at least one of the two is not the message's. */
static void session_refuse_other(const struct session *session, struct request *request,
                                 struct text draw)
{
    if (is_same_draw(session->draw_id, draw) && session->proof == SESSION_PROOF_AGENCY)
        session_refuse_unproven(session, request);
    else if (is_same_draw(session->draw_id, draw))
        session_refuse_agency(request, session_agencies(session, session->past));
    else if (session->draw_id[0] == '\0')
        session_refuse(request, LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED,
                       "this connection is for the draw without id");
    else
        session_refuse(request, LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED,
                       "this connection is for draw %s", session->draw_id);
}

/* Finds the draw that is over; *out is NULL for the service's own. Otherwise refuses the request.
 */
static bool session_find_draw(const struct session *session, struct request *request,
                              struct text draw, struct past_draw **out)
{
    struct service *service = session->service;

    *out = NULL;
    request->draw_id = service_draw_id(service);
    if (is_same_draw(request->draw_id, draw))
        return true;
    enum status status = past_draws_take(&service->past, draw, out);
    if (status == STATUS_OK) {
        request->draw_id = (*out)->id;
        return true;
    }
    request->draw_id = NULL;
    if (status == STATUS_NOTFOUND)
        session_refuse_draw(session, request);
    else
        session_refuse(request, LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR, "%s",
                       status_text(status));
    return false;
}

/* The agency's first message. */
static bool session_claim_first(struct session *session, struct request *request, bool is_question,
                                struct text draw)
{
    const uint32_t agency = request->agency;
    struct past_draw *past;

    if (!session_find_draw(session, request, draw, &past))
        return false;
    uint32_t agencies = session_agencies(session, past);
    bool may_send = session_may_send(session, request, is_question);
    if (!may_send || agency < 1 || agency > agencies) {
        if (!may_send)
            session_refuse_unproven(session, request);
        else
            session_refuse_agency(request, agencies);
        if (past != NULL)
            past_draws_give_back(&session->service->past, past);
        return false;
    }
    session->agency = agency;
    session->draw_id = request->draw_id;
    session->past = past;
    if (past != NULL) { /* it is known already what it has of the agency */
        session->knows_received = true;
        session->received = draw_received(&past->draw, agency);
        session->checksum = draw_checksum(&past->draw, agency);
    }
    return true;
}

static bool session_check_claim(struct session *session, struct request *request, bool is_question,
                                struct text draw)
{
    if (session->agency == 0)
        return session_claim_first(session, request, is_question, draw);
    if (session->agency != request->agency || !is_same_draw(session->draw_id, draw)) {
        session_refuse_other(session, request, draw);
        return false;
    }
    if (session_may_send(session, request, is_question))
        return true;
    session_refuse_unproven(session, request);
    return false;
}

/* Whoever only asks may be a health check, which comes every few seconds; and who asks about a draw
 * that is over is not connected to this one. */
bool session_claim(struct session *session, struct request *request, bool is_question,
                   struct text draw)
{
    if (!session_check_claim(session, request, is_question, draw))
        return false;
    if (!is_question && session->past == NULL && !session->is_counted) {
        scoreboard_claim(session->service->config.row, session->agency);
        session->is_counted = true;
    }
    return true;
}

/* Its draw, which is over, has decided. */
static void session_end_decided(struct request *request)
{
    request->is_at_ledger = true;
    request->op.done(&request->op);
}

enum status session_submit_bets(struct session *session, struct request *request, uint64_t offset,
                                const struct bet *bets, size_t count)
{
    struct ledger_op *op = &request->op;

    if (session->past != NULL) {
        past_draw_append(session->past, op, session->agency, offset, bets, count);
        session_end_decided(request);
        return STATUS_OK;
    }
    enum status status =
        ledger_append(session->service->config.ledger, op, session->agency, offset, bets, count);
    request->is_at_ledger = status == STATUS_OK;
    return status;
}

void session_submit_question(struct session *session, struct request *request, uint64_t offset)
{
    if (session->past != NULL) {
        past_draw_ask(session->past, &request->op, session->agency, offset);
        session_end_decided(request);
        return;
    }
    request->is_at_ledger = true;
    ledger_ask(session->service->config.ledger, &request->op, session->agency, offset);
}

void session_submit_finished(struct session *session, struct request *request, uint64_t total)
{
    if (session->past != NULL) {
        past_draw_finish(session->past, &request->op, session->agency, total);
        session_end_decided(request);
        return;
    }
    request->is_at_ledger = true;
    ledger_finish(session->service->config.ledger, &request->op, session->agency, total);
}
