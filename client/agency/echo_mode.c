/* Mode echo: loop.amount messages, one each loop.period, a connection for each.
 *
 * Happy path: connect, send the line, collect the answer up to its newline, log it, finish; the
 * next message starts one period after this one did.
 *
 * Failure modes: no connection, or our certificate is refused: tried again (dialer.h). The server
 * ends the connection before the answer is complete, answers something else, or does not answer
 * within ANSWER_MS: logged as failed, the loop goes on, and in the end the program exits with
 * status 1. No right answer for too long, the pauses after failed messages included: the same, at
 * once.
 */
#include "echo_mode.h"

#include "clock.h"
#include "log.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_SIZE 128
#define ANSWER_MS 10000

/* The state of one message's answer. */
enum echo_answer {
    ECHO_ANSWER_AWAITED,  /* it has not begun, or is incomplete */
    ECHO_ANSWER_RIGHT,    /* it is the message */
    ECHO_ANSWER_DIFFERENT /* it is a line, but another one */
};

struct echo_mode_state {
    char line[LINE_MAX_SIZE];   /* the message, with its newline */
    char answer[LINE_MAX_SIZE]; /* the part of the answer that has arrived */
    size_t answer_size;         /* bytes of it */
    enum echo_answer outcome;   /* of the current message */
    uv_timer_t timer;           /* until the next message */
    uint32_t number;            /* of the current message, from 1 */
    uint32_t successes;         /* messages with the right answer */
    uint32_t failures;          /* messages without the right answer */
    uint64_t next_ms;           /* monotonic: when the next message is due */
};

static struct echo_mode_state *echo_mode_state(struct agency *agency)
{
    return agency->state;
}

static void echo_mode_end_loop(struct agency *agency)
{
    uint32_t failures = echo_mode_state(agency)->failures;

    if (failures == 0) {
        LOG(INFO, "loop_finished", SUCCESS, LOG_UINT("client_id", agency->settings->id));
        agency_end(agency, AGENCY_EXIT_OK);
        return;
    }
    LOG(ERROR, "loop_finished", FAIL, LOG_UINT("client_id", agency->settings->id),
        LOG_UINT("failed", failures));
    agency_end(agency, AGENCY_EXIT_FAIL);
}

static void echo_mode_next_message(struct agency *agency)
{
    struct echo_mode_state *self = echo_mode_state(agency);

    if (self->number == agency->settings->loop_amount) {
        echo_mode_end_loop(agency);
        return;
    }
    self->number++;
    self->next_ms = clock_monotonic_ms() + ms_of_ns(agency->settings->loop_period);
    self->answer_size = 0;
    self->outcome = ECHO_ANSWER_AWAITED;
    (void)snprintf(self->line, sizeof(self->line), "[CLIENT %u] Message N°%u\n",
                   agency->settings->id, self->number);
    dialer_connect(&agency->dialer);
}

static void echo_mode_on_due(uv_timer_t *timer)
{
    echo_mode_next_message(timer->data);
}

static void echo_mode_on_open(struct agency *agency)
{
    struct echo_mode_state *self = echo_mode_state(agency);

    dialer_expect(&agency->dialer, PATIENCE_ANSWER);
    dialer_send(&agency->dialer, self->line, strlen(self->line));
}

static void echo_mode_take_answer(struct agency *agency)
{
    struct echo_mode_state *self = echo_mode_state(agency);
    size_t size = self->answer_size;

    if (size == strlen(self->line) && memcmp(self->answer, self->line, size) == 0) {
        self->outcome = ECHO_ANSWER_RIGHT;
        self->successes++;
        dialer_made_progress(&agency->dialer);
        dialer_expect(&agency->dialer, PATIENCE_HELD); /* until the next message */
        while (size > 0 && isspace((unsigned char)self->answer[size - 1]))
            size--;
        LOG(INFO, "receive_message", SUCCESS, LOG_UINT("client_id", agency->settings->id),
            LOG_SIZED("msg", self->answer, size));
    } else {
        self->outcome = ECHO_ANSWER_DIFFERENT;
        dialer_expect(&agency->dialer, PATIENCE_RUNS);
    }
    dialer_finish(&agency->dialer);
}

static void echo_mode_on_data(struct agency *agency, const uint8_t *data, size_t size)
{
    struct echo_mode_state *self = echo_mode_state(agency);

    if (self->outcome != ECHO_ANSWER_AWAITED)
        return;
    if (size > sizeof(self->answer) - self->answer_size) {
        dialer_drop(&agency->dialer, STATUS_MALFORMED, "the answer is longer than the message");
        return;
    }
    memcpy(self->answer + self->answer_size, data, size);
    self->answer_size += size;
    if (memchr(data, '\n', size) != NULL)
        echo_mode_take_answer(agency);
}

/* Why the message failed, now that its connection is over; NULL when it did not. */
static const char *echo_mode_failure(const struct echo_mode_state *self, const char *detail)
{
    switch (self->outcome) {
    case ECHO_ANSWER_AWAITED:
        return detail;
    case ECHO_ANSWER_DIFFERENT:
        return "the answer is not the message";
    case ECHO_ANSWER_RIGHT:
        break;
    }
    return NULL;
}

static void echo_mode_on_closed(struct agency *agency, const char *detail)
{
    struct echo_mode_state *self = echo_mode_state(agency);
    const char *failure = echo_mode_failure(self, detail);
    uint64_t now = clock_monotonic_ms();

    if (failure != NULL) {
        self->failures++;
        dialer_note_failure(&agency->dialer, failure);
        LOG(ERROR, "receive_message", FAIL, LOG_UINT("client_id", agency->settings->id),
            LOG_TEXT("error", failure));
    }
    (void)uv_timer_start(&self->timer, echo_mode_on_due,
                         self->next_ms > now ? self->next_ms - now : 0, 0);
}

/* There was no connection, only the beginning of one: the message is not lost. */
static void echo_mode_on_refused(struct agency *agency, const char *detail)
{
    echo_mode_state(agency)->answer_size = 0;
    agency_reconnect(agency, detail);
}

static enum agency_exit echo_mode_start(struct agency *agency)
{
    struct echo_mode_state *self = echo_mode_state(agency);

    (void)uv_timer_init(&agency->loop, &self->timer);
    self->timer.data = agency;
    echo_mode_next_message(agency);
    /* The first message waits for the start delay, which does not count for its period. */
    self->next_ms += ms_of_ns(agency->settings->start_delay);
    return AGENCY_EXIT_OK;
}

static void echo_mode_close(struct agency *agency)
{
    uv_close((uv_handle_t *)&echo_mode_state(agency)->timer, NULL);
}

static struct mode_extent echo_mode_extent(const struct agency *agency)
{
    const struct echo_mode_state *self = agency->state;

    return (struct mode_extent){self->successes, agency->settings->loop_amount};
}

const struct mode echo_mode = {
    .action = "receive_message",
    .answer_ms = ANSWER_MS,
    .state_size = sizeof(struct echo_mode_state),
    .start = echo_mode_start,
    .close = echo_mode_close,
    .extent = echo_mode_extent,
    .on_open = echo_mode_on_open,
    .on_data = echo_mode_on_data,
    .on_closed = echo_mode_on_closed,
    .on_refused = echo_mode_on_refused,
};
