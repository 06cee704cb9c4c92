/* Mode bet: sends the one bet that the environment describes.
 *
 * Happy path: read and check the bet; connect; ask how many bets the agency has; send ours after
 * them; its Ack ends the work. Others of the agency may follow, so there is no Finished.
 *
 * Failure modes: a bad bet: reported, nothing is sent. The connection breaks: connect again and
 * ask; if the server has one bet more than at our first question, ours was stored (only one client
 * at a time uses an id). The server's disk is full: try again after a pause. No answer in time, no
 * progress for too long: see dialer.h. Any other refusal: failure.
 */
#include "bet_mode.h"

#include "answer_reader.h"
#include "assertion.h"
#include "batch.h"
#include "clock.h"
#include "log.h"

#include <stdlib.h>

#define ANSWER_MS 20000

enum bet_stage {
    BET_STAGE_ASKING_FIRST, /* how many bets the agency has; never answered so far */
    BET_STAGE_ASKING_AGAIN, /* the same: our bet may have been stored since */
    BET_STAGE_SENDING,      /* our bet was sent on this connection */
    BET_STAGE_DONE          /* our bet is stored */
};

struct bet_mode_state {
    struct bet bet; /* its texts are the environment's */
    struct answer_reader reader;
    struct batch batch; /* what was sent last */
    uv_timer_t pause;   /* before asking again */
    enum bet_stage stage;
    uint64_t first_received; /* the answer to the first question */
};

static struct bet_mode_state *bet_mode_state(struct agency *agency)
{
    return agency->state;
}

static struct text bet_mode_variable(const char *name)
{
    const char *value = getenv(name);

    return text_of(value != NULL ? value : "");
}

/* The variables have the names that the course's compose files use. */
static enum bet_fault bet_mode_read_environment(struct bet *bet)
{
    bet->first_name = bet_mode_variable("NOMBRE");
    bet->last_name = bet_mode_variable("APELLIDO");
    bet->document = bet_mode_variable("DOCUMENTO");
    bet->birthdate = bet_mode_variable("NACIMIENTO");
    enum bet_fault fault = bet_number_read(bet_mode_variable("NUMERO"), &bet->number);
    enum bet_fault other = bet_check(bet, clock_today());
    return other != BET_FAULT_NONE ? other : fault;
}

static void bet_mode_send_batch(struct agency *agency)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    batch_end(&self->batch);
    dialer_expect(&agency->dialer, PATIENCE_ANSWER);
    dialer_send(&agency->dialer, self->batch.frame, self->batch.size);
}

/* Sends NewBets without bets: how many bets does the agency have? */
static void bet_mode_ask(struct agency *agency)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    if (self->stage != BET_STAGE_ASKING_FIRST)
        self->stage = BET_STAGE_ASKING_AGAIN;
    batch_begin(&self->batch, agency->settings->id, 0);
    bet_mode_send_batch(agency);
}

static void bet_mode_send_bet(struct agency *agency, uint64_t offset)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    self->stage = BET_STAGE_SENDING;
    batch_begin(&self->batch, agency->settings->id, offset);
    bool is_added = batch_add(&self->batch, &self->bet);
    ASSERT(is_added); /* one always fits */
    bet_mode_send_batch(agency);
}

static void bet_mode_done(struct agency *agency)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    self->stage = BET_STAGE_DONE;
    (void)uv_timer_stop(&self->pause);
    LOG(INFO, "apuesta_enviada", SUCCESS, LOG_TEXT("dni", self->bet.document.data),
        LOG_UINT("numero", self->bet.number));
    dialer_expect(&agency->dialer, PATIENCE_HELD);
    dialer_finish(&agency->dialer);
}

/* Takes the server's answer: how many bets the agency has. */
static void bet_mode_take_position(struct agency *agency, uint64_t received)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    if (self->stage == BET_STAGE_ASKING_FIRST) {
        self->first_received = received;
        dialer_made_progress(&agency->dialer);
    }
    if (received > self->first_received)
        bet_mode_done(agency);
    else
        bet_mode_send_bet(agency, received);
}

