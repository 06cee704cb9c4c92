/* Mode lottery: sends the agency's file, says Finished, hears of its winners.
 *
 * Happy path: check the whole file; connect; ask where the central stands and go there in the file;
 * keep a window of batches in flight; when all are acked, Finished; count the winners as they come.
 *
 * Failure modes: a bad row: its line is told, nothing was sent. The connection breaks: connect anew
 * and ask again; winners heard so far are forgotten. STORAGE_ERROR, OFFSET_GAP: let the answers on
 * their way come in, ask again (after a pause), go on from there. Any other refusal, a central that
 * has more bets than the file, or no progress for too long: failure. No answer for ANSWER_MS: as if
 * the connection had broken.
 */
#include "batch.h"
#include "bets_file.h"
#include "clock.h"
#include "frame_reader.h"
#include "log.h"
#include "lottery.pb-c.h"
#include "mode.h"
#include "progress.h"
#include "wire.h"

#include <inttypes.h>
#include <stdio.h>

#define WINDOW 256                       /* batches in flight at most */
#define BACKLOG_MAX ((size_t)256 * 1024) /* bytes that wait for the kernel to take them */
#define TICK_MS 250
#define ANSWER_MS 20000 /* without a byte while we are owed an answer: that connection is dead */

enum stage {
    STAGE_CHECKING,   /* the file */
    STAGE_CONNECTING, /* or connecting again */
    STAGE_ASKING,     /* where we were */
    STAGE_SENDING,    /* bets */
    STAGE_DRAINING,   /* something was refused: the answers on their way come in first */
    STAGE_PAUSING,    /* before asking again */
    STAGE_FINISHING,  /* Finished was sent, the raffle is waited for */
    STAGE_DONE
};

static const char *const stage_texts[] = {
    "checking the file", "connecting",         "asking where we were",   "sending",
    "sending",           "the central's disk", "waiting for the raffle", "done"};

struct lottery {
    struct bets_file *file;
    struct frame_reader reader;
    uv_idle_t checker; /* active in STAGE_CHECKING */
    uv_timer_t ticker; /* progress line and patience */
    uv_timer_t pause;
    struct progress progress;
    enum stage stage;
    uint32_t in_flight; /* batches without an answer */
    bool must_pause;    /* after draining */
    bool has_position;  /* the central has told once where we were */
    uint64_t next_row;  /* the first that was not sent */
    uint64_t acked;     /* bets that the central has */
    uint64_t winners;   /* heard of on this connection */
    uint64_t heard_ms;  /* monotonic: when the last bytes came, or the connection did */
    struct batch batch;
};

static struct lottery *own(struct agency *agency)
{
    return agency->own;
}

static void fail_file(struct agency *agency, const struct errbuf *err)
{
    agency_fail(agency, "leer_apuestas", err->text);
}

static void send_batch(struct agency *agency)
{
    struct lottery *self = own(agency);

    batch_end(&self->batch);
    dialer_send(&agency->dialer, self->batch.frame, self->batch.size);
}

/* NewBets without bets: where were we? */
static void ask(struct agency *agency)
{
    struct lottery *self = own(agency);

    self->stage = STAGE_ASKING;
    self->in_flight = 0;
    batch_begin(&self->batch, agency->settings->id, 0);
    send_batch(agency);
}

static void say_finished(struct agency *agency)
{
    struct lottery *self = own(agency);
    uint8_t frame[FRAME_MAX_SIZE];

    self->stage = STAGE_FINISHING;
    self->winners = 0;
    size_t size = wire_pack_finished(agency->settings->id, bets_file_rows(self->file), frame);
    dialer_send(&agency->dialer, frame, size);
    LOG(INFO, "apuestas_enviadas", SUCCESS, LOG_UINT("client_id", agency->settings->id),
        LOG_UINT("cantidad", self->acked));
}

/* Fills the batch from the file. */
static enum status fill_batch(struct agency *agency, struct errbuf *err)
{
    struct lottery *self = own(agency);
    enum status status = STATUS_OK;
    struct bet bet;

    batch_begin(&self->batch, agency->settings->id, self->next_row);
    while (self->batch.count < agency->settings->batch_max_amount) {
        status = bets_file_peek(self->file, &bet, err);
        if (status != STATUS_OK || !batch_add(&self->batch, &bet))
            break;
        bets_file_advance(self->file);
    }
    if (status == STATUS_NOTFOUND) {
        if (self->next_row + self->batch.count == bets_file_rows(self->file))
            return STATUS_OK;
        errbuf_set(err, "the file became shorter while it was being sent");
        return STATUS_INVALID;
    }
    return status;
}

