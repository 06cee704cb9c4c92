/* The observer.
 *
 * Happy path: create a loop, link up with the ledger, and answer requests from what is known at
 * that moment. When the supervisor begins to stop the others, give the link up, for which the
 * ledger waits otherwise, and say in answers that the server stops. At a signal, answer what is in
 * hand and end.
 *
 * Failure modes: the ledger is away or recovers: its client connects again, and meanwhile the last
 * news counts. Something is missing at the start: exit status 1, and the supervisor tries again
 * later; nobody else notices. HTTP: see http.c.
 */
#include "observer.h"

#include "http.h"
#include "ledger_client.h"
#include "log.h"
#include "log_output.h"
#include "log_watch.h"
#include "page.h"
#include "stop_signals.h"

struct observer {
    const struct observer_config *config;
    uv_loop_t loop;
    struct ledger_client *client; /* NULL in mode echo, and while the server stops */
    struct ledger_news last_news; /* once the client is gone */
    struct http http;
    struct stop_signals signals;
    struct log_watch log; /* writes log lines that stdout did not take at once */
    uv_poll_t stop;       /* of stop_fd */
    bool is_stopping;     /* the server is */
    bool is_ending;       /* this process is */
};

/* The link is open, and something was told over it. */
static void observer_on_news(void *owner)
{
    (void)owner;
}

static void observer_answer(void *owner, const struct request *request, struct answer *out)
{
    const struct observer *self = owner;
    const struct observer_config *config = self->config;
    const struct ledger_news *news = NULL;

    if (config->ledger_size > 0)
        news =
            self->client != NULL ? ledger_news(ledger_client_base(self->client)) : &self->last_news;
    routes_answer(
        &(struct observer_view){
            .settings = config->settings,
            .scoreboard = config->scoreboard,
            .news = news,
            .has_ledger = self->client != NULL && ledger_client_is_linked(self->client),
            .is_stopping = self->is_stopping,
            .started_s = config->started_s,
        },
        request, out);
}

static void observer_drop_link(struct observer *self)
{
    if (self->client == NULL)
        return;
    self->last_news = *ledger_news(ledger_client_base(self->client));
    ledger_client_close(self->client);
    self->client = NULL;
}

static void observer_on_server_stops(uv_poll_t *poll, int code, int poll_events)
{
    struct observer *self = poll->data;

    (void)code;
    (void)poll_events;
    self->is_stopping = true;
    (void)uv_poll_stop(poll);
    observer_drop_link(self);
}

static void observer_on_stop(void *context)
{
    struct observer *self = context;

    if (self->is_ending)
        return;
    self->is_ending = true;
    self->is_stopping = true;
    log_output_stop();
    observer_drop_link(self);
    http_stop(&self->http);
    uv_close((uv_handle_t *)&self->stop, NULL);
    stop_signals_close(&self->signals);
    log_watch_close(&self->log);
}

static enum status observer_watch_stop(struct observer *self)
{
    if (uv_poll_init(&self->loop, &self->stop, self->config->stop_fd) < 0)
        return STATUS_IO;
    self->stop.data = self;
    return uv_poll_start(&self->stop, UV_READABLE, observer_on_server_stops) < 0 ? STATUS_IO
                                                                                 : STATUS_OK;
}

static enum status observer_watch(struct observer *self, struct errbuf *err)
{
    const struct stop_signals_config signals = {&self->loop, observer_on_stop, self};

    errbuf_set(err, "cannot watch the signals");
    if (stop_signals_start(&self->signals, &signals) != STATUS_OK ||
        observer_watch_stop(self) != STATUS_OK)
        return STATUS_IO;
    errbuf_set(err, "cannot watch the log");
    return log_watch_start(&self->log, &(struct log_watch_config){.loop = &self->loop});
}

static enum status observer_link(struct observer *self, struct errbuf *err)
{
    if (self->config->ledger_size == 0)
        return STATUS_OK;
    return ledger_client_create(
        &(struct ledger_client_config){
            .loop = &self->loop,
            .address = &self->config->ledger,
            .address_size = self->config->ledger_size,
            .on_news = observer_on_news,
            .owner = self,
        },
        &self->client, err);
}

static enum status observer_start(struct observer *self, struct errbuf *err)
{
    enum status status = observer_watch(self, err);
    if (status == STATUS_OK)
        status = observer_link(self, err);
    if (status != STATUS_OK)
        return status;
    status = page_init();
    if (status == STATUS_OK)
        status = http_start(&self->http, &(struct http_config){.loop = &self->loop,
                                                               .listen_fd = self->config->http_fd,
                                                               .answer = observer_answer,
                                                               .owner = self});
    if (status != STATUS_OK)
        errbuf_set(err, "HTTP: %s", status_text(status));
    return status;
}

static int observer_fail(const char *reason)
{
    LOG(ERROR, "observer", FAIL, LOG_TEXT("reason", reason));
    return 1;
}

int observer_run(const struct observer_config *config)
{
    static struct observer self; /* big, and there is one in a process */
    struct errbuf err = {{0}};

    self.config = config;
    if (uv_loop_init(&self.loop) < 0)
        return observer_fail("cannot create the event loop");
    if (observer_start(&self, &err) != STATUS_OK)
        return observer_fail(err.text);
    (void)uv_run(&self.loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&self.loop) != 0)
        return observer_fail("handles left open");
    return 0;
}
