/* Accepting, fairly.
 *
 * Happy path: the socket is readable and it is our turn: accept, count, hand the connection to the
 * set.
 *
 * Failure modes: not our turn: stop watching for a millisecond, and after PATIENCE_MS of that
 * accept anyway (the worker whose turn it is may hang). Over a limit, or out of descriptors: the
 * new connection is accepted and closed at once, because in the queue it would keep the loop
 * spinning; the log says so, at most once a second. Not even the descriptor for that can be opened:
 * stop watching for REST_MS, then try again. Another worker was faster: nothing to do.
 */
#include "listener.h"

#include "clock.h"
#include "log.h"
#include "log_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_MS 1
#define PATIENCE_MS 100
#define REST_MS 100
#define BURST 64 /* accepted per turn of the loop, so that it can also serve its connections */
#define REFUSAL_LOG_MS 1000

/* Of a connection that could not be accepted: 0.0.0.0. */
static const struct in6_addr unknown = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

static void listener_on_readable(uv_poll_t *poll, int status, int events);

static void listener_log_refusal(struct listener *listener, const struct in6_addr *ip,
                                 const char *reason)
{
    uint64_t now = clock_monotonic_ms();
    char text[CONN_IP_SIZE];

    listener->refusals++;
    if (listener->logged_refusal_ms != 0 && now - listener->logged_refusal_ms < REFUSAL_LOG_MS)
        return;
    LOG(WARNING, "accept_connections", FAIL, LOG_TEXT("ip", peer_ip_print(ip, text)),
        LOG_TEXT("reason", reason), LOG_UINT("refused", listener->refusals));
    listener->logged_refusal_ms = now;
    listener->refusals = 0;
}