static void send_more(struct agency *agency)
{
    struct lottery *self = own(agency);
    uint64_t rows = bets_file_rows(self->file);
    struct errbuf err = {{0}};

    while (self->stage == STAGE_SENDING && self->next_row < rows && self->in_flight < WINDOW &&
           dialer_backlog(&agency->dialer) < BACKLOG_MAX) {
        if (fill_batch(agency, &err) != STATUS_OK) {
            fail_file(agency, &err);
            return;
        }
        send_batch(agency);
        self->next_row += self->batch.count;
        self->in_flight++;
    }
    if (self->stage == STAGE_SENDING && self->next_row == rows && self->in_flight == 0)
        say_finished(agency);
}

/* The central has told where we were. */
static void on_position(struct agency *agency, uint64_t received)
{
    struct lottery *self = own(agency);
    uint64_t rows = bets_file_rows(self->file);
    struct errbuf err = {{0}};

    if (received > rows) {
        char reason[128];
        (void)snprintf(reason, sizeof(reason),
                       "the central has %" PRIu64 " bets of this agency, the file only %" PRIu64,
                       received, rows);
        agency_fail(agency, "apuestas_enviadas", reason);
        return;
    }
    if (bets_file_seek(self->file, received, &err) != STATUS_OK) {
        fail_file(agency, &err);
        return;
    }
    /* An answer alone is no progress: a central with a full disk would be asked for ever. */
    if (!self->has_position || received > self->acked)
        dialer_made_progress(&agency->dialer);
    self->has_position = true;
    self->acked = received;
    self->next_row = received;
    self->stage = STAGE_SENDING;
    send_more(agency);
}

static void on_pause_over(uv_timer_t *timer)
{
    ask(timer->data);
}

static void ask_again(struct agency *agency)
{
    struct lottery *self = own(agency);

    if (!self->must_pause) {
        ask(agency);
        return;
    }
    self->must_pause = false;
    self->stage = STAGE_PAUSING;
    (void)uv_timer_start(&self->pause, on_pause_over, dialer_next_pause_ms(&agency->dialer), 0);
}

static void refused(struct agency *agency, const Lottery__V1__Ack *ack)
{
    const ProtobufCEnumValue *code =
        protobuf_c_enum_descriptor_get_value(&lottery__v1__ack_code__descriptor, (int)ack->code);
    char reason[512];

    (void)snprintf(reason, sizeof(reason), "%s%s%s", code != NULL ? code->name : "unknown ack code",
                   ack->detail[0] != '\0' ? ", " : "", ack->detail);
    agency_fail(agency, "apuestas_enviadas", reason);
}

/* Something was not stored that may be stored later. */
static void drain(struct agency *agency, const Lottery__V1__Ack *ack)
{
    struct lottery *self = own(agency);

    self->must_pause |= ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR;
    if (self->stage != STAGE_DRAINING)
        LOG(WARNING, "apuestas_enviadas", IN_PROGRESS, LOG_UINT("client_id", agency->settings->id),
            LOG_TEXT("reason", ack->detail));
    self->stage = STAGE_DRAINING;
}

static void on_ack(struct agency *agency, const Lottery__V1__Ack *ack)
{
    struct lottery *self = own(agency);
    bool is_batch = self->stage == STAGE_SENDING || self->stage == STAGE_DRAINING;

    if (self->stage != STAGE_ASKING && self->stage != STAGE_FINISHING &&
        (!is_batch || self->in_flight == 0)) {
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "an ack that nobody asked for");
        return;
    }
    self->in_flight -= is_batch;
    switch ((int)ack->code) {
    case LOTTERY__V1__ACK_CODE__ACK_CODE_OK:
        if (self->stage == STAGE_ASKING) {
            on_position(agency, ack->received);
            return;
        }
        dialer_made_progress(&agency->dialer);
        self->acked = ack->received;
        break;
    case LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR:
    case LOTTERY__V1__ACK_CODE__ACK_CODE_OFFSET_GAP:
        drain(agency, ack);
        break;
    default:
        refused(agency, ack);
        return;
    }
    if (self->stage == STAGE_SENDING)
        send_more(agency);
    else if (self->stage == STAGE_DRAINING && self->in_flight == 0)
        ask_again(agency);
}

static void on_winners(struct agency *agency, const Lottery__V1__Winners *winners)
{
    struct lottery *self = own(agency);

    if (self->stage != STAGE_FINISHING) {
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "winners that nobody asked for");
        return;
    }
    self->winners += winners->n_documents;
    for (size_t i = 0; i < winners->n_documents; i++)
        LOG(DEBUG, "ganador", SUCCESS, LOG_TEXT("dni", winners->documents[i]));
    if (winners->more)
        return;
    self->stage = STAGE_DONE;
    progress_clear(&self->progress);
    LOG(INFO, "consulta_ganadores", SUCCESS, LOG_UINT("cant_ganadores", self->winners));
    dialer_finish(&agency->dialer);
}

