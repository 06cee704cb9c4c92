/* A worker process.
 *
 * Happy path: a fresh loop; the store attached; connections accepted in turns with the other
 * workers until a signal says stop. Then: accept no more, read no more, let the store finish what
 * was read, answer it, close every connection, end.
 *
 * Failure modes: something is missing at the start: exit status 1, and the supervisor tries again
 * later. A sync fails: the process ends at once (store_failure.h). A peer does not read its last
 * answers: it is closed when STOP_MS are over.
 */
#include "worker.h"

#include "clock.h"
#include "echo_conn.h"
#include "listener.h"
#include "log.h"
#include "lottery_conn.h"
#include "raffle_client.h"
#include "stop_signals.h"
#include "store_failure.h"

#include <string.h>

#define STOP_CHECK_MS 5
#define STOP_MS 600 /* with the lingering of streams cut short, a stop stays within a second */

struct worker {
    const struct worker_job *job;
    uv_loop_t loop;
    struct stream_hub *hub;
    struct store *store; /* NULL in mode echo, as the next two */
    struct service *service;
    struct raffle_client raffle;
    struct lottery_conns lottery_conns; /* what the connections share, by mode */
    struct echo_conns echo_conns;
    struct conn_set conns;
    struct listener listener;
    struct stop_signals signals;
    uv_timer_t stop_timer;
    uint64_t stop_until_ms;
    bool is_stopping;
};

static void on_waiting(void *owner, uint32_t agency, uint64_t total)
{
    struct worker *worker = owner;

    raffle_client_send_finished(&worker->raffle, agency, total);
}

static void worker_on_raffle_open(void *owner)
{
    struct worker *worker = owner;

    service_report_waiting(worker->service);
}

static bool worker_on_drawn(void *owner)
{
    struct worker *worker = owner;
    struct errbuf err = {{0}};

    if (service_send_winners(worker->service, &err) == STATUS_OK)
        return true;
    LOG(ERROR, "ganadores_enviados", FAIL, LOG_TEXT("reason", err.text));
    return false;
}

static const struct service_events service_events = {.waiting = on_waiting};

static void on_conn_gone(void *owner, struct in_addr ip)
{
    struct worker *worker = owner;

    listener_gone(&worker->listener, ip);
}

static bool is_lottery(const struct worker *worker)
{
    return worker->job->data_dir != NULL;
}

static void close_all(struct worker *worker)
{
    (void)uv_timer_stop(&worker->stop_timer);
    uv_close((uv_handle_t *)&worker->stop_timer, NULL);
    conn_set_close(&worker->conns);
    stop_signals_close(&worker->signals);
    if (is_lottery(worker)) {
        raffle_client_close(&worker->raffle);
        store_csv_detach(worker->store);
        LOG(INFO, "close_file", SUCCESS, LOG_TEXT("file", "bets.csv"),
            LOG_UINT("worker", worker->job->index));
    }
    stream_hub_close(worker->hub);
}

/* Once everything that was read is stored, the connections can say their last words. */
static void on_stop_check(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    if (!is_lottery(worker) || service_outstanding(worker->service) == 0)
        conn_set_stop(&worker->conns);
    if (worker->conns.count == 0 || clock_monotonic_ms() >= worker->stop_until_ms)
        close_all(worker);
}

static void on_stop(void *context)
{
    struct worker *worker = context;

    if (worker->is_stopping)
        return;
    worker->is_stopping = true;
    worker->stop_until_ms = clock_monotonic_ms() + STOP_MS;
    listener_close(&worker->listener);
    conn_set_stop(&worker->conns);
    (void)uv_timer_start(&worker->stop_timer, on_stop_check, 0, STOP_CHECK_MS);
}

static void start_conns(struct worker *worker, const struct conn_ops *ops, void *context)
{
    conn_set_init(&worker->conns, &(struct conn_set_config){.ops = ops,
                                                            .hub = worker->hub,
                                                            .context = context,
                                                            .on_gone = on_conn_gone,
                                                            .owner = worker});
}

