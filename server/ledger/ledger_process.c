/* The ledger's process: its loop, its links, its end.
 *
 * Happy path: create the loop, recover, tell the supervisor, and then in each turn of the loop:
 * read what all links have, hand it to the core (ledger_process_peers), and when everything that
 * could be read was handed in, let the core commit it, and write what it answers.
 *
 * Failure modes: a link breaks the rules, or its peer reads no outcomes: it is closed. A recovery
 * or a write fails in a way that only another start can repair: the supervisor is told why, and the
 * process ends at once. It is killed: nothing is lost, as only what is durable was answered.
 *
 * A signal to stop usually comes when the others have ended, since the supervisor stops them first.
 * If it comes to all at once, as that of Ctrl-C does, the ledger goes on until their links are
 * gone, at most for STOP_MS.
 */
#include "ledger_process.h"

#include "assertion.h"
#include "clock.h"
#include "file_ops.h"
#include "ledger_control.h"
#include "ledger_core.h"
#include "ledger_process_peers.h"
#include "log.h"
#include "log_output.h"
#include "log_watch.h"
#include "stop_signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_MS 200
#define TICK_MS 100 /* how late a draw may close, besides that its time is in whole seconds */
#define STOP_MS 800 /* so that a stop takes less than a second */

struct process {
    const struct ledger_config *config;
    uv_loop_t loop;
    struct draw draw;
    struct store *store;      /* owned */
    struct ledger_core *core; /* owned */
    struct stop_signals signals;
    struct log_watch log; /* writes log lines that stdout did not take at once */
    uv_poll_t listener;
    uv_poll_t control;
    uv_check_t check;      /* commits when the links were read */
    uv_timer_t idle_timer; /* active after work, until idle work was done */
    uv_timer_t stop_timer;
    uv_timer_t tick_timer; /* active while a closing time is still to come */
    struct process_peers peers;
    uint64_t worked_ms; /* monotonic: when there last was something to do */
    bool is_stopping;   /* a signal has come */
    bool is_closed;     /* everything is closing */
};

/* ------------------------------------------------------------------ the supervisor */

static void process_tell(void *owner, const struct ledger_tells *tells)
{
    ledger_control_tell(((const struct process *)owner)->config->control_fd, tells);
}

static void process_fail(void *owner, int exit_status, const struct errbuf *err)
{
    ledger_control_tell_reason(((const struct process *)owner)->config->control_fd, err);
    log_output_finish(LOG_STOP_MS);
    _exit(exit_status);
}