static bool on_frame(void *context, const struct frame *frame)
{
    struct agency *agency = context;

    if (frame->opcode == LOTTERY__V1__OPCODE__OPCODE_ACK) {
        Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame->body_size, frame->body);
        if (ack == NULL)
            return false;
        on_ack(agency, ack);
        lottery__v1__ack__free_unpacked(ack, NULL);
    } else if (frame->opcode == LOTTERY__V1__OPCODE__OPCODE_WINNERS) {
        Lottery__V1__Winners *winners =
            lottery__v1__winners__unpack(NULL, frame->body_size, frame->body);
        if (winners == NULL)
            return false;
        on_winners(agency, winners);
        lottery__v1__winners__free_unpacked(winners, NULL);
    } else {
        return false;
    }
    return !agency->is_ending && !dialer_is_closing(&agency->dialer);
}

static void on_open(void *owner)
{
    struct agency *agency = owner;

    agency_log_connected(agency);
    frame_reader_fini(&own(agency)->reader); /* of what the last connection left */
    own(agency)->heard_ms = clock_monotonic_ms();
    ask(agency);
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct agency *agency = owner;

    own(agency)->heard_ms = clock_monotonic_ms();
    if (frame_reader_feed(&own(agency)->reader, data, size, on_frame, agency) != STATUS_OK &&
        !agency->is_ending)
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "the central sent what is no answer");
}

static void on_drain(void *owner)
{
    send_more(owner);
}

static void on_closed(void *owner, enum status status, const char *detail)
{
    struct agency *agency = owner;
    struct lottery *self = own(agency);

    (void)status;
    if (self->stage == STAGE_DONE) {
        LOG(INFO, "close_connection", SUCCESS, LOG_UINT("client_id", agency->settings->id));
        agency_end(agency, AGENCY_EXIT_OK);
        return;
    }
    (void)uv_timer_stop(&self->pause);
    /* A wait for the raffle may have taken longer than the patience for connecting. */
    if (self->stage == STAGE_FINISHING)
        dialer_made_progress(&agency->dialer);
    self->stage = STAGE_CONNECTING;
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

static void on_check(uv_idle_t *idle)
{
    struct agency *agency = idle->data;
    struct lottery *self = own(agency);
    struct errbuf err = {{0}};
    bool is_done;

    if (bets_file_check(self->file, &is_done, &err) != STATUS_OK) {
        fail_file(agency, &err);
        return;
    }
    if (!is_done)
        return;
    (void)uv_idle_stop(idle);
    self->stage = STAGE_CONNECTING;
    dialer_made_progress(&agency->dialer);
    dialer_connect(&agency->dialer);
}

/* Does the central owe us an answer? Only the raffle may take for ever. */
static bool is_owed(const struct lottery *self)
{
    return self->stage == STAGE_ASKING || self->stage == STAGE_SENDING ||
           self->stage == STAGE_DRAINING;
}

static void on_tick(uv_timer_t *timer)
{
    struct agency *agency = timer->data;
    struct lottery *self = own(agency);

    progress_show(&self->progress, self->acked, bets_file_rows(self->file),
                  stage_texts[self->stage]);
    if ((is_owed(self) || self->stage == STAGE_PAUSING) && dialer_is_patience_over(&agency->dialer))
        agency_fail(agency, "apuestas_enviadas", "the central does not answer");
    else if (is_owed(self) && clock_monotonic_ms() - self->heard_ms >= ANSWER_MS)
        dialer_drop(&agency->dialer, STATUS_IO, "no answer in time");
}

static enum agency_exit start(struct agency *agency)
{
    struct lottery *self = own(agency);
    struct errbuf err = {{0}};

    frame_reader_init(&self->reader);
    progress_init(&self->progress);
    (void)uv_idle_init(&agency->loop, &self->checker);
    (void)uv_timer_init(&agency->loop, &self->ticker);
    (void)uv_timer_init(&agency->loop, &self->pause);
    self->checker.data = agency;
    self->ticker.data = agency;
    self->pause.data = agency;
    if (bets_file_open(agency->settings->bets_file, &self->file, &err) != STATUS_OK) {
        LOG(ERROR, "leer_apuestas", FAIL, LOG_UINT("client_id", agency->settings->id),
            LOG_TEXT("reason", err.text));
        return AGENCY_EXIT_FAIL;
    }
    (void)uv_idle_start(&self->checker, on_check);
    (void)uv_timer_start(&self->ticker, on_tick, TICK_MS, TICK_MS);
    return AGENCY_EXIT_OK;
}

static void close_mode(struct agency *agency)
{
    struct lottery *self = own(agency);

    progress_clear(&self->progress);
    uv_close((uv_handle_t *)&self->checker, NULL);
    uv_close((uv_handle_t *)&self->ticker, NULL);
    uv_close((uv_handle_t *)&self->pause, NULL);
    frame_reader_fini(&self->reader);
    if (self->file != NULL) {
        LOG(INFO, "close_file", SUCCESS, LOG_TEXT("file", agency->settings->bets_file));
        bets_file_close(self->file);
        self->file = NULL;
    }
}

const struct mode lottery_mode = {
    .size = sizeof(struct lottery),
    .events = &events,
    .start = start,
    .close = close_mode,
};
