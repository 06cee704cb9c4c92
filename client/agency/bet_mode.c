/* Mode bet: sends the one bet that the environment describes.
 *
 * Happy path: read and check the bet; connect; ask how many bets the agency has; send ours behind
 * them; its Ack ends the work. Others of the agency may follow, so there is no Finished.
 *
 * Failure modes: a bad bet: told, nothing is sent. The connection breaks: connect anew, ask; if the
 * central has one more than at our first question, it is ours and was stored (an id is for one
 * client at a time). The disk is full: again, after a pause. No answer for ANSWER_MS: as if the
 * connection had broken. No progress for too long, any other refusal: failure.
 */
#include "batch.h"
#include "clock.h"
#include "frame_reader.h"
#include "log.h"
#include "lottery.pb-c.h"
#include "mode.h"

#include <stdlib.h>

#define ANSWER_MS 20000

struct single {
    struct bet bet; /* texts of the environment */
    struct frame_reader reader;
    struct batch batch;
    uv_timer_t pause;
    uv_timer_t answer;       /* our patience for one */
    uint64_t first_received; /* the answer to the first question */
    bool has_asked;          /* that one was answered */
    bool is_sent;            /* on this connection */
    bool is_done;
};

static struct single *own(struct agency *agency)
{
    return agency->own;
}

static struct text variable(const char *name)
{
    const char *value = getenv(name);

    return text_of(value != NULL ? value : "");
}

/* The names are the ones that the course's compose files give. */
static enum bet_fault read_bet(struct bet *bet)
{
    bet->first_name = variable("NOMBRE");
    bet->last_name = variable("APELLIDO");
    bet->document = variable("DOCUMENTO");
    bet->birthdate = variable("NACIMIENTO");
    enum bet_fault fault = bet_number_read(variable("NUMERO"), &bet->number);
    enum bet_fault other = bet_check(bet, clock_today());
    return other != BET_FAULT_NONE ? other : fault;
}

static void on_no_answer(uv_timer_t *timer)
{
    struct agency *agency = timer->data;

    dialer_drop(&agency->dialer, STATUS_IO, "no answer in time");
}

static void send_batch(struct agency *agency, uint64_t offset, bool with_bet)
{
    struct single *self = own(agency);

    batch_begin(&self->batch, agency->settings->id, offset);
    if (with_bet)
        (void)batch_add(&self->batch, &self->bet); /* one always fits */
    batch_end(&self->batch);
    self->is_sent = with_bet;
    (void)uv_timer_start(&self->answer, on_no_answer, ANSWER_MS, 0);
    dialer_send(&agency->dialer, self->batch.frame, self->batch.size);
}

static void done(struct agency *agency)
{
    struct single *self = own(agency);

    self->is_done = true;
    LOG(INFO, "apuesta_enviada", SUCCESS, LOG_TEXT("dni", self->bet.document.data),
        LOG_UINT("numero", self->bet.number));
    dialer_finish(&agency->dialer);
}

static void on_position(struct agency *agency, uint64_t received)
{
    struct single *self = own(agency);

    if (!self->has_asked) {
        self->has_asked = true;
        self->first_received = received;
        dialer_made_progress(&agency->dialer);
    }
    if (received > self->first_received)
        done(agency);
    else
        send_batch(agency, received, true);
}

static void on_pause_over(uv_timer_t *timer)
{
    send_batch(timer->data, 0, false);
}

static void try_later(struct agency *agency, const char *reason)
{
    struct single *self = own(agency);

    if (dialer_is_patience_over(&agency->dialer)) {
        agency_fail(agency, "apuesta_enviada", reason);
        return;
    }
    LOG(WARNING, "apuesta_enviada", IN_PROGRESS, LOG_TEXT("reason", reason));
    (void)uv_timer_start(&self->pause, on_pause_over, dialer_next_pause_ms(&agency->dialer), 0);
}

static void on_ack(struct agency *agency, const Lottery__V1__Ack *ack)
{
    struct single *self = own(agency);

    (void)uv_timer_stop(&self->answer);
    if (ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR)
        try_later(agency, ack->detail);
    else if (ack->code != LOTTERY__V1__ACK_CODE__ACK_CODE_OK)
        agency_fail(agency, "apuesta_enviada", ack->detail);
    else if (self->is_sent)
        done(agency);
    else
        on_position(agency, ack->received);
}

static bool on_frame(void *context, const struct frame *frame)
{
    struct agency *agency = context;

    if (frame->opcode != LOTTERY__V1__OPCODE__OPCODE_ACK || own(agency)->is_done)
        return false;
    Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame->body_size, frame->body);
    if (ack == NULL)
        return false;
    on_ack(agency, ack);
    lottery__v1__ack__free_unpacked(ack, NULL);
    return !agency->is_ending;
}

static void on_open(void *owner)
{
    struct agency *agency = owner;

    agency_log_connected(agency);
    frame_reader_fini(&own(agency)->reader);
    send_batch(agency, 0, false);
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct agency *agency = owner;

    if (frame_reader_feed(&own(agency)->reader, data, size, on_frame, agency) != STATUS_OK &&
        !agency->is_ending)
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "the central sent what is no answer");
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_closed(void *owner, enum status status, const char *detail)
{
    struct agency *agency = owner;

    (void)status;
    if (own(agency)->is_done) {
        LOG(INFO, "close_connection", SUCCESS, LOG_UINT("client_id", agency->settings->id));
        agency_end(agency, AGENCY_EXIT_OK);
        return;
    }
    (void)uv_timer_stop(&own(agency)->pause);
    (void)uv_timer_stop(&own(agency)->answer);
    if (dialer_is_patience_over(&agency->dialer)) {
        agency_fail(agency, "apuesta_enviada", detail);
        return;
    }
    LOG(INFO, "connect", IN_PROGRESS, LOG_UINT("client_id", agency->settings->id),
        LOG_TEXT("reason", detail));
    dialer_connect_later(&agency->dialer);
}

static const struct dialer_events events = {
    .on_delay = agency_on_delay,
    .on_retry = agency_on_retry,
    .on_open = on_open,
    .on_data = on_data,
    .on_drain = on_drain,
    .on_closed = on_closed,
    .on_give_up = agency_give_up,
};

static enum agency_exit start(struct agency *agency)
{
    struct single *self = own(agency);

    frame_reader_init(&self->reader);
    (void)uv_timer_init(&agency->loop, &self->pause);
    (void)uv_timer_init(&agency->loop, &self->answer);
    self->pause.data = agency;
    self->answer.data = agency;
    enum bet_fault fault = read_bet(&self->bet);
    if (fault != BET_FAULT_NONE) {
        LOG(ERROR, "apuesta_enviada", FAIL, LOG_UINT("client_id", agency->settings->id),
            LOG_TEXT("reason", bet_fault_text(fault)));
        return AGENCY_EXIT_USAGE;
    }
    dialer_connect(&agency->dialer);
    return AGENCY_EXIT_OK;
}

static void close_mode(struct agency *agency)
{
    struct single *self = own(agency);

    uv_close((uv_handle_t *)&self->pause, NULL);
    uv_close((uv_handle_t *)&self->answer, NULL);
    frame_reader_fini(&self->reader);
}

const struct mode bet_mode = {
    .size = sizeof(struct single),
    .events = &events,
    .start = start,
    .close = close_mode,
};
