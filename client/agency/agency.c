/* An agency's run.
 *
 * Happy path: read the certificate, if there is TLS; create a loop, signals and a dialer to the
 * server; the mode does its work and calls agency_end.
 *
 * Failure modes: no fit certificate: the program ends. A signal at any moment: everything is closed
 * at once, exit status 0. A lookup of the server's name cannot be interrupted: if it still runs
 * after the grace period of agency_end(), the program ends without waiting for it.
 */
#include "agency.h"

#include "agency_tls.h"
#include "assertion.h"
#include "bet_mode.h"
#include "clock.h"
#include "echo_mode.h"
#include "log.h"
#include "log_limit.h"
#include "log_output.h"
#include "lottery_mode.h"
#include "mode.h"
#include "tls_context.h"

#include <stdlib.h>
#include <unistd.h>

static void agency_on_stop(void *context)
{
    struct agency *agency = context;

    log_output_stop();
    if (agency->is_ending)
        return;
    agency->was_stopped = true;
    agency->extent = agency->mode->extent(agency);
    agency_end(agency, AGENCY_EXIT_OK);
}

/* After a signal it says how much was sent. */
static void agency_log_exit(const struct agency *agency)
{
    const struct mode_extent *extent = &agency->extent;

    if (agency->exit_status != AGENCY_EXIT_OK)
        LOG(ERROR, "exit", FAIL, LOG_INT("status", (int)agency->exit_status));
    else if (!agency->was_stopped)
        LOG(INFO, "exit", SUCCESS);
    else if (extent->total == MODE_EXTENT_UNKNOWN)
        LOG(INFO, "exit", SUCCESS, LOG_UINT("sent", extent->sent));
    else
        LOG(INFO, "exit", SUCCESS, LOG_UINT("sent", extent->sent),
            LOG_UINT("total", extent->total));
}

static void agency_on_delay(void *owner, uint64_t delay_ms)
{
    struct agency *agency = owner;

    LOG(INFO, "start_delay", IN_PROGRESS, LOG_TEXT("server", dialer_host(&agency->dialer)),
        LOG_UINT("ms", delay_ms));
}

static void agency_on_failed(void *owner, const char *reason)
{
    agency_log_connect(owner, LOG_INFO, LOG_IN_PROGRESS, reason);
}

static void agency_on_open(void *owner)
{
    struct agency *agency = owner;

    LOG(DEBUG, "connect", SUCCESS, LOG_TEXT("server", dialer_host(&agency->dialer)),
        LOG_TEXT("address", dialer_address(&agency->dialer)),
        LOG_TEXT("port", dialer_port(&agency->dialer)));
    agency->has_heard = false;
    agency->mode->on_open(agency);
}

static void agency_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct agency *agency = owner;
    const char *hint = NULL;

    if (agency->tls == NULL && !agency->has_heard)
        hint = agency_tls_hint(data, size);
    agency->has_heard = true;
    if (hint != NULL)
        dialer_drop(&agency->dialer, STATUS_MALFORMED, hint);
    else
        agency->mode->on_data(agency, data, size);
}

static void agency_on_drain(void *owner)
{
    struct agency *agency = owner;

    if (agency->mode->on_drain != NULL)
        agency->mode->on_drain(agency);
}

static void agency_on_closed(void *owner, enum status status, const char *detail)
{
    struct agency *agency = owner;

    if (status == STATUS_UNTRUSTED && agency->mode->on_refused != NULL)
        agency->mode->on_refused(agency, detail);
    else
        agency->mode->on_closed(agency, detail);
}

static void agency_on_give_up(void *owner, bool is_connected, const char *reason)
{
    struct agency *agency = owner;

    if (is_connected) {
        agency_fail(agency, agency->mode->action, reason);
        return;
    }
    agency_log_connect(agency, LOG_ERROR, LOG_FAIL, reason);
    agency_end(agency, AGENCY_EXIT_FAIL);
}

