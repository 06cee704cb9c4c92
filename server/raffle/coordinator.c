/* The coordinator.
 *
 * Happy path: workers connect; each message from them makes it check the store; when every agency
 * has finished, the draw takes place (draw_job.h) and every worker is notified.
 *
 * Failure modes: killed at any point: the outcome is saved in one step, so the next coordinator
 * finds either an outcome, and only notifies the workers, or none, and holds the draw. The draw
 * fails: logged, tried again with backoff. A sync fails: the process ends (store_failure.h).
 */
#include "coordinator.h"

#include "assertion.h"
#include "backoff.h"
#include "draw_job.h"
#include "log.h"
#include "stop_signals.h"
#include "store_failure.h"
#include "worker_links.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST_RETRY_MS 1000
#define MAX_RETRY_MS 30000
#define REST_MS 1000

enum coordinator_state {
    COORDINATOR_WATCHING, /* each message from a worker makes it check the store */
    COORDINATOR_DRAWING,  /* a draw job is active */
    COORDINATOR_PAUSING,  /* the last attempt failed; the timer begins the next one */
    COORDINATOR_STOPPING  /* by a signal; it ends once the draw job, if there is one, has ended */
};

struct coordinator {
    enum coordinator_state state;
    const struct coordinator_config *config;
    uv_loop_t loop;
    struct stream_hub *hub; /* of the links */
    struct store *store;
    struct worker_links links;
    struct draw_job draw_job;
    struct backoff backoff; /* of the draw */
    struct stop_signals signals;
    uv_poll_t accept_poll; /* of config->listen_fd */
    uv_timer_t retry;      /* of the draw */
    uv_timer_t rest;       /* a pause in accepting links */
};

static void coordinator_draw(struct coordinator *self);

/* Checks the store: has the draw taken place, is it due, or does it have to wait? */
static void coordinator_reconcile(struct coordinator *self)
{
    if (self->state != COORDINATOR_WATCHING)
        return;
    if (store_has_draw(self->store))
        worker_links_notify(&self->links);
    else if (draw_is_due(store_agencies(self->store), store_finished(self->store)))
        coordinator_draw(self);
}

static void coordinator_on_news(void *owner)
{
    coordinator_reconcile(owner);
}

static void coordinator_on_retry(uv_timer_t *timer)
{
    struct coordinator *self = timer->data;

    self->state = COORDINATOR_WATCHING;
    coordinator_reconcile(self);
}

static void coordinator_detach(struct coordinator *self)
{
    store_csv_detach(self->store);
    LOG(INFO, "close_file", SUCCESS, LOG_TEXT("file", "bets.csv"),
        LOG_TEXT("process", "coordinator"));
}

static void coordinator_on_draw_done(void *owner, enum status status, uint64_t winners,
                                     struct errbuf *err)
{
    struct coordinator *self = owner;

    ASSERT(self->state == COORDINATOR_DRAWING || self->state == COORDINATOR_STOPPING);
    if (status == STATUS_OK)
        LOG(INFO, "sorteo", SUCCESS, LOG_UINT("ganadores", winners));
    else if (status != STATUS_STOPPED)
        LOG(ERROR, "sorteo", FAIL, LOG_TEXT("reason", err->text));
    if (self->state == COORDINATOR_STOPPING) {
        coordinator_detach(self);
    } else if (status == STATUS_OK) {
        self->state = COORDINATOR_WATCHING;
        coordinator_reconcile(self);
    } else {
        self->state = COORDINATOR_PAUSING;
        (void)uv_timer_start(&self->retry, coordinator_on_retry, backoff_next_ms(&self->backoff),
                             0);
    }
}

static void coordinator_draw(struct coordinator *self)
{
    struct errbuf err;

    LOG(INFO, "escrutinio", IN_PROGRESS, LOG_UINT("agencias", store_agencies(self->store)),
        LOG_UINT("ganador", self->config->settings->winner_number));
    self->state = COORDINATOR_DRAWING;
    enum status status = draw_job_start(&self->draw_job);
    if (status != STATUS_OK) {
        errbuf_set(&err, "%s", status_text(status));
        coordinator_on_draw_done(self, status, 0, &err);
    }
}

static void coordinator_on_link_waiting(uv_poll_t *poll, int status, int events);

