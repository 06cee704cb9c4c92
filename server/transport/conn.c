/* The connections of a worker.
 *
 * Happy path: conn_accept wraps the socket and starts the conversation; the ops' on_closed calls
 * conn_free, which takes the connection from its set and tells the set's owner.
 *
 * Failure modes: no memory, or the loop refuses the socket: it is closed, and on_gone is called at
 * once. The conversation cannot start: the stream is closed, and conn_free follows as always. The
 * process was stopped for a while: time limits are checked a second later.
 */
#include "conn.h"

#include "assertion.h"
#include "clock.h"
#include "log.h"
#include "log_limit.h"
#include "log_output.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK_MS 1000
#define LATE_MS (3 * CHECK_MS / 2) /* after the last check */
#define QUIET_MS 1000              /* longer than a health check of a server that answers */
#define STRANGERS_BURST 2000 /* connections that are logged although their peers are unknown */
#define CROWD 16             /* connections whose memory is worth giving back */

static struct conn *conn_of(struct list_node *node)
{
    return LIST_ITEM(node, struct conn, in_set);
}

const char *conn_ip(const struct conn *conn, char out[CONN_IP_SIZE])
{
    return peer_ip_print(&conn->ip, out);
}

static void conn_tell_accepted(struct conn *conn)
{
    char ip[CONN_IP_SIZE];

    LOG(INFO, "accept_connections", SUCCESS, LOG_TEXT("ip", conn_ip(conn, ip)));
    LOG(INFO, "accept_connections", IN_PROGRESS);
    conn->is_told = true;
}

/* One that finds no room is logged when its peer is known, or counted when it is closed. */
static void conn_tell_stranger(struct conn *conn)
{
    static struct log_limit limit = {.burst = STRANGERS_BURST};

    if (log_limit_has_room(&limit) &&
        log_limit_take(&limit, LOG_INFO, "accept_connections", LOG_SUCCESS))
        conn_tell_accepted(conn);
}

void conn_heard(struct conn *conn, bool is_known)
{
    if (conn->is_told)
        return;
    if (is_known)
        conn_tell_accepted(conn);
    else
        conn_tell_stranger(conn);
}

void conn_note_reason(struct conn *conn, const char *reason)
{
    if (conn->end_reason == NULL)
        conn->end_reason = reason;
}

static void conn_tell_closed(const struct conn *conn)
{
    const char *reason = conn->end_reason != NULL ? conn->end_reason : "done";
    char text[CONN_IP_SIZE];
    const char *ip = conn_ip(conn, text);

    if (conn->is_told)
        LOG(INFO, "close_connection", SUCCESS, LOG_TEXT("ip", ip), LOG_TEXT("reason", reason));
    else if (!conn->is_from_here)
        LOG_LIMITED(LOG_BURST, INFO, "close_connection", SUCCESS, LOG_TEXT("ip", ip),
                    LOG_TEXT("reason", reason));
}

/* Does the socket's peer have an address of our own machine? */
static bool conn_socket_is_from_here(int fd, const struct in6_addr *ip)
{
    struct sockaddr_storage own = {0};
    socklen_t size = sizeof(own);

    if (peer_ip_is_loopback(ip))
        return true;
    if (getsockname(fd, (struct sockaddr *)&own, &size) < 0)
        return false;
    struct in6_addr own_ip = peer_ip_of(&own);
    return memcmp(&own_ip, ip, sizeof(own_ip)) == 0;
}

/* When half of a crowd has gone, its memory goes back to the system: the C library keeps what is
 * freed in small pieces, as long as something above it is in use. */
static void conn_set_trim(struct conn_set *set)
{
    if (set->peak < CROWD || set->count > set->peak / 2)
        return;
    (void)malloc_trim(0);
    set->peak = set->count;
}

/* Is the check so late that the process must have been stopped, or kept from running? Not twice in
 * a row: on a machine that is always so busy, limits have to hold, too. */
static bool conn_set_is_late(struct conn_set *set, uint64_t now)
{
    set->is_late = !set->is_late && now - set->checked_ms >= LATE_MS;
    set->checked_ms = now;
    return set->is_late;
}

/* Closes a connection whose TLS handshake takes longer than it may, counted from its accept. */
static void conn_check_handshake(struct conn *conn, uint64_t now_ms)
{
    const uint64_t room_ms = log_output_room_since_ms(); /* before that we did not do our part */
    const uint64_t since_ms = conn->since_ms > room_ms ? conn->since_ms : room_ms;

    if (now_ms < since_ms || now_ms - since_ms < conn->set->config.handshake_ms)
        return;
    conn_note_reason(conn, "no TLS handshake in time");
    conn_count(conn, SCOREBOARD_HANDSHAKES_FAILED, 1);
    stream_close(conn->stream);
}