static const struct dialer_events agency_dialer_events = {
    .on_delay = agency_on_delay,
    .on_failed = agency_on_failed,
    .on_open = agency_on_open,
    .on_data = agency_on_data,
    .on_drain = agency_on_drain,
    .on_closed = agency_on_closed,
    .on_give_up = agency_on_give_up,
};

static const struct mode *agency_mode_of(const struct client_settings *settings)
{
    switch (settings->mode) {
    case CLIENT_MODE_LOTTERY:
        return &lottery_mode;
    case CLIENT_MODE_BET:
        return &bet_mode;
    case CLIENT_MODE_ECHO:
        return &echo_mode;
    }
    return NULL;
}

static bool agency_prepare(struct agency *agency)
{
    const struct client_settings *settings = agency->settings;

    agency->mode = agency_mode_of(settings);
    ASSERT(agency->mode != NULL);
    agency->state = calloc(1, agency->mode->state_size);
    if (agency->state == NULL)
        return false;
    if (stream_hub_create(&agency->loop, &agency->hub) != STATUS_OK)
        return false;
    (void)uv_timer_init(&agency->loop, &agency->grace);
    dialer_init(&agency->dialer,
                &(struct dialer_config){
                    .hub = agency->hub,
                    .addresses = settings->server_address,
                    .patience_ms = ms_of_ns(settings->connect_timeout),
                    .answer_ms = agency->mode->answer_ms,
                    .delay_ms = ms_of_ns(settings->start_delay),
                    .events = &agency_dialer_events,
                    .owner = agency,
                    .tls = agency->tls,
                    .tls_server_name =
                        settings->tls_server_name[0] != '\0' ? settings->tls_server_name : NULL,
                });
    const struct stop_signals_config signals = {&agency->loop, agency_on_stop, agency};
    const struct log_watch_config log = {.loop = &agency->loop};
    return stop_signals_start(&agency->signals, &signals) == STATUS_OK &&
           log_watch_start(&agency->log, &log) == STATUS_OK;
}

/* Returns false when a name lookup is still running: then the loop cannot be closed. */
static bool agency_clean_up(struct agency *agency)
{
    uv_close((uv_handle_t *)&agency->grace, NULL);
    bool is_empty = uv_run(&agency->loop, UV_RUN_NOWAIT) == 0;
    if (is_empty)
        (void)uv_loop_close(&agency->loop);
    free(agency->state);
    return is_empty;
}

int agency_run(const struct client_settings *settings)
{
    static struct agency agency; /* big, and there is one in a process */

    agency.settings = settings;
    enum agency_exit fault = agency_tls_open(settings, &agency.tls);
    if (fault != AGENCY_EXIT_OK) {
        log_output_finish(LOG_NO_LIMIT);
        return (int)fault;
    }
    if (uv_loop_init(&agency.loop) < 0 || !agency_prepare(&agency)) {
        LOG(CRITICAL, "start", FAIL, LOG_TEXT("reason", status_text(STATUS_NOMEM)));
        log_output_finish(LOG_NO_LIMIT);
        return AGENCY_EXIT_FAIL;
    }
    enum agency_exit status = agency.mode->start(&agency);
    if (status != AGENCY_EXIT_OK)
        agency_end(&agency, status);
    (void)uv_run(&agency.loop, UV_RUN_DEFAULT);
    ASSERT(agency.is_ending);
    bool is_clean = agency_clean_up(&agency);
    tls_context_destroy(agency.tls);
    if (agency.exit_status != AGENCY_EXIT_OK)
        log_tell_hidden_failure(); /* before the next one takes its place */
    agency_log_exit(&agency);
    log_limits_tell();
    log_output_finish(LOG_NO_LIMIT);
    if (!is_clean)
        _exit((int)agency.exit_status); /* exit() would wait for libuv's lookup thread */
    return (int)agency.exit_status;
}
