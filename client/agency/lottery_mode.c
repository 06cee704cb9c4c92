/* Mode lottery: sends the bets in the agency's file, then Finished, and receives its winners.
 *
 * Happy path: check the whole file; connect; ask how many bets the server has and go to that row;
 * keep a window of batches in flight, each with the checksum of the rows before it; when all are
 * acknowledged, send Finished; count the winners as they arrive, and write them to a file if the
 * settings name one. Meanwhile the seal of the draw is checked, if the settings ask for it
 * (seal_watch.h); the agency ends when both are done.
 *
 * Failure modes: bad rows: their lines are named, nothing is sent. The connection breaks: connect
 * and ask again; winners received so far are forgotten. STORAGE_ERROR, OFFSET_GAP: wait for the
 * answers to the other batches, ask again (after a pause), go on from there. DRAW_CLOSED: the same,
 * but then say which row is the first that was not taken, send Finished for the others, and fail
 * once their winners are there (cutoff.h). The server has other bets of this agency than the file,
 * more, or fewer than it had acknowledged; it answers for another draw; any other refusal: failure.
 * No answer in time, winners that stop halfway, no progress for too long: see dialer.h; only the
 * wait for the draw has no limit.
 */
#include "lottery_mode.h"

#include "answer_reader.h"
#include "assertion.h"
#include "batch.h"
#include "bets_file.h"
#include "cutoff.h"
#include "fill_batch.h"
#include "findings_log.h"
#include "log.h"
#include "log_limit.h"
#include "progress.h"
#include "refusal.h"
#include "seal_watch.h"
#include "winner_list.h"
#include "wire.h"

#define WINDOW 256                       /* batches in flight at most */
#define BACKLOG_MAX ((size_t)256 * 1024) /* bytes that wait for the kernel to take them */
#define TICK_MS 250
#define ANSWER_MS 20000 /* without a byte while an answer is due: the connection is dead */

enum lottery_stage {
    LOTTERY_STAGE_CHECKING,   /* the file */
    LOTTERY_STAGE_CONNECTING, /* or connecting again */
    LOTTERY_STAGE_ASKING,     /* how many bets the server has */
    LOTTERY_STAGE_SEEKING,    /* the row that comes after them */
    LOTTERY_STAGE_SENDING,    /* bets */
    LOTTERY_STAGE_DRAINING,   /* a batch was refused: waits for the answers to the others */
    LOTTERY_STAGE_PAUSING,    /* before asking again */
    LOTTERY_STAGE_FINISHING,  /* Finished was sent; waits for the draw */
    LOTTERY_STAGE_DONE
};

/* As the progress line shows them. */
static const char *const stage_texts[] = {
    [LOTTERY_STAGE_CHECKING] = "checking the file",
    [LOTTERY_STAGE_CONNECTING] = "connecting",
    [LOTTERY_STAGE_ASKING] = "asking for the position",
    [LOTTERY_STAGE_SEEKING] = "comparing with the central",
    [LOTTERY_STAGE_SENDING] = "sending",
    [LOTTERY_STAGE_DRAINING] = "sending",
    [LOTTERY_STAGE_PAUSING] = "the central's disk",
    [LOTTERY_STAGE_FINISHING] = "waiting for the draw",
    [LOTTERY_STAGE_DONE] = "done",
};

struct lottery_mode_state {
    struct bets_file *file; /* owned; NULL = not open */
    struct answer_reader reader;
    struct batch batch; /* the one being filled, or the last one sent */
    uv_idle_t checker;  /* active in LOTTERY_STAGE_CHECKING and LOTTERY_STAGE_SEEKING */
    uv_timer_t ticker;  /* progress line */
    uv_timer_t pause;   /* before asking again */
    struct progress progress;
    enum lottery_stage stage;
    uint32_t in_flight;           /* batches without an answer */
    bool must_pause;              /* after draining */
    bool has_position;            /* the server has said at least once how many bets it has */
    uint64_t next_row;            /* the first row not sent yet */
    uint64_t acked;               /* bets that the server has */
    uint64_t most_acked;          /* the highest `acked` so far */
    uint64_t agreed;              /* rows that both are known to have alike */
    struct bets_checksum servers; /* of its `acked` bets, in LOTTERY_STAGE_SEEKING */
    struct cutoff cutoff;         /* the draw was closed before all rows were taken */
    struct seal_watch seal;       /* checks the seal, if the settings ask for one */
    struct winner_list winners;
};