static enum status start_lottery(struct worker *worker, struct errbuf *err)
{
    const struct worker_job *job = worker->job;
    const struct server_settings *settings = job->settings;

    enum status status =
        store_csv_attach(job->data_dir, &worker->loop, store_failed, &worker->store, err);
    if (status != STATUS_OK)
        return status;
    status = service_create(&(struct service_config){.store = worker->store,
                                                     .events = &service_events,
                                                     .owner = worker},
                            &worker->service);
    if (status != STATUS_OK) {
        errbuf_set(err, "%s", status_text(status));
        return status;
    }
    lottery_conns_init(&worker->lottery_conns,
                       &(struct lottery_conns_config){
                           .service = worker->service,
                           .store = worker->store,
                           .handshake_ms = (uint64_t)(settings->handshake_timeout / NS_PER_MS),
                           .frame_ms = (uint64_t)(settings->frame_timeout / NS_PER_MS),
                           .idle_ms = (uint64_t)(settings->idle_timeout / NS_PER_MS),
                           .buffered_max = settings->max_buffered,
                       });
    start_conns(worker, &lottery_conn_ops, &worker->lottery_conns);
    raffle_client_start(&worker->raffle, &(struct raffle_client_config){
                                             .hub = worker->hub,
                                             .address = &job->coordinator,
                                             .address_size = job->coordinator_size,
                                             .on_open = worker_on_raffle_open,
                                             .on_drawn = worker_on_drawn,
                                             .owner = worker,
                                         });
    return STATUS_OK;
}

static void start_echo(struct worker *worker)
{
    worker->echo_conns.timeout_ms = (uint64_t)(worker->job->settings->idle_timeout / NS_PER_MS);
    start_conns(worker, &echo_conn_ops, &worker->echo_conns);
}

static enum status start_listening(struct worker *worker, struct errbuf *err)
{
    const struct worker_job *job = worker->job;

    enum status status = listener_start(
        &worker->listener, &worker->loop,
        &(struct listener_config){.scoreboard = job->scoreboard,
                                  .worker = job->index,
                                  .conns = &worker->conns,
                                  .fd = job->listen_fd,
                                  .max_connections = job->settings->max_connections,
                                  .max_per_ip = job->settings->max_connections_per_ip});
    if (status != STATUS_OK)
        errbuf_set(err, "the listening socket can not be watched");
    return status;
}

static enum status start(struct worker *worker, struct errbuf *err)
{
    enum status status = stream_hub_create(&worker->loop, &worker->hub);
    if (status != STATUS_OK) {
        errbuf_set(err, "%s", status_text(status));
        return status;
    }
    (void)uv_timer_init(&worker->loop, &worker->stop_timer);
    worker->stop_timer.data = worker;
    const struct stop_signals_config signals = {&worker->loop, on_stop, worker};
    status = stop_signals_start(&worker->signals, &signals);
    if (status != STATUS_OK) {
        errbuf_set(err, "signals can not be watched");
        return status;
    }
    if (is_lottery(worker))
        status = start_lottery(worker, err);
    else
        start_echo(worker);
    if (status == STATUS_OK)
        status = start_listening(worker, err);
    return status;
}

/* A start that failed halfway: the process is about to end, and the kernel closes what is open. */
static int give_up(uint32_t index, const char *reason)
{
    LOG(ERROR, "worker", FAIL, LOG_UINT("worker", index), LOG_TEXT("reason", reason));
    return 1;
}

int worker_run(const struct worker_job *job)
{
    static struct worker worker; /* big, and there is one in a process */
    struct errbuf err = {{0}};

    worker.job = job;
    if (uv_loop_init(&worker.loop) < 0)
        return give_up(job->index, "no loop");
    if (start(&worker, &err) != STATUS_OK)
        return give_up(job->index, err.text);
    (void)uv_run(&worker.loop, UV_RUN_DEFAULT);

    service_destroy(worker.service);
    if (uv_loop_close(&worker.loop) != 0)
        return give_up(job->index, "handles left open");
    return 0;
}
