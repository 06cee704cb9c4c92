/* The coordinator.
 *
 * Happy path: the news of the ledger says where the draw is. When all agencies have finished, it
 * asks the ledger to close the draw; then it has the files made that are due, seal, winners and
 * result (scan_job.h), and hands in what is in them. In a manual draw the operator may close
 * earlier, and gives the number (operator.h). coordinator_core.h decides; what is here does it.
 *
 * Failure modes: killed at any point: the records of the ledger say how far the draw is, and the
 * next coordinator goes on from there. An attempt fails: logged, tried again with backoff, but for
 * an operator's number, which he gives again. The ledger ends: its client connects to the next one.
 * Files are lost: made again from the bets.
 */
#include "coordinator.h"

#include "backoff.h"
#include "coordinator_core.h"
#include "ledger_client.h"
#include "log.h"
#include "log_output.h"
#include "log_watch.h"
#include "operator.h"
#include "scan_job.h"
#include "signing_key.h"
#include "stop_signals.h"

#include <limits.h>
#include <stdio.h>

#define FIRST_RETRY_MS 1000
#define MAX_RETRY_MS 30000

struct coordinator {
    const struct coordinator_config *config;
    uv_loop_t loop;
    struct ledger_client *client;
    struct coordinator_core core;
    struct scan_job scan_job;
    struct ledger_op op; /* of the step that is begun: close, submit or confirm */
    struct backoff backoff;
    struct operator operator;
    char socket[PATH_MAX]; /* of the operator */
    struct signing_key key;
    struct stop_signals signals;
    struct log_watch log; /* writes log lines that stdout did not take at once */
    uv_timer_t pause;
    bool is_stopping; /* by a signal: what ends now decides nothing */
};

static void coordinator_follow(struct coordinator *self, struct coordinator_decision decision,
                               const struct errbuf *err);

static const struct ledger_news *coordinator_news(const struct coordinator *self)
{
    return ledger_news(ledger_client_base(self->client));
}

/* The step that was begun has ended. */
static void coordinator_on_end(struct coordinator *self, enum status status,
                               const struct scan_outcome *outcome, const struct errbuf *err)
{
    if (!self->is_stopping)
        coordinator_follow(
            self, coordinator_core_on_end(&self->core, coordinator_news(self), status, outcome),
            err);
}

static void coordinator_on_news(void *owner)
{
    struct coordinator *self = owner;
    const struct ledger_news *news = coordinator_news(self);
    const struct errbuf err = {{0}};

    if (self->is_stopping)
        return;
    if (news->terms.has_seal)
        signing_key_prepare(&self->key, news->is_sealed);
    operator_on_news(&self->operator);
    coordinator_follow(self, coordinator_core_on_news(&self->core, news), &err);
}

static const char *coordinator_refuses_number(void *owner)
{
    const struct coordinator *self = owner;

    return coordinator_core_refusal(&self->core, coordinator_news(self));
}

static void coordinator_give_number(void *owner, const struct draw_order *order)
{
    struct coordinator *self = owner;
    const struct errbuf err = {{0}};

    coordinator_follow(self, coordinator_core_on_order(&self->core, coordinator_news(self), order),
                       &err);
}

static const char *coordinator_vkey(void *owner)
{
    const struct coordinator *self = owner;

    return self->key.vkey[0] != '\0' ? self->key.vkey : NULL;
}

static void coordinator_on_pause_end(uv_timer_t *timer)
{
    struct coordinator *self = timer->data;
    const struct errbuf err = {{0}};

    coordinator_follow(self, coordinator_core_on_pause_end(&self->core, coordinator_news(self)),
                       &err);
}

static void coordinator_on_op_done(struct ledger_op *op)
{
    struct coordinator *self = LIST_ITEM(op, struct coordinator, op);
    struct errbuf err;

    errbuf_set(&err, "%s: %s",
               self->core.busy == COORDINATOR_CLOSE ? "the draw cannot be closed"
                                                    : "the outcome cannot be stored",
               status_text(op->status));
    coordinator_on_end(self, op->status, NULL, &err);
}

/* The operation, ready to be submitted. */
static struct ledger_op *coordinator_op(struct coordinator *self)
{
    self->op = (struct ledger_op){.done = coordinator_on_op_done};
    return &self->op;
}

static void coordinator_open_files(void *owner, struct ledger_op *op, enum store_files files,
                                   size_t count)
{
    ledger_client_open_files(((struct coordinator *)owner)->client, op, files, count);
}

static void coordinator_take_files(void *owner, int *fds, size_t count)
{
    ledger_client_take_fds(((struct coordinator *)owner)->client, fds, count);
}