static struct lottery_mode_state *lottery_mode_state(struct agency *agency)
{
    return agency->state;
}

static void lottery_mode_fail_file(struct agency *agency, const struct errbuf *err)
{
    agency_fail(agency, "leer_apuestas", err->text);
}

static void lottery_mode_send_batch(struct agency *agency)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);

    batch_end(&self->batch);
    dialer_send(&agency->dialer, self->batch.frame, self->batch.size);
}

/* Sends NewBets without bets: how many bets does the server have? */
static void lottery_mode_ask(struct agency *agency)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);

    self->stage = LOTTERY_STAGE_ASKING;
    self->in_flight = 0;
    seal_watch_pause(&self->seal);
    dialer_expect(&agency->dialer, PATIENCE_ANSWER);
    fill_batch_ask(&self->batch, agency->settings);
    lottery_mode_send_batch(agency);
}

static void lottery_mode_send_finished(struct agency *agency)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);
    uint8_t frame[FRAME_MAX_SIZE];

    self->stage = LOTTERY_STAGE_FINISHING;
    progress_end(&self->progress);
    winner_list_restart(&self->winners);
    dialer_expect(&agency->dialer, PATIENCE_HELD);
    const struct wire_finished finished = {
        .agency = agency->settings->id,
        .total = self->next_row, /* all, or those that were taken */
        .checksum = fill_batch_checksum(self->file),
        .draw = agency->settings->draw,
        .want_seal = client_settings_want_seal(agency->settings),
    };
    size_t size = wire_pack_finished(&finished, frame);
    dialer_send(&agency->dialer, frame, size);
    seal_watch_begin(&self->seal, self->next_row);
    if (!cutoff_has_happened(&self->cutoff))
        LOG(INFO, "apuestas_enviadas", SUCCESS, LOG_UINT("client_id", agency->settings->id),
            LOG_UINT("cantidad", self->acked));
}

static void lottery_mode_send_more(struct agency *agency)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);
    uint64_t rows = bets_file_rows(self->file);
    struct errbuf err = {{0}};

    while (self->stage == LOTTERY_STAGE_SENDING && self->next_row < rows &&
           self->in_flight < WINDOW && dialer_backlog(&agency->dialer) < BACKLOG_MAX) {
        if (fill_batch(&self->batch, self->file, self->next_row, agency->settings, &err) !=
            STATUS_OK) {
            lottery_mode_fail_file(agency, &err);
            return;
        }
        ASSERT(self->batch.count > 0); /* without bets it would ask for the position */
        lottery_mode_send_batch(agency);
        self->next_row += self->batch.count;
        self->in_flight++;
    }
    if (self->stage == LOTTERY_STAGE_SENDING && self->next_row == rows && self->in_flight == 0)
        lottery_mode_send_finished(agency);
}

/* Notes how many bets the server has. Only more than ever before are progress: a server that
 * forgets, or one with a full disk, would be asked forever. */
static void lottery_mode_note_acked(struct agency *agency, uint64_t received)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);

    if (!self->has_position || received > self->most_acked) {
        dialer_made_progress(&agency->dialer);
        self->most_acked = received;
    }
    self->has_position = true;
    self->acked = received;
}

/* The server has other bets of this agency than the file: some row after those that are known to be
 * alike, among its `received` ones. */
static void lottery_mode_fail_content(struct agency *agency, uint64_t received)
{
    const struct lottery_mode_state *self = lottery_mode_state(agency);
    struct errbuf reason;

    refusal_describe_content(agency->settings->id, self->agreed + 1, received, &reason);
    agency_fail(agency, "apuestas_enviadas", reason.text);
}