static void bet_mode_on_pause_over(uv_timer_t *timer)
{
    bet_mode_ask(timer->data);
}

static void bet_mode_try_later(struct agency *agency, const char *reason)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    dialer_expect(&agency->dialer, PATIENCE_RUNS);
    dialer_note_failure(&agency->dialer, reason);
    LOG(WARNING, "apuesta_enviada", IN_PROGRESS, LOG_TEXT("reason", reason));
    (void)uv_timer_start(&self->pause, bet_mode_on_pause_over,
                         dialer_next_pause_ms(&agency->dialer), 0);
}

static bool bet_mode_on_ack(void *owner, const Lottery__V1__Ack *ack)
{
    struct agency *agency = owner;
    struct bet_mode_state *self = bet_mode_state(agency);

    if (self->stage == BET_STAGE_DONE)
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "unexpected acknowledgement");
    else if (ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR)
        bet_mode_try_later(agency, ack->detail);
    else if (ack->code != LOTTERY__V1__ACK_CODE__ACK_CODE_OK)
        agency_fail(agency, "apuesta_enviada", ack->detail);
    else if (self->stage == BET_STAGE_SENDING)
        bet_mode_done(agency);
    else
        bet_mode_take_position(agency, ack->received);
    return agency_is_reading(agency);
}

static const struct answer_handlers bet_mode_handlers = {.on_ack = bet_mode_on_ack};

static void bet_mode_on_open(struct agency *agency)
{
    answer_reader_fini(&bet_mode_state(agency)->reader); /* forgets the previous connection */
    bet_mode_ask(agency);
}

static void bet_mode_on_data(struct agency *agency, const uint8_t *data, size_t size)
{
    agency_read_answers(agency, &bet_mode_state(agency)->reader, data, size);
}

static void bet_mode_on_closed(struct agency *agency, const char *detail)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    if (self->stage == BET_STAGE_DONE) {
        agency_succeed(agency);
        return;
    }
    (void)uv_timer_stop(&self->pause);
    agency_reconnect(agency, detail);
}

static enum agency_exit bet_mode_start(struct agency *agency)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    answer_reader_init(&self->reader, &bet_mode_handlers, agency);
    (void)uv_timer_init(&agency->loop, &self->pause);
    self->pause.data = agency;
    enum bet_fault fault = bet_mode_read_environment(&self->bet);
    if (fault != BET_FAULT_NONE) {
        LOG(ERROR, "apuesta_enviada", FAIL, LOG_UINT("client_id", agency->settings->id),
            LOG_TEXT("reason", bet_fault_text(fault)));
        return AGENCY_EXIT_USAGE;
    }
    dialer_connect(&agency->dialer);
    return AGENCY_EXIT_OK;
}

static void bet_mode_close(struct agency *agency)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    uv_close((uv_handle_t *)&self->pause, NULL);
    answer_reader_fini(&self->reader);
}

/* A bet that was sent without an answer may have been stored. */
static struct mode_extent bet_mode_extent(const struct agency *agency)
{
    const struct bet_mode_state *self = agency->state;

    if (self->stage == BET_STAGE_SENDING || self->stage == BET_STAGE_ASKING_AGAIN)
        LOG(WARNING, "apuesta_enviada", IN_PROGRESS,
            LOG_TEXT("reason",
                     "stopped before the answer: whether the bet is stored is not known"));
    return (struct mode_extent){self->stage == BET_STAGE_DONE ? 1 : 0, 1};
}

const struct mode bet_mode = {
    .action = "apuesta_enviada",
    .answer_ms = ANSWER_MS,
    .state_size = sizeof(struct bet_mode_state),
    .start = bet_mode_start,
    .close = bet_mode_close,
    .extent = bet_mode_extent,
    .on_open = bet_mode_on_open,
    .on_data = bet_mode_on_data,
    .on_closed = bet_mode_on_closed,
};
