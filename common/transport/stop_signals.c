#include "stop_signals.h"

#include "assertion.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t stop_signals_set(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

void stop_signals_block(void)
{
    const sigset_t set = stop_signals_set();

    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void stop_signals_on_readable(uv_poll_t *poll, int code, int poll_events)
{
    const struct stop_signals *signals = poll->data;
    struct signalfd_siginfo info;

    (void)code;
    (void)poll_events;
    if (read(signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        signals->config.on_stop(signals->config.context);
}

enum status stop_signals_start(struct stop_signals *signals,
                               const struct stop_signals_config *config)
{
    const sigset_t set = stop_signals_set();

    ASSERT(config->loop != NULL && config->on_stop != NULL);
    signals->config = *config;
    signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals->fd < 0)
        return STATUS_IO;
    if (uv_poll_init(config->loop, &signals->poll, signals->fd) < 0) {
        (void)close(signals->fd);
        return STATUS_IO;
    }
    signals->poll.data = signals;
    if (uv_poll_start(&signals->poll, UV_READABLE, stop_signals_on_readable) == 0)
        return STATUS_OK;
    stop_signals_close(signals);
    return STATUS_IO;
}

void stop_signals_close(struct stop_signals *signals)
{
    uv_close((uv_handle_t *)&signals->poll, NULL);
    (void)close(signals->fd); /* libuv stops using it within uv_close */
}