/* The rows from this one on were not taken: asks for the winners among the others. */
static void lottery_mode_finish_early(struct agency *agency)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);
    struct errbuf err = {{0}};

    if (cutoff_tell(&self->cutoff, self->file, self->next_row, agency->settings->id, &err) ==
        STATUS_OK)
        lottery_mode_send_finished(agency);
    else
        lottery_mode_fail_file(agency, &err);
}

/* The row after the server's bets is reached. */
static void lottery_mode_compare(struct agency *agency)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);

    if (self->servers.is_given && self->servers.value != bets_file_checksum(self->file)) {
        lottery_mode_fail_content(agency, self->acked);
        return;
    }
    if (self->servers.is_given)
        self->agreed = self->acked;
    self->next_row = self->acked;
    if (self->cutoff.is_closed && self->next_row < bets_file_rows(self->file)) {
        lottery_mode_finish_early(agency);
        return;
    }
    self->stage = LOTTERY_STAGE_SENDING;
    dialer_expect(&agency->dialer, PATIENCE_ANSWER);
    lottery_mode_send_more(agency);
}

static void lottery_mode_on_seek(uv_idle_t *idle)
{
    struct agency *agency = idle->data;
    struct lottery_mode_state *self = lottery_mode_state(agency);
    struct errbuf err = {{0}};
    bool is_done = false;

    if (bets_file_seek(self->file, self->acked, &is_done, &err) != STATUS_OK) {
        (void)uv_idle_stop(idle);
        lottery_mode_fail_file(agency, &err);
    } else if (is_done) {
        (void)uv_idle_stop(idle);
        lottery_mode_compare(agency);
    }
}

/* Takes the server's answer: how many bets it has, and which. */
static void lottery_mode_take_position(struct agency *agency, const Lottery__V1__Ack *ack)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);
    struct errbuf why;

    if (!bets_checksum_read(ack->checksum.data, ack->checksum.len, &self->servers)) {
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "a checksum of another size");
        return;
    }
    if (refusal_is_beyond(ack, bets_file_rows(self->file), &why)) {
        agency_fail(agency, "apuestas_enviadas", why.text);
        return;
    }
    cutoff_check_draw(&self->cutoff, ack, agency->settings->draw, agency->settings->id);
    lottery_mode_note_acked(agency, ack->received);
    progress_begin(&self->progress, ack->received);
    self->stage = LOTTERY_STAGE_SEEKING;
    dialer_expect(&agency->dialer, PATIENCE_OWN);
    (void)uv_idle_start(&self->checker, lottery_mode_on_seek);
}

static void lottery_mode_on_pause_over(uv_timer_t *timer)
{
    lottery_mode_ask(timer->data);
}

static void lottery_mode_ask_again(struct agency *agency)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);

    if (!self->must_pause) {
        lottery_mode_ask(agency);
        return;
    }
    self->must_pause = false;
    self->stage = LOTTERY_STAGE_PAUSING;
    dialer_expect(&agency->dialer, PATIENCE_RUNS);
    (void)uv_timer_start(&self->pause, lottery_mode_on_pause_over,
                         dialer_next_pause_ms(&agency->dialer), 0);
}

static void lottery_mode_fail_refused(struct agency *agency, const Lottery__V1__Ack *ack)
{
    struct errbuf reason;

    refusal_describe(ack, &reason);
    agency_fail(agency, "apuestas_enviadas", reason.text);
}

/* The draw takes no more bets: waits for the other answers, then asks which ones were taken. */
static void lottery_mode_take_closing(struct agency *agency, const Lottery__V1__Ack *ack)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);

    cutoff_note(&self->cutoff, ack);
    dialer_note_failure(&agency->dialer, self->cutoff.reason.text);
    if (self->stage == LOTTERY_STAGE_FINISHING)
        lottery_mode_fail_refused(agency, ack);
    else if (self->stage == LOTTERY_STAGE_ASKING)
        lottery_mode_take_position(agency, ack);
    else
        self->stage = LOTTERY_STAGE_DRAINING;
}

