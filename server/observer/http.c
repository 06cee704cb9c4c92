/* HTTP for the observer.
 *
 * Happy path: a connection is accepted and handed to the library, whose epoll descriptor the loop
 * watches. The library reads a request's head and asks for the answer, sends it, and waits for the
 * next request.
 *
 * Failure modes: a peer is slow, silent or does not read: its connection is cut when its time is
 * over, or earlier if others want the place. It sends what is not HTTP, too long a head: the
 * library answers 400, 414 or 431, and closes. It sends a body: refused, not read, closed. There
 * are no descriptors or no memory for a connection: accepting pauses, or the connection is closed.
 */
#include "http.h"

#include "assertion.h"
#include "clock.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY_MAX 16384 /* bytes of a connection: what its head may need */
#define ACCEPT_MAX 16    /* connections in one turn of the loop */
#define ACCEPT_PAUSE_MS 200
#define SWEEP_MS 500
#define STOP_MS 500
#define STOP_CHECK_MS 5

/* ------------------------------------------------------------------ the library's turn */

static void http_on_again(uv_idle_t *again);

/* Lets it do what it can do now, a step of each connection. If there is more to do, that is for the
 * next turn of the loop, after everything else: a timer without a wait would come before it. */
static void http_run(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    (void)MHD_run(http->daemon);
    /* It has no limits of time, so there is nothing else to wait for. */
    if (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES)
        (void)uv_idle_start(&http->again, http_on_again);
    else
        (void)uv_idle_stop(&http->again);
}

static void http_on_again(uv_idle_t *again)
{
    http_run(again->data);
}

static void http_on_events(uv_poll_t *poll, int code, int poll_events)
{
    (void)code;
    (void)poll_events;
    http_run(poll->data);
}

/* The library finds out, and closes it. */
static void http_cut(const struct http_conn *conn)
{
    (void)shutdown(conn->fd, SHUT_RDWR);
}

/* ------------------------------------------------------------------ requests */

static struct http_conn *http_conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info->socket_context;
}

static struct MHD_Response *http_make_response(struct answer *answer)
{
    struct MHD_Response *response;

    if (answer->fixed.data != NULL)
        return MHD_create_response_from_buffer(
            answer->fixed.size, (void *)(uintptr_t)answer->fixed.data, MHD_RESPMEM_PERSISTENT);
    response = MHD_create_response_from_buffer(answer->body.size, answer->body.data,
                                               MHD_RESPMEM_MUST_FREE);
    if (response != NULL)
        answer->body = (struct buffer){0}; /* it is the response's now */
    return response;
}

static enum MHD_Result http_add_header(struct MHD_Response *response, const char *name,
                                       const char *value)
{
    return value != NULL ? MHD_add_response_header(response, name, value) : MHD_YES;
}

/* MHD_NO: the connection is closed. */
static enum MHD_Result http_send(struct MHD_Connection *connection, struct answer *answer)
{
    struct MHD_Response *response = http_make_response(answer);
    enum MHD_Result result = MHD_NO;

    buffer_fini(&answer->body);
    if (response == NULL)
        return MHD_NO;
    if (http_add_header(response, "Content-Type", answer->type) == MHD_YES &&
        http_add_header(response, "Content-Security-Policy", answer->policy) == MHD_YES &&
        http_add_header(response, "Allow", answer->allow) == MHD_YES &&
        http_add_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES &&
        http_add_header(response, "Cache-Control", "no-store") == MHD_YES)
        result = MHD_queue_response(connection, answer->code, response);
    MHD_destroy_response(response);
    return result;
}

/* Looks at one line of the head. */
static enum MHD_Result http_on_header(void *owner, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct request *request = owner;

    (void)kind;
    if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0)
        request->has_host = true;
    /* Two that differ are as bad as one that is not 0. */
    if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0 ||
        (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 && strcmp(value, "0") != 0))
        request->has_body = true;
    return MHD_YES;
}

/* Called twice for a request: when its head is there, and when all of it is. An answer to the first
 * call makes the library read no further, and close the connection. */
static enum MHD_Result http_on_request(void *owner, struct MHD_Connection *connection,
                                       const char *url, const char *method, const char *version,
                                       const char *upload, size_t *upload_size, void **context)
{
    const struct http *http = owner;
    const bool is_first = *context == NULL;
    struct request request = {.method = method, .path = url};
    struct answer answer;

    (void)upload;
    *context = owner;
    if (is_first)
        http_conn_on_head(http_conn_of(connection), clock_monotonic_ms());
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, http_on_header, &request);
    request.has_host |= strcmp(version, MHD_HTTP_VERSION_1_0) == 0; /* which has none */
    /* What is wrong with a head is answered at once: then the library reads no further. */
    if ((is_first && request.has_host && !request.has_body) || *upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    http->config.answer(http->config.owner, &request, &answer);
    return http_send(connection, &answer);
}

static void http_on_answered(void *owner, struct MHD_Connection *connection, void **context,
                             enum MHD_RequestTerminationCode how)
{
    (void)owner;
    (void)how;
    *context = NULL;
    http_conn_on_answered(http_conn_of(connection), clock_monotonic_ms());
}

/* ------------------------------------------------------------------ connections */

