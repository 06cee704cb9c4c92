/* A worker process.
 *
 * Happy path: create a loop and link up with the ledger. When the ledger has told its news, accept
 * connections in turns with the other workers until a signal asks for a stop. When it says that
 * there are winners, send them. At a stop, accept and read no more, let the ledger finish the
 * messages that were taken, answer them, close every connection, end.
 *
 * Failure modes: something is missing at the start: exit status 1, and the supervisor tries again
 * later. The ledger is away: messages wait for it (ledger_client.h); at the start, connections wait
 * in the listening socket's queue. The winners cannot be read: tried again, with backoff and
 * whenever there is news; if their file is lost or damaged, also when some were already sent, the
 * ledger is told, which has it made again.
 * At a stop, a peer does not read its last answers, or the ledger does not end its messages: all is
 * closed after STOP_MS, and those messages get no answer.
 */
#include "worker.h"

#include "clock.h"
#include "echo_conn.h"
#include "ledger_client.h"
#include "listener.h"
#include "log.h"
#include "log_output.h"
#include "log_watch.h"
#include "lottery_conn.h"
#include "past_folders.h"
#include "stop_signals.h"
#include "store_csv.h"
#include "worker_sender.h"

#define STOP_CHECK_MS 5
#define STOP_MS 600 /* then connections are closed, so that a stop takes less than a second */

struct worker {
    const struct worker_config *config;
    uv_loop_t loop;
    struct stream_hub *hub;
    struct ledger_client *ledger; /* NULL in mode echo, and so is the service */
    struct service *service;
    struct lottery_conns lottery_conns; /* what the connections share, by mode */
    struct echo_conns echo_conns;
    struct conn_set conns;
    struct listener listener;
    struct stop_signals signals;
    struct log_watch log; /* writes log lines that stdout did not take at once */
    struct worker_sender senders[STORE_FILES]; /* of what is sent from the draw's files */
    uv_timer_t stop_timer;
    uint64_t stop_until_ms;
    bool is_listening;
    bool is_stopping;
    struct errbuf failure; /* why it cannot go on; empty: it can */
};

static void worker_on_conn_gone(void *owner, struct in6_addr ip)
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
    uv_close((uv_handle_t *)&worker->stop_timer, NULL);
    for (size_t i = 0; i < STORE_FILES; i++)
        worker_sender_close(&worker->senders[i]);
    conn_set_close(&worker->conns);
    if (worker_is_lottery(worker))
        lottery_conns_close(&worker->lottery_conns);
    stop_signals_close(&worker->signals);
    log_watch_close(&worker->log);
    if (worker_is_lottery(worker))
        ledger_client_close(worker->ledger);
    stream_hub_close(worker->hub);
}

/* When the ledger has finished, tells the connections again to stop: now they can send their last
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
    log_output_stop();
    worker->stop_until_ms = clock_monotonic_ms() + STOP_MS;
    if (worker->is_listening)
        listener_close(&worker->listener);
    conn_set_stop(&worker->conns);
    (void)uv_timer_start(&worker->stop_timer, worker_on_stop_check, 0, STOP_CHECK_MS);
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
    worker->is_listening = status == STATUS_OK;
    return status;
}

/* Before the ledger has said how many agencies there are, every agency would be unknown. */
static void worker_on_first_news(struct worker *worker)
{
    if (worker_start_listening(worker, &worker->failure) != STATUS_OK)
        uv_stop(&worker->loop);
}

static void worker_on_damage(void *owner)
{
    struct worker *worker = owner;

    worker_sender_tell_lost(&worker->senders[STORE_WINNERS], worker->ledger);
}

static enum status worker_load_past(void *owner, const char *id, struct past_draw *out,
                                    struct errbuf *err)
{
    const struct worker *worker = owner;

    return past_folders_load(worker->config->base_dir, id, out, err);
}

/* Sends what can be sent: first the seal, and with the winners what the result says. */
static void worker_send(void *owner)
{
    static const enum store_files order[] = {STORE_SEAL, STORE_RESULT, STORE_WINNERS};
    struct worker *worker = owner;

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        worker_sender_run(&worker->senders[order[i]], worker->service, worker->ledger);
}

static void worker_init_senders(struct worker *worker)
{
    const struct worker_sender_config configs[] = {
        {STORE_SEAL, "cierre_enviado", service_send_seals, worker_send, worker},
        {STORE_RESULT, "ganadores_enviados", service_read_result, worker_send, worker},
        {STORE_WINNERS, "ganadores_enviados", service_send_winners, worker_send, worker}};

    for (size_t i = 0; i < STORE_FILES; i++)
        worker_sender_init(&worker->senders[configs[i].files], &worker->loop, &configs[i]);
}

static void worker_on_news(void *owner)
{
    struct worker *worker = owner;

    if (!worker->is_listening && !worker->is_stopping)
        worker_on_first_news(worker);
    worker_send(worker);
}

