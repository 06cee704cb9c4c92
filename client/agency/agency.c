/* An agency's run.
 *
 * Happy path: a loop, signals, the way to the central; the mode does its work and calls agency_end.
 *
 * Failure modes: a signal at any moment: everything is closed at once, exit status 0. A lookup of
 * the central's name can not be interrupted: after GRACE_MS the program ends without it.
 */
#include "agency.h"

#include "clock.h"
#include "log.h"
#include "mode.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define GRACE_MS 300

static void on_grace(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

void agency_end(struct agency *agency, enum agency_exit status)
{
    if (agency->is_ending)
        return;
    agency->is_ending = true;
    agency->exit_status = status;
    if (dialer_has_connection(&agency->dialer))
        LOG(INFO, "close_connection", SUCCESS, LOG_UINT("client_id", agency->settings->id));
    agency->mode->close(agency);
    dialer_close(&agency->dialer);
    stop_signals_close(&agency->signals);
    stream_hub_close(agency->hub);
    (void)uv_timer_start(&agency->grace, on_grace, GRACE_MS, 0);
    uv_unref((uv_handle_t *)&agency->grace);
}

void agency_fail(struct agency *agency, const char *action, const char *reason)
{
    LOG(ERROR, action, FAIL, LOG_UINT("client_id", agency->settings->id),
        LOG_TEXT("reason", reason));
    agency_end(agency, AGENCY_EXIT_FAIL);
}

void agency_on_delay(void *owner, uint64_t delay_ms)
{
    struct agency *agency = owner;

    LOG(INFO, "start_delay", IN_PROGRESS, LOG_TEXT("server", dialer_host(&agency->dialer)),
        LOG_UINT("ms", delay_ms));
}

void agency_on_retry(void *owner, const char *reason)
{
    struct agency *agency = owner;

    LOG(INFO, "connect", IN_PROGRESS, LOG_TEXT("server", dialer_host(&agency->dialer)),
        LOG_TEXT("reason", reason));
}

void agency_log_connected(const struct agency *agency)
{
    LOG(DEBUG, "connect", SUCCESS, LOG_TEXT("server", dialer_host(&agency->dialer)));
}

void agency_give_up(void *owner, const char *detail)
{
    agency_fail(owner, "connect", detail);
}

static void on_stop(void *context)
{
    agency_end(context, AGENCY_EXIT_OK);
}

static const struct mode *mode_of(const struct client_settings *settings)
{
    switch (settings->mode) {
    case CLIENT_MODE_LOTTERY:
        break;
    case CLIENT_MODE_BET:
        return &bet_mode;
    case CLIENT_MODE_ECHO:
        return &echo_mode;
    }
    return &lottery_mode;
}

static bool start(struct agency *agency)
{
    const struct client_settings *settings = agency->settings;

    agency->mode = mode_of(settings);
    agency->own = calloc(1, agency->mode->size);
    if (agency->own == NULL)
        return false;
    if (stream_hub_create(&agency->loop, &agency->hub) != STATUS_OK)
        return false;
    (void)uv_timer_init(&agency->loop, &agency->grace);
    dialer_init(&agency->dialer,
                &(struct dialer_config){
                    .hub = agency->hub,
                    .address = settings->server_address,
                    .patience_ms = (uint64_t)(settings->connect_timeout / NS_PER_MS),
                    .delay_ms = (uint64_t)(settings->start_delay / NS_PER_MS),
                    .events = agency->mode->events,
                    .owner = agency,
                });
    const struct stop_signals_config signals = {&agency->loop, on_stop, agency};
    return stop_signals_start(&agency->signals, &signals) == STATUS_OK;
}

/* False: the loop was stopped with a lookup in it that does not end. */
static bool clean_up(struct agency *agency)
{
    uv_close((uv_handle_t *)&agency->grace, NULL);
    bool is_empty = uv_run(&agency->loop, UV_RUN_NOWAIT) == 0;
    if (is_empty)
        (void)uv_loop_close(&agency->loop);
    free(agency->own);
    return is_empty;
}

int agency_run(const struct client_settings *settings)
{
    static struct agency agency; /* big, and there is one in a process */

    agency.settings = settings;
    /* A central that is gone is an error code of write, not the end of the process. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&agency.loop) < 0 || !start(&agency)) {
        LOG(CRITICAL, "start", FAIL, LOG_TEXT("reason", status_text(STATUS_NOMEM)));
        return AGENCY_EXIT_FAIL;
    }
    enum agency_exit status = agency.mode->start(&agency);
    if (status != AGENCY_EXIT_OK)
        agency_end(&agency, status);
    (void)uv_run(&agency.loop, UV_RUN_DEFAULT);
    bool is_clean = clean_up(&agency);
    if (agency.exit_status == AGENCY_EXIT_OK)
        LOG(INFO, "exit", SUCCESS);
    else
        LOG(ERROR, "exit", FAIL, LOG_INT("status", (int)agency.exit_status));
    if (!is_clean)
        _exit((int)agency.exit_status); /* exit() would wait for libuv's thread that looks it up */
    return (int)agency.exit_status;
}
