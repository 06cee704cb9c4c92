/* Mode bet: sends the one bet that the environment describes.
 *
 * Happy path: read and check the bet; connect; ask how many bets the agency has, and which; send
 * ours after them; an Ack that says that it was stored ends the work. Others of the agency may
 * follow, so there is no Finished.
 *
 * Failure modes: a bad bet: reported, nothing is sent. Another client of the agency was faster: ask
 * again, and go after its bets. The connection breaks before the answer: connect again and ask. If
 * the agency has at most one bet more than before, ours is sent once more to the same place: the
 * answer tells whether it was stored now, or another one is there. In all other cases it is not
 * known whether ours is stored, and that is what the agency says, as it does whenever it ends
 * without the answer. The server's disk is full: try again after a pause. No answer in time, no
 * progress for too long: see dialer.h. Any other refusal: failure. A server that says nothing of
 * checksums is believed to have stored ours when it has more bets than before.
 */
#include "bet_mode.h"

#include "answer_reader.h"
#include "assertion.h"
#include "batch.h"
#include "clock.h"
#include "log.h"
#include "refusal.h"

#include <stdlib.h>

#define ANSWER_MS 20000

enum bet_stage {
    BET_STAGE_ASKING,  /* how many bets the agency has; ours is not among them */
    BET_STAGE_SENDING, /* our bet was sent on this connection */
    BET_STAGE_LOST,    /* asking again: our bet was sent, and the answer is lost */
    BET_STAGE_TESTING, /* our bet was sent to the same place again, to see what is there */
    BET_STAGE_UNKNOWN, /* it was said that nobody knows whether our bet is stored */
    BET_STAGE_DONE     /* our bet is stored */
};

struct bet_mode_state {
    struct bet bet; /* its texts are the environment's */
    struct answer_reader reader;
    struct batch batch; /* what was sent last */
    uv_timer_t pause;   /* before asking again */
    enum bet_stage stage;
    bool has_position;             /* the server has said at least once how many bets there are */
    uint64_t most;                 /* the highest number of them so far */
    uint64_t before;               /* the agency's bets when we asked last, before ours was sent */
    struct bets_checksum checksum; /* of these, if the server says so */
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
static void bet_mode_ask(struct agency *agency, enum bet_stage stage)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    self->stage = stage;
    batch_begin(&self->batch, agency->settings->id, 0, (struct bets_checksum){0, true},
                text_of(agency->settings->draw));
    bet_mode_send_batch(agency);
}

/* Sends our bet, to come after those that there were. */
static void bet_mode_send_bet(struct agency *agency, enum bet_stage stage)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    self->stage = stage;
    batch_begin(&self->batch, agency->settings->id, self->before, self->checksum,
                text_of(agency->settings->draw));
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

static void bet_mode_fail_unknown(struct agency *agency)
{
    bet_mode_state(agency)->stage = BET_STAGE_UNKNOWN;
    agency_fail(agency, "apuesta_enviada",
                "the answer was lost: whether the bet is stored is not known");
}

/* Our bet is not stored, because another one is in its place: asks for its place once more. */
static void bet_mode_go_after(struct agency *agency)
{
    dialer_note_failure(&agency->dialer, "the central has no place for the bet");
    bet_mode_ask(agency, BET_STAGE_ASKING);
}

/* Notes how many bets the agency has. Only more than ever before are progress, of ours or of
 * another client's: a server with a full disk, or one that refuses each place that it has named,
 * would be asked forever. */
static void bet_mode_note_position(struct agency *agency, uint64_t received)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    if (!self->has_position || received > self->most) {
        dialer_made_progress(&agency->dialer);
        self->most = received;
    }
    self->has_position = true;
}

/* Takes the answer to a question: which bets the agency has. */
static void bet_mode_take_position(struct agency *agency, const Lottery__V1__Ack *ack)
{
    struct bet_mode_state *self = bet_mode_state(agency);
    struct bets_checksum checksum;

    if (!bets_checksum_read(ack->checksum.data, ack->checksum.len, &checksum)) {
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "a checksum of another size");
        return;
    }
    if (self->stage == BET_STAGE_ASKING) {
        bet_mode_note_position(agency, ack->received);
        self->before = ack->received;
        self->checksum = checksum;
        bet_mode_send_bet(agency, BET_STAGE_SENDING);
    } else if (ack->received > self->before && !checksum.is_given) {
        bet_mode_done(agency);
    } else if (ack->received == self->before || ack->received == self->before + 1) {
        /* The one that was sent before may still be on its way. */
        bet_mode_send_bet(agency, BET_STAGE_TESTING);
    } else {
        bet_mode_fail_unknown(agency);
    }
}