static void process_on_control(uv_poll_t *poll, int code, int poll_events)
{
    struct process *process = poll->data;
    struct ledger_tells tells;
    ssize_t size;

    (void)code;
    (void)poll_events;
    while ((size = recv(process->config->control_fd, &tells, sizeof(tells), MSG_DONTWAIT)) > 0)
        ledger_core_acknowledged(process->core);
    if (size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        (void)uv_poll_stop(poll); /* the supervisor is gone: the kernel ends this process, too */
}

/* ------------------------------------------------------------------ new links */

static void process_start_idle_timer(struct process *process, uint64_t wait_ms);

static void process_on_connect(uv_poll_t *poll, int code, int poll_events)
{
    struct process *process = poll->data;
    int fd;

    (void)code;
    (void)poll_events;
    while ((fd = accept4(process->config->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >=
           0)
        process_peers_accept(&process->peers, fd);
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ECONNABORTED) {
        LOG(ERROR, "ledger_link", FAIL, LOG_TEXT("reason", strerror(errno)));
        (void)uv_poll_stop(poll); /* until the timer comes */
        process_start_idle_timer(process, IDLE_MS);
    }
}

static void process_listen(struct process *process)
{
    if (!process->is_stopping)
        (void)uv_poll_start(&process->listener, UV_READABLE, process_on_connect);
}

/* ------------------------------------------------------------------ turns of the loop */

static void process_on_idle(uv_timer_t *timer)
{
    struct process *process = timer->data;
    uint64_t idle_ms = clock_monotonic_ms() - process->worked_ms;

    process_listen(process);
    if (idle_ms < IDLE_MS)
        process_start_idle_timer(process, IDLE_MS - idle_ms);
    else
        ledger_core_idle(process->core);
}

static void process_start_idle_timer(struct process *process, uint64_t wait_ms)
{
    (void)uv_timer_start(&process->idle_timer, process_on_idle, wait_ms, 0);
}

/* The core may have committed by itself, and have nothing left now. */
static void process_commit(struct process *process)
{
    if (!ledger_core_has_work(process->core) && !process_peers_must_flush(&process->peers))
        return;
    ledger_core_commit(process->core);
    process_peers_flush(&process->peers);
    process->worked_ms = clock_monotonic_ms();
    if (!uv_is_active((uv_handle_t *)&process->idle_timer))
        process_start_idle_timer(process, IDLE_MS);
}

static void process_on_tick(uv_timer_t *timer)
{
    struct process *process = timer->data;

    ledger_core_tick(process->core);
    process_commit(process);
    if (!ledger_core_has_deadline(process->core))
        (void)uv_timer_stop(timer);
}

static void process_on_check(uv_check_t *check)
{
    process_commit(check->data);
}

/* ------------------------------------------------------------------ the end */

static void process_close(struct process *process)
{
    if (process->is_closed)
        return;
    process->is_closed = true;
    if (process->core != NULL)
        process_commit(process);
    process_peers_close(&process->peers);
    stop_signals_close(&process->signals);
    log_watch_close(&process->log);
    uv_close((uv_handle_t *)&process->listener, NULL);
    uv_close((uv_handle_t *)&process->control, NULL);
    uv_close((uv_handle_t *)&process->check, NULL);
    uv_close((uv_handle_t *)&process->idle_timer, NULL);
    uv_close((uv_handle_t *)&process->stop_timer, NULL);
    uv_close((uv_handle_t *)&process->tick_timer, NULL);
}

static void process_on_last_gone(void *owner)
{
    struct process *process = owner;

    if (process->is_stopping)
        process_close(process);
}

static void process_on_stop_timer(uv_timer_t *timer)
{
    process_close(timer->data);
}

static void process_on_stop(void *context)
{
    struct process *process = context;

    if (process->is_stopping)
        return;
    process->is_stopping = true;
    log_output_stop();
    (void)uv_poll_stop(&process->listener);
    if (process_peers_are_gone(&process->peers))
        process_close(process);
    else
        (void)uv_timer_start(&process->stop_timer, process_on_stop_timer, STOP_MS, 0);
}

/* ------------------------------------------------------------------ the beginning */

/* Asked during the recovery. The signals are blocked, and stay pending for the loop. */
static bool process_must_stop(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

static void process_fill_random(void *owner, void *bytes, size_t size)
{
    (void)owner;
    /* Up to 256 bytes come whole, and wait only when the machine has just started. */
    ssize_t count = getrandom(bytes, size, 0);
    ASSERT(count == (ssize_t)size);
}

static uint64_t process_now_s(void *owner)
{
    (void)owner;
    return (uint64_t)clock_wall_s();
}

static int process_make_file(void *owner, const void *bytes, size_t size)
{
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    int fd = memfd_create("lottery-snapshot", MFD_CLOEXEC);

    (void)owner;
    if (fd >= 0 && file_write(&file_ops_system, fd, &part, 1, 0) != STATUS_OK) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static const struct ledger_core_events process_core_events = {
    .send = process_peers_send,
    .release = process_peers_release,
    .tell = process_tell,
    .fail = process_fail,
    .fill_random = process_fill_random,
    .now_s = process_now_s,
    .make_file = process_make_file,
};

/* Tells the supervisor that the ledger is ready: everything else is there already. */
static enum status process_recover(struct process *process, struct errbuf *err)
{
    const struct ledger_config *config = process->config;

    draw_init(&process->draw);
    enum status status = config->open_store(config->context, &process->draw, process_must_stop,
                                            &process->store, err);
    if (status != STATUS_OK)
        return status;
    status = ledger_core_create(&(struct ledger_core_config){.store = process->store,
                                                             .draw = &process->draw,
                                                             .agencies = config->agencies,
                                                             .winner_number = config->winner_number,
                                                             .terms = config->terms,
                                                             .events = &process_core_events,
                                                             .scoreboard = config->scoreboard,
                                                             .owner = process},
                                &process->core, err);
    process->peers.core = process->core;
    if (status == STATUS_OK && ledger_core_has_deadline(process->core))
        (void)uv_timer_start(&process->tick_timer, process_on_tick, TICK_MS, TICK_MS);
    return status;
}

static enum status process_watch(struct process *process, uv_poll_t *poll, int fd, uv_poll_cb cb)
{
    if (uv_poll_init(&process->loop, poll, fd) < 0)
        return STATUS_IO;
    poll->data = process;
    return uv_poll_start(poll, UV_READABLE, cb) < 0 ? STATUS_IO : STATUS_OK;
}

/* On failure the process is about to end, and the kernel closes what is open. */
static enum status process_start_loop(struct process *process)
{
    const struct stop_signals_config signals = {&process->loop, process_on_stop, process};

    process->peers = (struct process_peers){
        .loop = &process->loop, .on_last_gone = process_on_last_gone, .owner = process};
    process_peers_init(&process->peers);
    if (uv_loop_init(&process->loop) < 0)
        return STATUS_NOMEM;
    const struct log_watch_config log = {.loop = &process->loop};
    if (stop_signals_start(&process->signals, &signals) != STATUS_OK ||
        log_watch_start(&process->log, &log) != STATUS_OK)
        return STATUS_IO;
    (void)uv_check_init(&process->loop, &process->check);
    process->check.data = process;
    (void)uv_check_start(&process->check, process_on_check);
    (void)uv_timer_init(&process->loop, &process->idle_timer);
    process->idle_timer.data = process;
    (void)uv_timer_init(&process->loop, &process->stop_timer);
    process->stop_timer.data = process;
    (void)uv_timer_init(&process->loop, &process->tick_timer);
    process->tick_timer.data = process;
    enum status status =
        process_watch(process, &process->control, process->config->control_fd, process_on_control);
    if (status == STATUS_OK)
        status = process_watch(process, &process->listener, process->config->listen_fd,
                               process_on_connect);
    return status;
}

static int process_end(struct process *process, int exit_status)
{
    ledger_core_destroy(process->core);
    if (process->store != NULL) {
        store_close(process->store);
        LOG(INFO, "close_file", SUCCESS, LOG_TEXT("file", "bets.csv"));
    }
    draw_fini(&process->draw);
    return exit_status;
}

int ledger_run(const struct ledger_config *config)
{
    struct process process = {.config = config};
    struct errbuf err = {{0}};

    stop_signals_block();
    if (process_start_loop(&process) != STATUS_OK) {
        errbuf_set(&err, "cannot create the event loop");
        ledger_control_tell_reason(config->control_fd, &err);
        return LEDGER_EXIT_NO_START;
    }
    enum status status = process_recover(&process, &err);
    if (status != STATUS_OK)
        process_close(&process);
    (void)uv_run(&process.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&process.loop);
    if (status == STATUS_OK || status == STATUS_STOPPED)
        return process_end(&process, 0);
    ledger_control_tell_reason(config->control_fd, &err);
    return process_end(&process, status == STATUS_GONE ? LEDGER_EXIT_GONE : LEDGER_EXIT_NO_START);
}
