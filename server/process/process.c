#include "process.h"

#include "log.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_signal(uv_signal_t *handle, int number)
{
    struct process_signals *signals = handle->data;

    (void)number;
    signals->on_stop(signals->context);
}

int process_signals_start(struct process_signals *signals, uv_loop_t *loop)
{
    if (uv_signal_init(loop, &signals->term) < 0)
        return -1;
    if (uv_signal_init(loop, &signals->interrupt) < 0) {
        uv_close((uv_handle_t *)&signals->term, NULL);
        return -1;
    }
    signals->term.data = signals;
    signals->interrupt.data = signals;
    if (uv_signal_start(&signals->term, on_signal, SIGTERM) == 0 &&
        uv_signal_start(&signals->interrupt, on_signal, SIGINT) == 0)
        return 0;
    process_signals_close(signals);
    return -1;
}

void process_signals_close(struct process_signals *signals)
{
    uv_close((uv_handle_t *)&signals->term, NULL);
    uv_close((uv_handle_t *)&signals->interrupt, NULL);
}

bool process_is_own_socket(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

void process_store_failed(const char *reason)
{
    LOG(CRITICAL, "store", FAIL, LOG_TEXT("reason", reason));
    _exit(PROCESS_EXIT_STORE);
}
