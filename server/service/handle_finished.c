/* Finished: the agency has sent all its bets and asks for its winners.
 *
 * Happy path: the ledger notes durably that the agency has finished; the session then waits for the
 * draw, or gets its winners at once when it has taken place. A Seal that it wants comes first.
 *
 * Failure modes: the agency or its total is wrong: an Ack says so. The winners cannot be read: the
 * session waits until they can. The connection is gone by then: that the agency
 * has finished is logged, and no answer is sent.
 */
#include "handle_finished.h"

#include "log.h"
#include "log_limit.h"
#include "service_internal.h"
#include "session_draw.h"
#include "session_internal.h"

static void handle_finished_refuse(struct request *request, Lottery__V1__AckCode code)
{
    const struct ledger_op *op = &request->op;

    LOG_LIMITED(LOG_BURST, ERROR, "agencia_finalizada", FAIL, LOG_UINT("agencia", request->agency),
                LOG_UINT("total", op->total), LOG_UINT("received", op->received),
                LOG_TEXT("reason", request->detail));
    request_send_ack(request, code);
}

static void handle_finished_accept(struct request *request)
{
    struct session *session = request->session;
    struct errbuf err = {{0}};

    LOG_LIMITED(FINISHED_BURST, INFO, "agencia_finalizada", SUCCESS,
                LOG_UINT("agencia", request->agency), LOG_UINT("total", request->op.received));
    if (session == NULL || session->state == SESSION_CLOSED)
        return;
    bool is_past = session->past != NULL;
    session_wait(session, request->wants_seal);
    if (is_past)
        return; /* its winners were sent, or the session was ended */
    /* If they cannot be read, the worker has logged that, and tries again. */
    (void)service_send_seals(request->service, &err);
    (void)service_send_winners(request->service, &err);
}

static void handle_finished_answer(struct request *request)
{
    Lottery__V1__AckCode code = request_code(request);

    if (code == LOTTERY__V1__ACK_CODE__ACK_CODE_OK)
        handle_finished_accept(request);
    else
        handle_finished_refuse(request, code);
}

bool handle_finished(struct session *session, const uint8_t *body, size_t size)
{
    struct arena *arena = &session->service->arena;

    arena_reset(arena);
    const Lottery__V1__Finished *message =
        lottery__v1__finished__unpack(&arena->allocator, size, body);
    struct bets_checksum claimed;
    if (message == NULL ||
        !bets_checksum_read(message->checksum.data, message->checksum.len, &claimed)) {
        session_malformed(session, "Finished cannot be unpacked");
        return false;
    }
    scoreboard_count(session->service->config.row, SCOREBOARD_FINISHED, 1);
    struct request *request = session_begin_request(
        session, message->agency_id, FRAME_HEADER_SIZE + size, handle_finished_answer);
    if (request == NULL) {
        session_give_up(session);
        return false;
    }
    request->op.claimed = claimed;
    request->wants_seal = message->want_seal;
    if (session_claim(session, request, false, arena_text(message->draw)))
        session_submit_finished(session, request, message->total);
    return session->state != SESSION_CLOSED;
}