/* A batch was refused, but may be accepted later: waits for the other answers first. */
static void lottery_mode_drain(struct agency *agency, const Lottery__V1__Ack *ack)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);
    struct errbuf reason;

    refusal_describe(ack, &reason);
    dialer_note_failure(&agency->dialer, reason.text);
    self->must_pause |= ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR;
    if (self->stage != LOTTERY_STAGE_DRAINING)
        LOG_LIMITED(LOG_BURST, WARNING, "apuestas_enviadas", IN_PROGRESS,
                    LOG_UINT("client_id", agency->settings->id), LOG_TEXT("reason", ack->detail));
    self->stage = LOTTERY_STAGE_DRAINING;
}

/* Does the agency wait for an Ack in this stage? */
static bool lottery_mode_expects_ack(const struct lottery_mode_state *self)
{
    switch (self->stage) {
    case LOTTERY_STAGE_ASKING:
    case LOTTERY_STAGE_FINISHING:
        return true;
    case LOTTERY_STAGE_SENDING:
    case LOTTERY_STAGE_DRAINING:
        return self->in_flight > 0;
    case LOTTERY_STAGE_CHECKING:
    case LOTTERY_STAGE_CONNECTING:
    case LOTTERY_STAGE_SEEKING:
    case LOTTERY_STAGE_PAUSING:
    case LOTTERY_STAGE_DONE:
        break;
    }
    return false;
}

/* Is it certain from this answer that the work cannot be done: is it about another draw, or does
 * the server have fewer bets than it has acknowledged? Then the agency has failed. */
static bool lottery_mode_fails_by(struct agency *agency, const Lottery__V1__Ack *ack)
{
    const struct lottery_mode_state *self = lottery_mode_state(agency);
    bool is_first = self->stage == LOTTERY_STAGE_ASKING || self->stage == LOTTERY_STAGE_FINISHING;
    struct errbuf why;

    if (!refusal_is_other_draw(ack, agency->settings->draw, is_first && self->most_acked == 0,
                               &why) &&
        !refusal_is_short(ack, self->most_acked, &why))
        return false;
    agency_fail(agency, "apuestas_enviadas", why.text);
    return true;
}

static void lottery_mode_take_ack(struct agency *agency, const Lottery__V1__Ack *ack)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);

    if (!lottery_mode_expects_ack(self)) {
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "unexpected acknowledgement");
        return;
    }
    if (lottery_mode_fails_by(agency, ack))
        return;
    if (self->stage == LOTTERY_STAGE_SENDING || self->stage == LOTTERY_STAGE_DRAINING)
        self->in_flight--;
    if (ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR ||
        ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_OFFSET_GAP) {
        lottery_mode_drain(agency, ack);
    } else if (ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_CONTENT_MISMATCH) {
        lottery_mode_fail_content(agency, ack->received);
        return;
    } else if (ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED) {
        lottery_mode_take_closing(agency, ack);
    } else if (ack->code != LOTTERY__V1__ACK_CODE__ACK_CODE_OK) {
        lottery_mode_fail_refused(agency, ack);
        return;
    } else if (self->stage == LOTTERY_STAGE_ASKING) {
        lottery_mode_take_position(agency, ack);
        return;
    } else {
        lottery_mode_note_acked(agency, ack->received);
        if (ack->stored > 0) /* so the server had nothing else before them */
            self->agreed = ack->received;
    }
    if (self->stage == LOTTERY_STAGE_SENDING)
        lottery_mode_send_more(agency);
    else if (self->stage == LOTTERY_STAGE_DRAINING && self->in_flight == 0)
        lottery_mode_ask_again(agency);
}

static bool lottery_mode_on_ack(void *owner, const Lottery__V1__Ack *ack)
{
    lottery_mode_take_ack(owner, ack);
    return agency_is_reading(owner);
}