/* Takes the answer to our bet. */
static void bet_mode_take_outcome(struct agency *agency, const Lottery__V1__Ack *ack)
{
    const struct bet_mode_state *self = bet_mode_state(agency);

    if (ack->stored > 0 || !self->checksum.is_given)
        bet_mode_done(agency);
    else if (self->stage == BET_STAGE_TESTING) /* it is one like ours, and may be ours */
        bet_mode_fail_unknown(agency);
    else
        bet_mode_go_after(agency);
}

/* What to ask when a bet that was sent was refused for now. */
static enum bet_stage bet_mode_next_question(const struct bet_mode_state *self)
{
    return self->stage == BET_STAGE_ASKING || self->stage == BET_STAGE_SENDING ? BET_STAGE_ASKING
                                                                               : BET_STAGE_LOST;
}

/* Why the server refused. */
static const char *bet_mode_reason(const Lottery__V1__Ack *ack)
{
    const ProtobufCEnumValue *code =
        protobuf_c_enum_descriptor_get_value(&lottery__v1__ack_code__descriptor, (int)ack->code);

    if (ack->detail[0] != '\0')
        return ack->detail;
    return code != NULL ? code->name : "unknown ack code";
}

static void bet_mode_fail_refused(struct agency *agency, const Lottery__V1__Ack *ack)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    self->stage = bet_mode_next_question(self); /* what was refused now is not stored */
    agency_fail(agency, "apuesta_enviada", bet_mode_reason(ack));
}

static void bet_mode_on_pause_over(uv_timer_t *timer)
{
    const struct bet_mode_state *self = bet_mode_state(timer->data);

    bet_mode_ask(timer->data, self->stage);
}

static void bet_mode_try_later(struct agency *agency, const char *reason)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    /* Nothing was stored now; but if an earlier answer was lost, that is still so. */
    self->stage = bet_mode_next_question(self);
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
    bool is_about_bet = self->stage == BET_STAGE_SENDING || self->stage == BET_STAGE_TESTING;
    struct errbuf why;

    if (self->stage == BET_STAGE_DONE || uv_is_active((const uv_handle_t *)&self->pause))
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "unexpected acknowledgement");
    else if (refusal_is_other_draw(ack, agency->settings->draw, !is_about_bet, &why))
        agency_fail(agency, "apuesta_enviada", why.text);
    else if (ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR)
        bet_mode_try_later(agency, bet_mode_reason(ack));
    else if (ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_CONTENT_MISMATCH && is_about_bet)
        bet_mode_go_after(agency);
    else if (ack->code != LOTTERY__V1__ACK_CODE__ACK_CODE_OK)
        bet_mode_fail_refused(agency, ack);
    else if (is_about_bet)
        bet_mode_take_outcome(agency, ack);
    else
        bet_mode_take_position(agency, ack);
    return agency_is_reading(agency);
}

static const struct answer_handlers bet_mode_handlers = {.on_ack = bet_mode_on_ack};

static void bet_mode_on_open(struct agency *agency)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    answer_reader_fini(&self->reader); /* forgets the previous connection */
    bet_mode_ask(agency, self->stage == BET_STAGE_ASKING ? BET_STAGE_ASKING : BET_STAGE_LOST);
}

static void bet_mode_on_data(struct agency *agency, const uint8_t *data, size_t size)
{
    agency_read_answers(agency, &bet_mode_state(agency)->reader, data, size);
}

static void bet_mode_on_closed(struct agency *agency, const char *detail)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    if (self->stage == BET_STAGE_DONE) {
        agency_conclude(agency, AGENCY_EXIT_OK);
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

/* A bet that was sent without an answer may have been stored. */
static bool bet_mode_is_unanswered(const struct bet_mode_state *self)
{
    return self->stage == BET_STAGE_SENDING || self->stage == BET_STAGE_LOST ||
           self->stage == BET_STAGE_TESTING;
}

static void bet_mode_close(struct agency *agency)
{
    struct bet_mode_state *self = bet_mode_state(agency);

    uv_close((uv_handle_t *)&self->pause, NULL);
    answer_reader_fini(&self->reader);
    if (bet_mode_is_unanswered(self))
        LOG(WARNING, "apuesta_enviada", IN_PROGRESS,
            LOG_TEXT("reason",
                     "stopped before the answer: whether the bet is stored is not known"));
}

static struct mode_extent bet_mode_extent(const struct agency *agency)
{
    const struct bet_mode_state *self = agency->state;

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