static void listener_open_reserve(struct listener *listener)
{
    if (listener->reserve_fd < 0)
        listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void listener_rest(struct listener *listener, uint64_t ms);

/* Counts in our row of the scoreboard. */
static void listener_count(const struct listener *listener, enum scoreboard_count count)
{
    scoreboard_count(&listener->config.scoreboard->row[listener->config.worker], count, 1);
}

/* Out of descriptors: closing the reserve frees one with which to accept the connection and turn it
 * away. Without a reserve the connection stays in the queue. */
static void listener_shed(struct listener *listener, int error)
{
    if (listener->reserve_fd >= 0) {
        (void)close(listener->reserve_fd);
        listener->reserve_fd = -1;
        int fd = accept4(listener->config.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            (void)close(fd);
            listener_count(listener, SCOREBOARD_REFUSED_RESOURCES);
        }
    }
    listener_open_reserve(listener);
    listener_log_refusal(listener, &unknown, strerror(error));
    if (listener->reserve_fd < 0)
        listener_rest(listener, REST_MS);
}

/* NULL: none. Otherwise *out is what to count. */
static const char *listener_limit_reached(const struct listener_config *config, struct in6_addr ip,
                                          enum scoreboard_count *out)
{
    *out = SCOREBOARD_REFUSED_SERVER;
    if (scoreboard_connections(config->scoreboard) >= config->max_connections)
        return "too many connections";
    *out = SCOREBOARD_REFUSED_ADDRESS;
    if (scoreboard_connections_from(config->scoreboard, peer_ip_key(&ip)) >= config->max_per_ip)
        return "too many connections from this address";
    return NULL;
}

static void listener_take(struct listener *listener, int fd, struct in6_addr ip)
{
    const struct listener_config *config = &listener->config;
    enum scoreboard_count refused;
    const char *limit = listener_limit_reached(config, ip, &refused);

    if (limit != NULL) {
        (void)close(fd);
        listener_count(listener, refused);
        listener_log_refusal(listener, &ip, limit);
        return;
    }
    scoreboard_add(config->scoreboard, config->worker, peer_ip_key(&ip));
    enum status status = conn_accept(config->conns, fd, ip);
    listener_count(listener,
                   status == STATUS_OK ? SCOREBOARD_ACCEPTED : SCOREBOARD_REFUSED_RESOURCES);
    if (status != STATUS_OK) {
        char text[CONN_IP_SIZE];
        LOG_LIMITED(LOG_BURST, ERROR, "accept_connections", FAIL,
                    LOG_TEXT("ip", peer_ip_print(&ip, text)),
                    LOG_TEXT("reason", status_text(status)));
    }
}

static void listener_leave_to_others(struct listener *listener);

/* Accepts one. Returns whether there may be another. */
static bool listener_accept_one(struct listener *listener)
{
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof(from);

    int fd =
        accept4(listener->config.fd, (struct sockaddr *)&from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        listener_take(listener, fd, peer_ip_of(&from));
        return true;
    }
    switch (errno) {
    case EMFILE:
    case ENFILE:
        listener_shed(listener, errno);
        return false;
    case ECONNABORTED:
    case EINTR:
        return true;
    case EAGAIN:
        return false;
    default: /* the connection stays in the queue; it must not keep the loop busy */
        listener_log_refusal(listener, &unknown, strerror(errno));
        listener_leave_to_others(listener);
        return false;
    }
}

static bool listener_is_our_turn(const struct listener_config *config)
{
    uint32_t own = atomic_load(&config->scoreboard->row[config->worker].connections);

    return own - own / 16 <= scoreboard_fewest_of_others(config->scoreboard, config->worker);
}

static void listener_on_retry(uv_timer_t *timer)
{
    struct listener *listener = timer->data;

    listener_open_reserve(listener);
    (void)uv_poll_start(&listener->poll, UV_READABLE, listener_on_readable);
}

/* Has the waiting connection been left to the others for PATIENCE_MS? */
static bool listener_is_patience_over(struct listener *listener)
{
    uint64_t now = clock_monotonic_ms();
    bool is_new =
        now - listener->left_ms > PATIENCE_MS / 2; /* another worker took the previous one */

    listener->left_ms = now;
    if (is_new)
        listener->waiting_since_ms = now;
    return now - listener->waiting_since_ms >= PATIENCE_MS;
}

static void listener_rest(struct listener *listener, uint64_t ms)
{
    (void)uv_poll_stop(&listener->poll);
    (void)uv_timer_start(&listener->retry, listener_on_retry, ms, 0);
}

static void listener_leave_to_others(struct listener *listener)
{
    listener_rest(listener, RETRY_MS);
}

static void listener_on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;

    (void)status; /* accept reports errors better */
    (void)events;
    for (int i = 0; i < BURST; i++) {
        if (!listener_is_our_turn(&listener->config) && !listener_is_patience_over(listener)) {
            listener_leave_to_others(listener);
            return;
        }
        if (!listener_accept_one(listener))
            return;
    }
}

enum status listener_start(struct listener *listener, uv_loop_t *loop,
                           const struct listener_config *config)
{
    *listener = (struct listener){.config = *config, .reserve_fd = -1};
    if (uv_poll_init(loop, &listener->poll, listener->config.fd) < 0)
        return STATUS_IO;
    (void)uv_timer_init(loop, &listener->retry);
    listener->poll.data = listener;
    listener->retry.data = listener;
    listener_open_reserve(listener);
    (void)uv_poll_start(&listener->poll, UV_READABLE, listener_on_readable);
    atomic_store(&listener->config.scoreboard->row[listener->config.worker].is_alive, 1);
    LOG(INFO, "accept_connections", IN_PROGRESS);
    return STATUS_OK;
}

void listener_close(struct listener *listener)
{
    atomic_store(&listener->config.scoreboard->row[listener->config.worker].is_alive, 0);
    uv_close((uv_handle_t *)&listener->poll, NULL);
    uv_close((uv_handle_t *)&listener->retry, NULL);
    if (listener->reserve_fd >= 0)
        (void)close(listener->reserve_fd);
    LOG(INFO, "close_listener", SUCCESS, LOG_UINT("worker", listener->config.worker));
}

void listener_gone(struct listener *listener, struct in6_addr ip)
{
    scoreboard_remove(listener->config.scoreboard, listener->config.worker, peer_ip_key(&ip));
}