void conn_set_check(struct conn_set *set, uint64_t now_ms)
{
    LIST_FOR_EACH (node, &set->conns) {
        struct conn *conn = conn_of(node);
        if (conn->is_from_here && !conn->is_told && now_ms - conn->since_ms >= QUIET_MS)
            conn_tell_stranger(conn);
        if (conn->is_in_handshake)
            conn_check_handshake(conn, now_ms);
        else
            set->config.ops->check(conn, now_ms);
    }
    conn_set_trim(set);
}

static void conn_set_on_check(uv_timer_t *timer)
{
    struct conn_set *set = timer->data;
    uint64_t now = clock_monotonic_ms();

    if (!conn_set_is_late(set, now))
        conn_set_check(set, now);
}

void conn_set_init(struct conn_set *set, const struct conn_set_config *config)
{
    set->config = *config;
    list_init(&set->conns);
    set->count = 0;
    set->peak = 0;
    set->checked_ms = clock_monotonic_ms();
    set->is_late = false;
    (void)uv_timer_init(stream_hub_loop(config->hub), &set->check_timer);
    set->check_timer.data = set;
    (void)uv_timer_start(&set->check_timer, conn_set_on_check, CHECK_MS, CHECK_MS);
    uv_unref((uv_handle_t *)&set->check_timer);
}

/* In a handshake there is nothing to finish. If it has failed, the peer is being told why. */
static void conn_stop(struct conn *conn)
{
    if (!conn->is_in_handshake) {
        conn->set->config.ops->stop(conn);
    } else if (!stream_is_finishing(conn->stream)) {
        conn_note_reason(conn, "the server stops");
        stream_close(conn->stream);
    }
}

void conn_set_stop(struct conn_set *set)
{
    LIST_FOR_EACH (node, &set->conns) {
        conn_stop(conn_of(node));
    }
}

void conn_set_close(struct conn_set *set)
{
    LIST_FOR_EACH (node, &set->conns) {
        stream_close(conn_of(node)->stream);
    }
    uv_close((uv_handle_t *)&set->check_timer, NULL);
}

static enum status conn_create_stream(struct conn *conn, const struct conn_set_config *config)
{
    const struct stream_events *events = config->ops->events;

    conn->is_in_handshake = config->tls != NULL;
    if (config->tls != NULL)
        return stream_create_tls(config->hub, config->tls, NULL, events, conn, &conn->stream);
    return stream_create_tcp(config->hub, events, conn, &conn->stream);
}

enum status conn_accept(struct conn_set *set, int fd, struct in6_addr ip)
{
    const struct conn_ops *ops = set->config.ops;
    struct conn *conn = calloc(1, ops->size);
    enum status status = STATUS_NOMEM;

    if (conn == NULL)
        goto err_close_fd;
    status = conn_create_stream(conn, &set->config);
    if (status != STATUS_OK)
        goto err_free;
    /* From here on the stream has to be closed, and its on_closed frees the connection. */
    conn->set = set;
    conn->ip = ip;
    list_append(&set->conns, &conn->in_set);
    set->count++;
    if (set->count > set->peak)
        set->peak = set->count;
    conn->since_ms = clock_monotonic_ms();
    conn->is_from_here = !log_enabled(LOG_DEBUG) && conn_socket_is_from_here(fd, &ip);
    if (!conn->is_from_here)
        conn_tell_stranger(conn);
    status = stream_open(conn->stream, fd);
    if (status != STATUS_OK) {
        (void)close(fd);
        stream_close(conn->stream);
        return status;
    }
    status = ops->start(conn);
    if (status != STATUS_OK)
        stream_close(conn->stream);
    return status;

err_free:
    free(conn);
err_close_fd:
    (void)close(fd);
    set->config.on_gone(set->config.owner, ip);
    return status;
}

void conn_free(struct conn *conn)
{
    struct conn_set *set = conn->set;

    ASSERT(stream_is_closing(conn->stream) && set->count > 0);
    list_remove(&conn->in_set);
    set->count--;
    set->config.on_gone(set->config.owner, conn->ip);
    /* Last, so that anyone who reads the line can already use the connection's place. */
    conn_tell_closed(conn);
    free(conn);
}