static void coordinator_on_rested(uv_timer_t *timer)
{
    struct coordinator *self = timer->data;

    (void)uv_poll_start(&self->accept_poll, UV_READABLE, coordinator_on_link_waiting);
}

/* Stops accepting for a moment after a failure: the link that still waits would keep the loop busy.
 */
static void coordinator_rest(struct coordinator *self, const char *reason)
{
    LOG(ERROR, "coordinator", FAIL, LOG_TEXT("reason", reason));
    (void)uv_poll_stop(&self->accept_poll);
    (void)uv_timer_start(&self->rest, coordinator_on_rested, REST_MS, 0);
}

static void coordinator_on_link_waiting(uv_poll_t *poll, int status, int events)
{
    struct coordinator *self = poll->data;

    (void)status;
    (void)events;
    int fd = accept4(self->config->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        worker_links_accept(&self->links, fd);
        /* While it had no link, the worker may have stored a Finished that nobody waits for. */
        coordinator_reconcile(self);
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        coordinator_rest(self, strerror(errno));
    }
}

static void coordinator_on_stop(void *context)
{
    struct coordinator *self = context;

    if (self->state == COORDINATOR_STOPPING)
        return;
    bool is_drawing = self->state == COORDINATOR_DRAWING;
    self->state = COORDINATOR_STOPPING;
    draw_job_cancel(&self->draw_job);
    uv_close((uv_handle_t *)&self->accept_poll, NULL);
    uv_close((uv_handle_t *)&self->retry, NULL);
    uv_close((uv_handle_t *)&self->rest, NULL);
    worker_links_close(&self->links);
    stop_signals_close(&self->signals);
    stream_hub_close(self->hub);
    if (!is_drawing)
        coordinator_detach(self);
}

static enum status coordinator_start(struct coordinator *self, struct errbuf *err)
{
    const struct coordinator_config *config = self->config;

    enum status status = stream_hub_create(&self->loop, &self->hub);
    if (status != STATUS_OK) {
        errbuf_set(err, "%s", status_text(status));
        return status;
    }
    (void)uv_timer_init(&self->loop, &self->retry);
    (void)uv_timer_init(&self->loop, &self->rest);
    self->retry.data = self;
    self->rest.data = self;
    self->backoff = (struct backoff){FIRST_RETRY_MS, MAX_RETRY_MS, 0};
    worker_links_init(&self->links,
                      &(struct worker_links_config){self->hub, coordinator_on_news, self});
    status = store_csv_attach(config->data_dir, &self->loop, store_failed, &self->store, err);
    if (status != STATUS_OK)
        return status;
    draw_job_init(&self->draw_job, &(struct draw_job_config){
                                       .store = self->store,
                                       .loop = &self->loop,
                                       .winner_number = config->settings->winner_number,
                                       .on_done = coordinator_on_draw_done,
                                       .owner = self,
                                   });
    const struct stop_signals_config signals = {&self->loop, coordinator_on_stop, self};
    if (stop_signals_start(&self->signals, &signals) != STATUS_OK ||
        uv_poll_init(&self->loop, &self->accept_poll, config->listen_fd) < 0 ||
        uv_poll_start(&self->accept_poll, UV_READABLE, coordinator_on_link_waiting) < 0) {
        errbuf_set(err, "cannot watch the signals or the links");
        return STATUS_IO;
    }
    self->accept_poll.data = self;
    coordinator_reconcile(self);
    return STATUS_OK;
}

static int coordinator_fail(const char *reason)
{
    LOG(ERROR, "coordinator", FAIL, LOG_TEXT("reason", reason));
    return 1;
}

/* Gives the draw one thread per core. libuv's pool has four threads unless that is set before its
 * first work. */
static void coordinator_size_thread_pool(void)
{
    char count[16];

    (void)snprintf(count, sizeof(count), "%u", uv_available_parallelism());
    (void)setenv("UV_THREADPOOL_SIZE", count, 0);
}

int coordinator_run(const struct coordinator_config *config)
{
    static struct coordinator self; /* big, and there is one in a process */
    struct errbuf err = {{0}};

    coordinator_size_thread_pool();
    self.config = config;
    if (uv_loop_init(&self.loop) < 0)
        return coordinator_fail("cannot create the event loop");
    if (coordinator_start(&self, &err) != STATUS_OK)
        return coordinator_fail(err.text);
    (void)uv_run(&self.loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&self.loop) != 0)
        return coordinator_fail("handles left open");
    return 0;
}
