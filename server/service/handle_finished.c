/* Finished: the agency has sent everything and asks for its winners. */
#include "handlers.h"

#include "log.h"

static void refuse(struct exchange *exchange, Lottery__V1__AckCode code)
{
    const struct store_op *op = &exchange->op;
    struct session *session = exchange->session;

    LOG(ERROR, "agencia_finalizada", FAIL, LOG_UINT("agencia", exchange->agency),
        LOG_UINT("total", op->offset), LOG_UINT("received", op->received),
        LOG_TEXT("reason", exchange->detail));
    if (session != NULL)
        session_send_ack(session, code, op->received, exchange->detail);
}

static void accept(struct exchange *exchange)
{
    struct session *session = exchange->session;
    struct service *service = exchange->service;
    struct errbuf err = {{0}};

    LOG(INFO, "agencia_finalizada", SUCCESS, LOG_UINT("agencia", exchange->agency),
        LOG_UINT("total", exchange->op.received));
    if (session == NULL || session->state == SESSION_CLOSED)
        return;
    session_wait(session, exchange->op.received);
    if (store_has_draw(service->store) && service_raffle_held(service, &err) != STATUS_OK)
        LOG(ERROR, "ganadores_enviados", FAIL, LOG_TEXT("reason", err.text));
}

static void on_done(struct store_op *op)
{
    struct exchange *exchange = (struct exchange *)op;
    struct session *session = exchange->session;
    Lottery__V1__AckCode code = exchange_code(exchange);

    if (code == LOTTERY__V1__ACK_CODE__ACK_CODE_OK)
        accept(exchange);
    else
        refuse(exchange, code);
    exchange_end(exchange);
    if (session != NULL)
        session->events->progress(session->owner);
}

bool handle_finished(struct session *session, const uint8_t *body, size_t size)
{
    struct arena *arena = &session->service->arena;

    arena_reset(arena);
    const Lottery__V1__Finished *message =
        lottery__v1__finished__unpack(&arena->allocator, size, body);
    if (message == NULL) {
        session_malformed(session, "Finished can not be unpacked");
        return false;
    }
    struct exchange *exchange =
        exchange_begin(session, message->agency_id, FRAME_HEADER_SIZE + size, on_done);
    if (exchange == NULL)
        return session_give_up(session);
    if (session_claim_agency(session, message->agency_id))
        store_finish(session->service->store, &exchange->op, message->agency_id, message->total);
    else
        exchange_refuse(exchange, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY,
                        "agency %u is not one of 1..%u, or not this connection's",
                        message->agency_id, store_agencies(session->service->store));
    return true;
}