static void coordinator_on_job_done(void *owner, enum status status,
                                    const struct scan_outcome *outcome, struct errbuf *err)
{
    coordinator_on_end(owner, status, outcome, err);
}

/* The number that the draw has, or will have, who gave it, and where it is from. */
static struct draw_drawn coordinator_number(const struct coordinator *self)
{
    const struct ledger_news *news = coordinator_news(self);
    const struct draw_order *order = &self->core.order;

    if (news->phase == DRAW_DRAWN)
        return news->drawn;
    if (news->terms.mode == DRAW_AUTO)
        return (struct draw_drawn){.winner_number = news->winner_number};
    return (struct draw_drawn){.winner_number = order->number,
                               .uid = order->uid,
                               .source = {order->source, order->source_size}};
}

static void coordinator_start_job(struct coordinator *self, enum store_files files)
{
    const struct ledger_news *news = coordinator_news(self);
    const struct draw_drawn number = coordinator_number(self);

    if (files == STORE_WINNERS)
        LOG(INFO, "escrutinio", IN_PROGRESS, LOG_UINT("agencias", news->agencies),
            LOG_UINT("ganador", number.winner_number));
    else if (files == STORE_SEAL)
        LOG(INFO, "sello", IN_PROGRESS, LOG_UINT("agencias", news->agencies));
    if (files != STORE_WINNERS) /* it is signed; an attempt may have come before there was a key */
        signing_key_prepare(&self->key, news->is_sealed);
    scan_job_start(&self->scan_job, files, news, &number);
}

static void coordinator_start_check(struct coordinator *self, enum store_files files)
{
    struct errbuf err = {{0}};

    enum status status = scan_job_check(&self->scan_job, files, coordinator_news(self), &err);
    if (status != STATUS_OK)
        coordinator_on_end(self, status, NULL, &err);
}

/* Hands in what a job has found, is_new, or what a check has found right. */
static void coordinator_hand_in(struct coordinator *self, enum store_files files, bool is_new)
{
    const struct scan_outcome *outcome = &self->core.outcome;
    struct ledger_op *op = coordinator_op(self);
    enum status status = STATUS_NOMEM;
    struct errbuf err;

    switch (files) {
    case STORE_WINNERS:
        status = ledger_client_draw(self->client, op, &outcome->drawn, is_new);
        break;
    case STORE_SEAL:
        status = ledger_client_seal(self->client, op, &outcome->sealed, is_new);
        break;
    case STORE_RESULT:
        status = ledger_client_result(self->client, op, is_new);
        break;
    case STORE_FILES:
        break;
    }
    if (status == STATUS_OK)
        return;
    errbuf_set(&err, "the outcome cannot be handed in: %s", status_text(status));
    coordinator_on_end(self, status, NULL, &err);
}

static void coordinator_log(enum coordinator_note note, enum store_files files,
                            const struct errbuf *err)
{
    static const char *const attempts[STORE_FILES] = {
        [STORE_WINNERS] = "sorteo", [STORE_SEAL] = "sello", [STORE_RESULT] = "resultado"};
    static const char *const recoveries[STORE_FILES] = {[STORE_WINNERS] = "recover_winners",
                                                        [STORE_SEAL] = "recover_seal",
                                                        [STORE_RESULT] = "recover_result"};

    switch (note) {
    case COORDINATOR_NOTE_NONE:
        break;
    case COORDINATOR_NOTE_FAILED:
        LOG(ERROR, attempts[files], FAIL, LOG_TEXT("reason", err->text));
        break;
    case COORDINATOR_NOTE_LOST:
        LOG(WARNING, recoveries[files], IN_PROGRESS, LOG_TEXT("reason", err->text));
        break;
    case COORDINATOR_NOTE_DIFFERENT:
        LOG(ERROR, recoveries[files], FAIL,
            LOG_TEXT("reason",
                     files == STORE_SEAL
                         ? "bets.csv has other bets than were sealed: stop the server and "
                           "restore the data directory from a copy"
                         : "bets.csv has other winners than were drawn: stop the server "
                           "and restore the data directory from a copy"));
        break;
    case COORDINATOR_NOTE_TROUBLE:
        LOG(ERROR, recoveries[files], FAIL, LOG_TEXT("reason", err->text));
        break;
    }
}