static bool lottery_mode_on_winners(void *owner, const Lottery__V1__Winners *winners)
{
    struct agency *agency = owner;
    struct lottery_mode_state *self = lottery_mode_state(agency);
    struct errbuf err = {{0}};
    bool is_new;

    if (self->stage != LOTTERY_STAGE_FINISHING) {
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "unexpected winners");
        return false;
    }
    enum status status = winner_list_take(&self->winners, winners, &is_new, &err);
    if (is_new)
        dialer_made_progress(&agency->dialer);
    if (status == STATUS_OK && winners->more) {
        seal_watch_take_winners(&self->seal, winners);
        return true;
    }
    progress_clear(&self->progress);
    if (!winners->more) {
        self->stage = LOTTERY_STAGE_DONE;
        winner_list_sum_up(&self->winners);
    }
    if (status != STATUS_OK) {
        agency_fail(agency, "guardar_ganadores", err.text);
        return false;
    }
    seal_watch_take_winners(&self->seal, winners);
    dialer_expect(&agency->dialer, PATIENCE_HELD);
    progress_sum_up(&self->progress, self->acked, self->winners.count);
    dialer_finish(&agency->dialer);
    return agency_is_reading(agency);
}

static bool lottery_mode_on_seal(void *owner, const Lottery__V1__Seal *seal)
{
    struct agency *agency = owner;
    struct lottery_mode_state *self = lottery_mode_state(agency);

    if (self->stage != LOTTERY_STAGE_FINISHING || self->winners.has_begun ||
        !seal_watch_take_seal(&self->seal, seal))
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "unexpected seal");
    return agency_is_reading(agency);
}

static const struct answer_handlers lottery_mode_handlers = {
    .on_ack = lottery_mode_on_ack,
    .on_winners = lottery_mode_on_winners,
    .on_seal = lottery_mode_on_seal,
};

static void lottery_mode_on_open(struct agency *agency)
{
    answer_reader_fini(&lottery_mode_state(agency)->reader); /* forgets the previous connection */
    lottery_mode_ask(agency);
}

/* After Finished: has the answer begun, but not ended? */
static bool lottery_mode_is_owed_more(const struct lottery_mode_state *self)
{
    return self->winners.has_begun || answer_reader_is_inside(&self->reader);
}

static void lottery_mode_on_data(struct agency *agency, const uint8_t *data, size_t size)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);

    agency_read_answers(agency, &self->reader, data, size);
    if (self->stage == LOTTERY_STAGE_FINISHING && agency_is_reading(agency))
        dialer_expect(&agency->dialer,
                      lottery_mode_is_owed_more(self) ? PATIENCE_ANSWER : PATIENCE_HELD);
}

/* Ends the agency, unless something is still being checked. */
static void lottery_mode_conclude(struct agency *agency)
{
    const struct lottery_mode_state *self = lottery_mode_state(agency);
    bool has_failed = self->seal.has_failed || cutoff_has_happened(&self->cutoff);

    if (!seal_watch_is_busy(&self->seal))
        agency_conclude(agency, has_failed ? AGENCY_EXIT_FAIL : AGENCY_EXIT_OK);
}

/* All has been checked; the connection may have been closed before. */
static void lottery_mode_on_checked(void *owner)
{
    struct agency *agency = owner;

    if (!dialer_has_connection(&agency->dialer))
        lottery_mode_conclude(agency);
}

static void lottery_mode_on_closed(struct agency *agency, const char *detail)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);

    if (self->stage == LOTTERY_STAGE_DONE) {
        lottery_mode_conclude(agency);
        return;
    }
    (void)uv_timer_stop(&self->pause);
    (void)uv_idle_stop(&self->checker);
    self->stage = LOTTERY_STAGE_CONNECTING;
    agency_reconnect(agency, detail);
}

static void lottery_mode_on_check(uv_idle_t *idle)
{
    struct agency *agency = idle->data;
    struct lottery_mode_state *self = lottery_mode_state(agency);
    struct errbuf err = {{0}};
    bool is_done;

    const struct bets_findings *findings = bets_file_findings(self->file);
    enum status status = bets_file_check(self->file, &is_done, &err);
    if (status != STATUS_OK) {
        if (status == STATUS_INVALID)
            lottery_mode_fail_file(agency, findings_log_faults(findings, agency->settings->id));
        else
            lottery_mode_fail_file(agency, &err);
        return;
    }
    if (!is_done)
        return;
    findings_log_warnings(findings, agency->settings->id);
    (void)uv_idle_stop(idle);
    self->stage = LOTTERY_STAGE_CONNECTING;
    dialer_connect(&agency->dialer);
}