/* The log lines of many outcomes are written together, before the loop sends any of the answers. */
static void worker_on_batch(void *owner, bool begins)
{
    (void)owner;
    if (begins)
        log_hold();
    else
        log_release();
}

static void worker_start_conns(struct worker *worker, const struct conn_ops *ops, void *context)
{
    const struct worker_config *config = worker->config;

    conn_set_init(&worker->conns, &(struct conn_set_config){
                                      .ops = ops,
                                      .hub = worker->hub,
                                      .tls = config->tls,
                                      .handshake_ms = ms_of_ns(config->settings->handshake_timeout),
                                      .row = &config->scoreboard->row[config->index],
                                      .context = context,
                                      .on_gone = worker_on_conn_gone,
                                      .owner = worker,
                                  });
}

static enum status worker_start_lottery(struct worker *worker, struct errbuf *err)
{
    const struct worker_config *config = worker->config;
    const struct server_settings *settings = config->settings;

    enum status status =
        ledger_client_create(&(struct ledger_client_config){.loop = &worker->loop,
                                                            .address = &config->ledger,
                                                            .address_size = config->ledger_size,
                                                            .encoding = &store_csv_encoding,
                                                            .on_news = worker_on_news,
                                                            .on_batch = worker_on_batch,
                                                            .owner = worker},
                             &worker->ledger, err);
    if (status != STATUS_OK)
        return status;
    struct ledger *ledger = ledger_client_base(worker->ledger);
    status = service_create(
        &(struct service_config){.ledger = ledger,
                                 .ops = config->data_dir->ops,
                                 .dir_fd = config->data_dir->fd,
                                 .on_damage = worker_on_damage,
                                 .owner = worker,
                                 .row = &config->scoreboard->row[config->index],
                                 .load_past = config->base_dir != NULL ? worker_load_past : NULL},
        &worker->service);
    if (status != STATUS_OK) {
        errbuf_set(err, "%s", status_text(status));
        return status;
    }
    lottery_conns_init(&worker->lottery_conns,
                       &(struct lottery_conns_config){
                           .loop = &worker->loop,
                           .service = worker->service,
                           .ledger = ledger,
                           .handshake_ms = ms_of_ns(settings->handshake_timeout),
                           .frame_ms = ms_of_ns(settings->frame_timeout),
                           .idle_ms = ms_of_ns(settings->idle_timeout),
                           .buffered_max = settings->max_buffered,
                       });
    worker_start_conns(worker, &lottery_conn_ops, &worker->lottery_conns);
    return STATUS_OK;
}

static enum status worker_start_echo(struct worker *worker, struct errbuf *err)
{
    worker->echo_conns.timeout_ms = ms_of_ns(worker->config->settings->idle_timeout);
    worker_start_conns(worker, &echo_conn_ops, &worker->echo_conns);
    return worker_start_listening(worker, err);
}

/* Connections that are not read from because the log is full go on. */
static void worker_on_log_room(void *context)
{
    struct worker *worker = context;

    if (worker_is_lottery(worker))
        lottery_conns_wake(&worker->lottery_conns);
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
    worker_init_senders(worker);
    const struct stop_signals_config signals = {&worker->loop, worker_on_stop, worker};
    status = stop_signals_start(&worker->signals, &signals);
    if (status != STATUS_OK) {
        errbuf_set(err, "cannot watch the signals");
        return status;
    }
    const struct log_watch_config log = {&worker->loop, worker_on_log_room, worker};
    status = log_watch_start(&worker->log, &log);
    if (status != STATUS_OK) {
        errbuf_set(err, "cannot watch the log");
        return status;
    }
    return worker_is_lottery(worker) ? worker_start_lottery(worker, err)
                                     : worker_start_echo(worker, err);
}

/* Logs why the worker cannot start. The process is about to end, and the kernel closes what is
 * open. */
static int worker_fail(uint32_t index, const char *reason)
{
    LOG(ERROR, "worker", FAIL, LOG_UINT("worker", index), LOG_TEXT("reason", reason));
    return 1;
}

int worker_run(const struct worker_config *config)
{
    static struct worker worker; /* big, and there is one in a process */

    worker.config = config;
    if (uv_loop_init(&worker.loop) < 0)
        return worker_fail(config->index, "cannot create the event loop");
    if (worker_start(&worker, &worker.failure) != STATUS_OK)
        return worker_fail(config->index, worker.failure.text);
    (void)uv_run(&worker.loop, UV_RUN_DEFAULT);
    if (worker.failure.text[0] != '\0')
        return worker_fail(config->index, worker.failure.text);

    service_destroy(worker.service);
    if (uv_loop_close(&worker.loop) != 0)
        return worker_fail(config->index, "handles left open");
    return 0;
}