/* Does what the core has decided; `err` is why what has ended failed. */
static void coordinator_follow(struct coordinator *self, struct coordinator_decision decision,
                               const struct errbuf *err)
{
    coordinator_log(decision.note, decision.files, err);
    operator_on_order(&self->operator, decision.order, err->text);
    if (decision.has_succeeded)
        backoff_reset(&self->backoff);
    switch (decision.step) {
    case COORDINATOR_WAIT:
        break;
    case COORDINATOR_CLOSE:
        ledger_client_close_draw(self->client, coordinator_op(self), DRAW_BY_ALL_FINISHED, 0);
        break;
    case COORDINATOR_MAKE:
        coordinator_start_job(self, decision.files);
        break;
    case COORDINATOR_CHECK:
        coordinator_start_check(self, decision.files);
        break;
    case COORDINATOR_SUBMIT:
        coordinator_hand_in(self, decision.files, true);
        break;
    case COORDINATOR_CONFIRM:
        coordinator_hand_in(self, decision.files, false);
        break;
    case COORDINATOR_PAUSE:
        (void)uv_timer_start(&self->pause, coordinator_on_pause_end,
                             backoff_next_ms(&self->backoff), 0);
        break;
    }
}

static void coordinator_on_stop(void *context)
{
    struct coordinator *self = context;

    if (self->is_stopping)
        return;
    self->is_stopping = true;
    log_output_stop();
    scan_job_cancel(&self->scan_job);
    operator_close(&self->operator);
    ledger_client_close(self->client);
    uv_close((uv_handle_t *)&self->pause, NULL);
    stop_signals_close(&self->signals);
    log_watch_close(&self->log);
}

static void coordinator_init(struct coordinator *self)
{
    const struct coordinator_config *config = self->config;

    (void)uv_timer_init(&self->loop, &self->pause);
    self->pause.data = self;
    self->backoff = (struct backoff){FIRST_RETRY_MS, MAX_RETRY_MS, 0};
    coordinator_core_init(&self->core);
    signing_key_init(&self->key, config->base_dir, config->seal_key);
    scan_job_init(&self->scan_job, &(struct scan_job_config){
                                       .loop = &self->loop,
                                       .data_dir = config->data_dir,
                                       .scanners = config->scanners,
                                       .key_dir_fd = self->key.dir_fd,
                                       .key_path = self->key.path,
                                       .open_files = coordinator_open_files,
                                       .take_files = coordinator_take_files,
                                       .on_done = coordinator_on_job_done,
                                       .owner = self,
                                   });
}

static enum status coordinator_start_operator(struct coordinator *self, struct errbuf *err)
{
    const struct coordinator_config *config = self->config;

    (void)snprintf(self->socket, sizeof(self->socket), "%s/" CONTROL_SOCKET,
                   config->base_dir->path);
    enum status status = operator_start(&self->operator, &(struct operator_config){
                                            .loop = &self->loop,
                                            .client = self->client,
                                            .data_dir = config->data_dir,
                                            .socket = self->socket,
                                            .supervisor_fd = config->supervisor_fd,
                                            .refuses_number = coordinator_refuses_number,
                                            .give_number = coordinator_give_number,
                                            .vkey = coordinator_vkey,
                                            .owner = self,
                                        });
    if (status != STATUS_OK)
        errbuf_set(err, "the operator's socket: %s", status_text(status));
    return status;
}

static enum status coordinator_start(struct coordinator *self, struct errbuf *err)
{
    const struct stop_signals_config signals = {&self->loop, coordinator_on_stop, self};

    if (stop_signals_start(&self->signals, &signals) != STATUS_OK) {
        errbuf_set(err, "cannot watch the signals");
        return STATUS_IO;
    }
    if (log_watch_start(&self->log, &(struct log_watch_config){.loop = &self->loop}) != STATUS_OK) {
        errbuf_set(err, "cannot watch the log");
        return STATUS_IO;
    }
    enum status status = ledger_client_create(
        &(struct ledger_client_config){
            .loop = &self->loop,
            .address = &self->config->ledger,
            .address_size = self->config->ledger_size,
            .encoding = NULL,
            .on_news = coordinator_on_news,
            .on_batch = NULL,
            .owner = self,
        },
        &self->client, err);
    return status == STATUS_OK ? coordinator_start_operator(self, err) : status;
}

static int coordinator_fail(const char *reason)
{
    LOG(ERROR, "coordinator", FAIL, LOG_TEXT("reason", reason));
    return 1;
}

int coordinator_run(const struct coordinator_config *config)
{
    static struct coordinator self; /* big, and there is one in a process */
    struct errbuf err = {{0}};

    self.config = config;
    if (uv_loop_init(&self.loop) < 0)
        return coordinator_fail("cannot create the event loop");
    coordinator_init(&self);
    if (coordinator_start(&self, &err) != STATUS_OK)
        return coordinator_fail(err.text);
    (void)uv_run(&self.loop, UV_RUN_DEFAULT);
    operator_fini(&self.operator);
    if (uv_loop_close(&self.loop) != 0)
        return coordinator_fail("handles left open");
    return 0;
}
