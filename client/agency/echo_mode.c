/* Mode echo: loop.amount messages, one each loop.period, a connection for each.
 *
 * Happy path: connect, send the line, collect the answer up to its line end, log it, finish; the
 * next one starts a period after this one did.
 *
 * Failure modes: no connection: tried again (dialer.h), until patience is over. The central ends
 * the connection before the answer is whole, answers something else, or does not answer within
 * ANSWER_MS: logged as failed, the loop goes on, and the program ends with status 1.
 */
#include "clock.h"
#include "log.h"
#include "mode.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_SIZE 128
#define ANSWER_MS 10000

struct echo {
    char line[LINE_MAX_SIZE]; /* the message, with its line end */
    char answer[LINE_MAX_SIZE];
    size_t answer_size;
    uv_timer_t timer; /* to the next message, or to the end of our patience for an answer */
    uint32_t number;  /* of the message in hand, from 1 */
    uint32_t failures;
    uint64_t next_ms;    /* monotonic: when the next message is due */
    const char *failure; /* of the message in hand, or NULL; static */
    bool is_answered;
};

static struct echo *own(struct agency *agency)
{
    return agency->own;
}

static void end_loop(struct agency *agency)
{
    uint32_t failures = own(agency)->failures;

    if (failures == 0) {
        LOG(INFO, "loop_finished", SUCCESS, LOG_UINT("client_id", agency->settings->id));
        agency_end(agency, AGENCY_EXIT_OK);
        return;
    }
    LOG(ERROR, "loop_finished", FAIL, LOG_UINT("client_id", agency->settings->id),
        LOG_UINT("failed", failures));
    agency_end(agency, AGENCY_EXIT_FAIL);
}

static void next_message(struct agency *agency)
{
    struct echo *self = own(agency);

    if (self->number == agency->settings->loop_amount) {
        end_loop(agency);
        return;
    }
    self->number++;
    self->next_ms = clock_monotonic_ms() + (uint64_t)(agency->settings->loop_period / NS_PER_MS);
    self->answer_size = 0;
    self->is_answered = false;
    self->failure = NULL;
    (void)snprintf(self->line, sizeof(self->line), "[CLIENT %u] Message N°%u\n",
                   agency->settings->id, self->number);
    dialer_connect(&agency->dialer);
}

static void on_due(uv_timer_t *timer)
{
    next_message(timer->data);
}

static void on_no_answer(uv_timer_t *timer)
{
    struct agency *agency = timer->data;

    dialer_drop(&agency->dialer, STATUS_IO, "no answer in time");
}

static void on_open(void *owner)
{
    struct agency *agency = owner;
    struct echo *self = own(agency);

    agency_log_connected(agency);
    dialer_made_progress(&agency->dialer);
    (void)uv_timer_start(&self->timer, on_no_answer, ANSWER_MS, 0);
    dialer_send(&agency->dialer, self->line, strlen(self->line));
}

static void take_answer(struct agency *agency)
{
    struct echo *self = own(agency);
    size_t size = self->answer_size;

    self->is_answered = true;
    if (size != strlen(self->line) || memcmp(self->answer, self->line, size) != 0) {
        self->failure = "the answer is not the message";
        dialer_finish(&agency->dialer);
        return;
    }
    while (size > 0 && isspace((unsigned char)self->answer[size - 1]))
        size--;
    LOG(INFO, "receive_message", SUCCESS, LOG_UINT("client_id", agency->settings->id),
        LOG_SIZED("msg", self->answer, size));
    dialer_finish(&agency->dialer);
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct agency *agency = owner;
    struct echo *self = own(agency);

    if (self->is_answered)
        return;
    if (size > sizeof(self->answer) - self->answer_size) {
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "the answer is longer than the message");
        return;
    }
    memcpy(self->answer + self->answer_size, data, size);
    self->answer_size += size;
    if (memchr(data, '\n', size) != NULL)
        take_answer(agency);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_closed(void *owner, enum status status, const char *detail)
{
    struct agency *agency = owner;
    struct echo *self = own(agency);
    uint64_t now = clock_monotonic_ms();

    (void)status;
    if (!self->is_answered)
        self->failure = detail;
    if (self->failure != NULL) {
        self->failures++;
        LOG(ERROR, "receive_message", FAIL, LOG_UINT("client_id", agency->settings->id),
            LOG_TEXT("error", self->failure));
    }
    (void)uv_timer_start(&self->timer, on_due, self->next_ms > now ? self->next_ms - now : 0, 0);
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
    struct echo *self = own(agency);

    (void)uv_timer_init(&agency->loop, &self->timer);
    self->timer.data = agency;
    next_message(agency);
    self->next_ms +=
        (uint64_t)(agency->settings->start_delay / NS_PER_MS); /* which it waits first */
    return AGENCY_EXIT_OK;
}

static void close_mode(struct agency *agency)
{
    uv_close((uv_handle_t *)&own(agency)->timer, NULL);
}

const struct mode echo_mode = {
    .size = sizeof(struct echo),
    .events = &events,
    .start = start,
    .close = close_mode,
};
