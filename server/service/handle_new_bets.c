/* NewBets: a batch; without bets, it asks how many bets were received.
 *
 * Happy path: the bets are read and checked, the ledger makes them durable, they are logged, and an
 * Ack is sent.
 *
 * Failure modes: a bet breaks a rule, or the agency is wrong: nothing of the batch gets to the
 * ledger, and an Ack says why. It cannot be stored: an Ack says why. The connection is gone by
 * then: the stored bets are logged, and no answer is sent.
 */
#include "handle_new_bets.h"

#include "assertion.h"
#include "bet_codec.h"
#include "clock.h"
#include "log.h"
#include "log_limit.h"
#include "service_internal.h"
#include "session_draw.h"
#include "session_internal.h"

#include <stdlib.h>
#include <string.h>

static struct bet bet_from_message(const Lottery__V1__Bet *message)
{
    return (struct bet){arena_text(message->first_name), arena_text(message->last_name),
                        arena_text(message->document), arena_text(message->birthdate),
                        message->number};
}

/* The level of the log lines that list the stored bets of a batch. */
static enum log_level level_of_stored_bets(const struct request *request)
{
    return request->count == 1 ? LOG_INFO : LOG_DEBUG;
}

/* Keeps the numbers and documents of the bets, if the log will list them. A note is about as long
 * as the shortest bet in a message, so the limits on outstanding messages limit the notes as well.
 */
static enum status handle_new_bets_note(struct request *request, const struct bet *bets)
{
    if (!log_enabled(level_of_stored_bets(request)))
        return STATUS_OK;
    request->notes = malloc(request->count * sizeof(*request->notes));
    if (request->notes == NULL)
        return STATUS_NOMEM;
    for (uint32_t i = 0; i < request->count; i++) {
        struct bet_note *note = &request->notes[i];
        ASSERT(bets[i].document.size <= sizeof(note->document)); /* the bets have been checked */
        note->number = bets[i].number;
        note->document_size = (uint8_t)bets[i].document.size;
        memcpy(note->document, bets[i].document.data, bets[i].document.size);
    }
    return STATUS_OK;
}

static void log_stored_bet(enum log_level level, const struct bet_note *note)
{
    const struct log_field fields[] = {LOG_SIZED("dni", note->document, note->document_size),
                                       LOG_UINT("numero", note->number)};

    log_write(level, "apuesta_almacenada", LOG_SUCCESS, fields, 2);
}

/* Logs the bets that were stored now: if the start of the batch was known, only those after it. */
static void log_stored_batch(const struct request *request)
{
    const struct ledger_op *op = &request->op;

    ASSERT(op->stored <= request->count);
    if (request->notes != NULL) {
        for (uint32_t i = request->count - op->stored; i < request->count; i++)
            log_stored_bet(level_of_stored_bets(request), &request->notes[i]);
    }
    LOG(INFO, "apuesta_recibida", SUCCESS, LOG_UINT("cantidad", op->stored),
        LOG_UINT("agencia", request->agency), LOG_UINT("total", op->received));
}

static void log_refused_batch(const struct request *request, const char *why)
{
    LOG_LIMITED(LOG_BURST, ERROR, "apuesta_recibida", FAIL, LOG_UINT("cantidad", request->count),
                LOG_UINT("agencia", request->agency), LOG_UINT("total", request->op.received),
                LOG_TEXT("reason", why));
}

/* Who asks about another agency than its certificate's, or one that the draw does not have, is
 * mostly an agency with the wrong files. There are no bets of which the log could say it. */
static void log_refused_question(const struct request *request)
{
    if (request->session != NULL && request->session->proof != SESSION_PROOF_NONE)
        LOG_LIMITED(LOG_BURST, WARNING, "tls_identity", FAIL, LOG_UINT("agencia", request->agency),
                    LOG_TEXT("reason", request->detail));
}

static void handle_new_bets_answer(struct request *request)
{
    Lottery__V1__AckCode code = request_code(request);

    if (code != LOTTERY__V1__ACK_CODE__ACK_CODE_OK && request->count > 0)
        log_refused_batch(request, request->detail);
    else if (code == LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY)
        log_refused_question(request);
    else if (request->op.stored > 0)
        log_stored_batch(request);
    else if (request->count > 0)
        LOG_LIMITED(LOG_BURST, DEBUG, "apuesta_repetida", SUCCESS,
                    LOG_UINT("cantidad", request->count), LOG_UINT("agencia", request->agency));
    request_send_ack(request, code);
}

/* Returns the index of the first bet that breaks a rule, or `count`. */
static size_t handle_new_bets_check(const struct bet *bets, size_t count, enum bet_fault *fault)
{
    uint32_t today = clock_today();

    for (size_t i = 0; i < count; i++) {
        *fault = bet_check(&bets[i], today);
        if (*fault != BET_FAULT_NONE)
            return i;
    }
    return count;
}

static void handle_new_bets_submit(struct session *session, struct request *request,
                                   const struct new_bets *message)
{
    struct service *service = session->service;
    enum bet_fault fault = BET_FAULT_NONE;

    if (!session_claim(session, request, message->count == 0, message->draw))
        return;
    size_t bad = handle_new_bets_check(service->bets, message->count, &fault);
    if (bad < message->count) {
        session_refuse(request, LOTTERY__V1__ACK_CODE__ACK_CODE_INVALID_BET, "bet %zu: %s", bad,
                       bet_fault_text(fault));
        return;
    }
    if (message->count == 0) {
        session_submit_question(session, request, message->offset);
        return;
    }
    enum status status = handle_new_bets_note(request, service->bets);
    if (status == STATUS_OK)
        status =
            session_submit_bets(session, request, message->offset, service->bets, message->count);
    if (status != STATUS_OK)
        session_refuse(request, LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR, "%s",
                       status_text(status));
}

/* Reads the message with protobuf-c, which understands every valid encoding. */
static bool handle_new_bets_unpack(struct service *service, const uint8_t *body, size_t size,
                                   struct new_bets *out)
{
    struct arena *arena = &service->arena;

    arena_reset(arena);
    const Lottery__V1__NewBets *message =
        lottery__v1__new_bets__unpack(&arena->allocator, size, body);
    if (message == NULL)
        return false;
    *out = (struct new_bets){.offset = message->offset,
                             .agency = message->agency_id,
                             .count = message->n_bets,
                             .draw = arena_text(message->draw)};
    if (!bets_checksum_read(message->checksum.data, message->checksum.len, &out->checksum))
        return false;
    for (size_t i = 0; i < message->n_bets; i++)
        service->bets[i] = bet_from_message(message->bets[i]);
    return true;
}

bool handle_new_bets(struct session *session, const uint8_t *body, size_t size)
{
    struct service *service = session->service;
    struct new_bets message;

    if (!new_bets_decode(body, size, &message, service->bets) &&
        !handle_new_bets_unpack(service, body, size, &message)) {
        session_malformed(session, "NewBets cannot be unpacked");
        return false;
    }
    scoreboard_count(service->config.row,
                     message.count > 0 ? SCOREBOARD_NEW_BETS : SCOREBOARD_QUESTIONS, 1);
    struct request *request = session_begin_request(
        session, message.agency, FRAME_HEADER_SIZE + size, handle_new_bets_answer);
    if (request == NULL) {
        session_give_up(session);
        return false;
    }
    request->count = (uint32_t)message.count;
    request->op.claimed = message.checksum;
    handle_new_bets_submit(session, request, &message);
    return session->state != SESSION_CLOSED;
}