static void lottery_mode_on_tick(uv_timer_t *timer)
{
    struct lottery_mode_state *self = lottery_mode_state(timer->data);

    progress_show(&self->progress, self->acked, bets_file_rows(self->file),
                  stage_texts[self->stage]);
}

/* Opens the file of bets, and already the one for the winners: if it cannot be written, that is
 * known before the draw. */
static bool lottery_mode_open_files(struct agency *agency)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);
    const struct client_settings *settings = agency->settings;
    const char *action = "leer_apuestas";
    struct errbuf err = {{0}};

    enum status status = bets_file_open(settings->bets_file, &settings->bets_format, settings->id,
                                        &self->file, &err);
    if (status == STATUS_OK && settings->winners_file[0] != '\0') {
        action = "guardar_ganadores";
        status = winner_list_open(&self->winners, settings->winners_file, self->file, &err);
    }
    if (status == STATUS_OK) {
        action = "guardar_cierre";
        status = seal_watch_open(&self->seal, self->file, &err);
    }
    if (status != STATUS_OK)
        LOG(ERROR, action, FAIL, LOG_UINT("client_id", settings->id), LOG_TEXT("reason", err.text));
    return status == STATUS_OK;
}

static enum agency_exit lottery_mode_start(struct agency *agency)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);

    answer_reader_init(&self->reader, &lottery_mode_handlers, agency);
    progress_init(&self->progress);
    (void)uv_idle_init(&agency->loop, &self->checker);
    (void)uv_timer_init(&agency->loop, &self->ticker);
    (void)uv_timer_init(&agency->loop, &self->pause);
    self->checker.data = agency;
    self->ticker.data = agency;
    self->pause.data = agency;
    winner_list_init(&self->winners);
    const struct seal_watch_config watch = {
        .loop = &agency->loop,
        .settings = agency->settings,
        .on_done = lottery_mode_on_checked,
        .owner = agency,
    };
    if (!seal_watch_init(&self->seal, &watch) || !lottery_mode_open_files(agency))
        return AGENCY_EXIT_FAIL;
    (void)uv_idle_start(&self->checker, lottery_mode_on_check);
    if (self->progress.is_on)
        (void)uv_timer_start(&self->ticker, lottery_mode_on_tick, TICK_MS, TICK_MS);
    return AGENCY_EXIT_OK;
}

static void lottery_mode_close(struct agency *agency)
{
    struct lottery_mode_state *self = lottery_mode_state(agency);

    progress_clear(&self->progress);
    uv_close((uv_handle_t *)&self->checker, NULL);
    uv_close((uv_handle_t *)&self->ticker, NULL);
    uv_close((uv_handle_t *)&self->pause, NULL);
    answer_reader_fini(&self->reader);
    winner_list_close(&self->winners);
    seal_watch_close(&self->seal);
    if (self->file != NULL) {
        LOG(INFO, "close_file", SUCCESS, LOG_TEXT("file", agency->settings->bets_file));
        bets_file_close(self->file);
        self->file = NULL;
    }
    if (self->winners.is_written)
        LOG(INFO, "guardar_ganadores", SUCCESS, LOG_TEXT("file", agency->settings->winners_file),
            LOG_UINT("cantidad", self->winners.count));
}

static struct mode_extent lottery_mode_extent(const struct agency *agency)
{
    const struct lottery_mode_state *self = agency->state;

    if (self->stage == LOTTERY_STAGE_CHECKING)
        return (struct mode_extent){0, MODE_EXTENT_UNKNOWN};
    return (struct mode_extent){self->acked, bets_file_rows(self->file)};
}

const struct mode lottery_mode = {
    .action = "apuestas_enviadas",
    .answer_ms = ANSWER_MS,
    .state_size = sizeof(struct lottery_mode_state),
    .start = lottery_mode_start,
    .close = lottery_mode_close,
    .extent = lottery_mode_extent,
    .on_open = lottery_mode_on_open,
    .on_data = lottery_mode_on_data,
    .on_drain = lottery_mode_send_more,
    .on_closed = lottery_mode_on_closed,
};
