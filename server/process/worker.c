/* A worker process.
 *
 * Happy path: create a loop, attach to the store, accept connections in turns with the other
 * workers until a signal asks for a stop. Then stop accepting and reading, let the store finish the
 * messages that were read, answer them, close every connection, end.
 *
 * Failure modes: something is missing at the start: exit status 1, and the supervisor tries again
 * later. A sync fails: the process ends at once (store_failure.h). A peer does not read its last
 * answers: it is closed after STOP_MS.
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
#define STOP_MS 600 /* then connections are closed, so that a stop takes less than a second */

struct worker {
    const struct worker_config *config;
    uv_loop_t loop;
    struct stream_hub *hub;
    struct store *store; /* NULL in mode echo; the next two are unused there */
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

static void worker_on_waiting(void *owner, uint32_t agency, uint64_t total)
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

static const struct service_events worker_service_events = {.waiting = worker_on_waiting};

static void worker_on_conn_gone(void *owner, struct in_addr ip)
{
    struct worker *worker = owner;

    listener_gone(&worker->listener, ip);
}

static bool worker_is_lottery(const struct worker *worker)
{
    return worker->config->data_dir != NULL;
}

static void worker_close_all(struct worker *worker)
{
    (void)uv_timer_stop(&worker->stop_timer);
    uv_close((uv_handle_t *)&worker->stop_timer, NULL);
    conn_set_close(&worker->conns);
    stop_signals_close(&worker->signals);
    if (worker_is_lottery(worker)) {
        raffle_client_close(&worker->raffle);
        store_csv_detach(worker->store);
        LOG(INFO, "close_file", SUCCESS, LOG_TEXT("file", "bets.csv"),
            LOG_UINT("worker", worker->config->index));
    }
    stream_hub_close(worker->hub);
}

/* When the store has finished, tells the connections again to stop: now they can send their last
 * answers and close. */
static void worker_on_stop_check(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    if (!worker_is_lottery(worker) || service_outstanding(worker->service) == 0)
        conn_set_stop(&worker->conns);
    if (worker->conns.count == 0 || clock_monotonic_ms() >= worker->stop_until_ms)
        worker_close_all(worker);
}

static void worker_on_stop(void *context)
{
    struct worker *worker = context;

    if (worker->is_stopping)
        return;
    worker->is_stopping = true;
    worker->stop_until_ms = clock_monotonic_ms() + STOP_MS;
    listener_close(&worker->listener);
    conn_set_stop(&worker->conns);
    (void)uv_timer_start(&worker->stop_timer, worker_on_stop_check, 0, STOP_CHECK_MS);
}

static void worker_start_conns(struct worker *worker, const struct conn_ops *ops, void *context)
{
    conn_set_init(&worker->conns, &(struct conn_set_config){.ops = ops,
                                                            .hub = worker->hub,
                                                            .context = context,
                                                            .on_gone = worker_on_conn_gone,
                                                            .owner = worker});
}

static enum status worker_start_lottery(struct worker *worker, struct errbuf *err)
{
    const struct worker_config *config = worker->config;
    const struct server_settings *settings = config->settings;

    enum status status =
        store_csv_attach(config->data_dir, &worker->loop, store_failed, &worker->store, err);
    if (status != STATUS_OK)
        return status;
    status = service_create(&(struct service_config){.store = worker->store,
                                                     .events = &worker_service_events,
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
    worker_start_conns(worker, &lottery_conn_ops, &worker->lottery_conns);
    raffle_client_start(&worker->raffle, &(struct raffle_client_config){
                                             .hub = worker->hub,
                                             .address = &config->coordinator,
                                             .address_size = config->coordinator_size,
                                             .on_open = worker_on_raffle_open,
                                             .on_drawn = worker_on_drawn,
                                             .owner = worker,
                                         });
    return STATUS_OK;
}

static void worker_start_echo(struct worker *worker)
{
    worker->echo_conns.timeout_ms = (uint64_t)(worker->config->settings->idle_timeout / NS_PER_MS);
    worker_start_conns(worker, &echo_conn_ops, &worker->echo_conns);
}

static enum status worker_start_listening(struct worker *worker, struct errbuf *err)
{
    const struct worker_config *config = worker->config;

    enum status status = listener_start(
        &worker->listener, &worker->loop,
        &(struct listener_config){.scoreboard = config->scoreboard,
                                  .worker = config->index,
                                  .conns = &worker->conns,
                                  .fd = config->listen_fd,
                                  .max_connections = config->settings->max_connections,
                                  .max_per_ip = config->settings->max_connections_per_ip});
    if (status != STATUS_OK)
        errbuf_set(err, "cannot watch the listening socket");
    return status;
}

static enum status worker_start(struct worker *worker, struct errbuf *err)
{
    enum status status = stream_hub_create(&worker->loop, &worker->hub);
    if (status != STATUS_OK) {
        errbuf_set(err, "%s", status_text(status));
        return status;
    }
    (void)uv_timer_init(&worker->loop, &worker->stop_timer);
    worker->stop_timer.data = worker;
    const struct stop_signals_config signals = {&worker->loop, worker_on_stop, worker};
    status = stop_signals_start(&worker->signals, &signals);
    if (status != STATUS_OK) {
        errbuf_set(err, "cannot watch the signals");
        return status;
    }
    if (worker_is_lottery(worker))
        status = worker_start_lottery(worker, err);
    else
        worker_start_echo(worker);
    if (status == STATUS_OK)
        status = worker_start_listening(worker, err);
    return status;
}

/* Logs that the start failed halfway. The process is about to end, and the kernel closes what is
 * open. */
static int worker_fail(uint32_t index, const char *reason)
{
    LOG(ERROR, "worker", FAIL, LOG_UINT("worker", index), LOG_TEXT("reason", reason));
    return 1;
}

int worker_run(const struct worker_config *config)
{
    static struct worker worker; /* big, and there is one in a process */
    struct errbuf err = {{0}};

    worker.config = config;
    if (uv_loop_init(&worker.loop) < 0)
        return worker_fail(config->index, "cannot create the event loop");
    if (worker_start(&worker, &err) != STATUS_OK)
        return worker_fail(config->index, err.text);
    (void)uv_run(&worker.loop, UV_RUN_DEFAULT);

    service_destroy(worker.service);
    if (uv_loop_close(&worker.loop) != 0)
        return worker_fail(config->index, "handles left open");
    return 0;
}
