#include "log_watch.h"

#include "log_output.h"

static void log_watch_on_readable(uv_poll_t *poll, int code, int poll_events)
{
    const struct log_watch *watch = poll->data;
    bool was_full = log_output_is_full();

    (void)code;
    (void)poll_events;
    log_output_on_ready();
    if (was_full && !log_output_is_full() && watch->config.on_room != NULL)
        watch->config.on_room(watch->config.context);
}

enum status log_watch_start(struct log_watch *watch, const struct log_watch_config *config)
{
    *watch = (struct log_watch){.config = *config};
    if (log_output_fd() < 0)
        return STATUS_OK;
    if (uv_poll_init(config->loop, &watch->poll, log_output_fd()) < 0)
        return STATUS_IO;
    watch->poll.data = watch;
    watch->is_open = true;
    if (uv_poll_start(&watch->poll, UV_READABLE, log_watch_on_readable) < 0) {
        log_watch_close(watch);
        return STATUS_IO;
    }
    uv_unref((uv_handle_t *)&watch->poll);
    return STATUS_OK;
}

void log_watch_close(struct log_watch *watch)
{
    if (watch->is_open)
        uv_close((uv_handle_t *)&watch->poll, NULL);
    watch->is_open = false;
}