static void http_on_connection(void *owner, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode what)
{
    struct http *http = owner;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct http_conn *conn = http_conns_find(&http->conns, info->connect_fd);
        ASSERT(conn != NULL);
        conn->is_started = true;
        *context = conn;
        return;
    }
    http_conns_remove(&http->conns, *context);
}

static void http_on_sweep(uv_timer_t *timer)
{
    const struct http *http = timer->data;
    const uint64_t now_ms = clock_monotonic_ms();

    for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
        const struct http_conn *conn = &http->conns.items[i];
        if (conn->is_used && conn->until_ms <= now_ms)
            http_cut(conn);
    }
    if (http->conns.count == 0)
        (void)uv_timer_stop(timer);
}

/* Hands a new connection to the library, which owns the descriptor from then on. Later releases
 * begin with it only when they run; if they cannot, they close it and say nothing. */
static void http_add(struct http *http, int fd, const struct sockaddr *address, socklen_t size)
{
    if (http->conns.count == HTTP_CONNS_MAX) {
        http_cut(http_conns_oldest(&http->conns));
        http_run(http);
    }
    struct http_conn *conn = http_conns_add(&http->conns, fd, clock_monotonic_ms());
    if (conn == NULL) {
        (void)close(fd);
        return;
    }
    (void)MHD_add_connection(http->daemon, fd, address, size);
    http_run(http);
    if (!conn->is_started)
        http_conns_remove(&http->conns, conn);
    if (!uv_is_active((uv_handle_t *)&http->sweep))
        (void)uv_timer_start(&http->sweep, http_on_sweep, SWEEP_MS, SWEEP_MS);
}

static void http_on_connect(uv_poll_t *poll, int code, int poll_events);

static void http_listen(struct http *http)
{
    (void)uv_poll_start(&http->listener, UV_READABLE, http_on_connect);
}

static void http_on_pause_end(uv_timer_t *timer)
{
    http_listen(timer->data);
}

static void http_on_connect(uv_poll_t *poll, int code, int poll_events)
{
    struct http *http = poll->data;

    (void)code;
    (void)poll_events;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        int fd = accept4(http->config.listen_fd, (struct sockaddr *)&address, &size,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            http_add(http, fd, (const struct sockaddr *)&address, size);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            (void)uv_poll_stop(poll);
            (void)uv_timer_start(&http->pause, http_on_pause_end, ACCEPT_PAUSE_MS, 0);
        }
        return;
    }
}

/* ------------------------------------------------------------------ start and stop */

static enum status http_start_library(struct http *http)
{
    /* Limits of time are ours; its own would begin again with each byte. */
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNS_MAX, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_MAX, NULL},
        {MHD_OPTION_END, 0, NULL},
    };

    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, http_on_request, http,
        MHD_OPTION_ARRAY, options, MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, http,
        MHD_OPTION_NOTIFY_COMPLETED, http_on_answered, http, MHD_OPTION_END);
    return http->daemon != NULL ? STATUS_OK : STATUS_NOMEM;
}

static enum status http_watch(struct http *http, uv_poll_t *poll, int fd)
{
    if (uv_poll_init(http->config.loop, poll, fd) < 0)
        return STATUS_IO;
    poll->data = http;
    return STATUS_OK;
}

enum status http_start(struct http *http, const struct http_config *config)
{
    uv_timer_t *const timers[] = {&http->sweep, &http->pause};

    *http = (struct http){.config = *config};
    enum status status = http_start_library(http);
    if (status != STATUS_OK)
        return status;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    status = http_watch(http, &http->events, info->epoll_fd);
    if (status == STATUS_OK)
        status = http_watch(http, &http->listener, config->listen_fd);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
        (void)uv_timer_init(config->loop, timers[i]);
        timers[i]->data = http;
    }
    (void)uv_idle_init(config->loop, &http->again);
    http->again.data = http;
    (void)uv_poll_start(&http->events, UV_READABLE, http_on_events);
    http_listen(http);
    return STATUS_OK;
}

static void http_close(struct http *http)
{
    uv_close((uv_handle_t *)&http->again, NULL);
    uv_close((uv_handle_t *)&http->sweep, NULL);
    uv_close((uv_handle_t *)&http->pause, NULL);
    uv_close((uv_handle_t *)&http->listener, NULL);
    uv_close((uv_handle_t *)&http->events, NULL);
    MHD_stop_daemon(http->daemon);
}

/* When no answer is under way any more, or the time is over, closes. */
static void http_on_stop_check(uv_timer_t *timer)
{
    struct http *http = timer->data;
    size_t answering = 0;

    http_run(http);
    for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
        const struct http_conn *conn = &http->conns.items[i];
        answering += conn->is_used && conn->is_answering;
    }
    if (answering == 0 || clock_monotonic_ms() >= http->stop_until_ms)
        http_close(http);
}

void http_stop(struct http *http)
{
    if (http->is_stopping)
        return;
    http->is_stopping = true;
    http->stop_until_ms = clock_monotonic_ms() + STOP_MS;
    (void)uv_poll_stop(&http->listener);
    (void)uv_timer_start(&http->pause, http_on_stop_check, 0, STOP_CHECK_MS);
}
