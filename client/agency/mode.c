#include "mode.h"

#include "log.h"

#define GRACE_MS 300

static void agency_on_grace_over(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void agency_log_closed(const struct agency *agency)
{
    LOG(INFO, "close_connection", SUCCESS, LOG_UINT("client_id", agency->settings->id));
}

void agency_end(struct agency *agency, enum agency_exit status)
{
    if (agency->is_ending)
        return;
    agency->is_ending = true;
    agency->exit_status = status;
    if (dialer_has_connection(&agency->dialer))
        agency_log_closed(agency);
    agency->mode->close(agency);
    dialer_close(&agency->dialer);
    stop_signals_close(&agency->signals);
    log_watch_close(&agency->log);
    stream_hub_close(agency->hub);
    (void)uv_timer_start(&agency->grace, agency_on_grace_over, GRACE_MS, 0);
    uv_unref((uv_handle_t *)&agency->grace);
}

void agency_fail(struct agency *agency, const char *action, const char *reason)
{
    LOG(ERROR, action, FAIL, LOG_UINT("client_id", agency->settings->id),
        LOG_TEXT("reason", reason));
    agency_end(agency, AGENCY_EXIT_FAIL);
}

void agency_conclude(struct agency *agency, enum agency_exit status)
{
    agency_log_closed(agency);
    agency_end(agency, status);
}

void agency_log_connect(const struct agency *agency, enum log_level level, enum log_result result,
                        const char *reason)
{
    const struct dialer *dialer = &agency->dialer;
    struct log_field fields[5] = {LOG_UINT("client_id", agency->settings->id),
                                  LOG_TEXT("server", dialer_host(dialer))};
    size_t count = 2;

    if (!log_enabled(level))
        return;
    if (dialer_address(dialer)[0] != '\0') /* otherwise the name was not found */
        fields[count++] = LOG_TEXT("address", dialer_address(dialer));
    fields[count++] = LOG_TEXT("port", dialer_port(dialer));
    fields[count++] = LOG_TEXT("reason", reason);
    log_write(level, "connect", result, fields, count);
}

void agency_reconnect(struct agency *agency, const char *reason)
{
    agency_log_connect(agency, LOG_INFO, LOG_IN_PROGRESS, reason);
    dialer_connect_later(&agency->dialer);
}

void agency_read_answers(struct agency *agency, struct answer_reader *reader, const uint8_t *data,
                         size_t size)
{
    enum status status = answer_reader_feed(reader, data, size);

    if (status == STATUS_MALFORMED)
        dialer_drop(&agency->dialer, status, "unexpected message from the server");
    else if (status == STATUS_NOMEM)
        dialer_drop(&agency->dialer, status, status_text(status));
}

bool agency_is_reading(const struct agency *agency)
{
    return !agency->is_ending && !dialer_is_closing(&agency->dialer);
}
