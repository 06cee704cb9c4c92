/* The connections of a worker.
 *
 * Happy path: conn_accept wraps the socket and starts the conversation; the ops' on_closed
 * calls conn_free, which takes it from its set and tells the listener's bookkeeping.
 *
 * Failure modes: no memory, or the loop refuses the socket: it is closed and the connection never
 * was.
 */
#include "conn.h"

#include "clock.h"
#include "log.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECK_MS 1000

static void on_check(uv_timer_t *timer)
{
    struct conn_set *set = timer->data;
    uint64_t now = clock_monotonic_ms();

    for (struct conn *conn = set->first; conn != NULL; conn = conn->next)
        set->ops->check(conn, now); /* closing only begins here: the list stays as it is */
}

void conn_set_init(struct conn_set *set, const struct conn_ops *ops, struct stream_hub *hub,
                   void *context)
{
    *set = (struct conn_set){.ops = ops, .hub = hub, .context = context};
    (void)uv_timer_init(stream_hub_loop(hub), &set->check_timer);
    set->check_timer.data = set;
    (void)uv_timer_start(&set->check_timer, on_check, CHECK_MS, CHECK_MS);
    uv_unref((uv_handle_t *)&set->check_timer);
}

void conn_set_stop(struct conn_set *set)
{
    for (struct conn *conn = set->first; conn != NULL; conn = conn->next)
        set->ops->stop(conn);
}

void conn_set_close(struct conn_set *set)
{
    for (struct conn *conn = set->first; conn != NULL; conn = conn->next)
        stream_close(conn->stream);
    uv_close((uv_handle_t *)&set->check_timer, NULL);
}

const char *conn_ip(const struct conn *conn, char out[CONN_IP_SIZE])
{
    return inet_ntop(AF_INET, &conn->ip, out, CONN_IP_SIZE);
}

static void link_to_set(struct conn *conn, struct conn_set *set)
{
    conn->next = set->first;
    conn->link = &set->first;
    if (conn->next != NULL)
        conn->next->link = &conn->next;
    set->first = conn;
    set->count++;
}

enum status conn_accept(struct conn_set *set, int fd, struct in_addr ip)
{
    struct conn *conn = calloc(1, set->ops->size);
    enum status status = STATUS_NOMEM;

    if (conn == NULL)
        goto err_close_fd;
    status = stream_create_tcp(set->hub, set->ops->events, conn, &conn->stream);
    if (status != STATUS_OK)
        goto err_free;
    /* From here on the stream has to be closed, and its on_closed frees the connection. */
    conn->set = set;
    conn->ip = ip;
    link_to_set(conn, set);
    status = stream_open(conn->stream, fd);
    if (status != STATUS_OK) {
        (void)close(fd);
        stream_close(conn->stream);
        return status;
    }
    status = set->ops->start(conn);
    if (status != STATUS_OK)
        stream_close(conn->stream);
    return status;

err_free:
    free(conn);
err_close_fd:
    (void)close(fd);
    return status;
}

void conn_free(struct conn *conn, const char *reason)
{
    struct conn_set *set = conn->set;
    char ip[CONN_IP_SIZE];

    LOG(INFO, "close_connection", SUCCESS, LOG_TEXT("ip", conn_ip(conn, ip)),
        LOG_TEXT("reason", reason));
    *conn->link = conn->next;
    if (conn->next != NULL)
        conn->next->link = conn->link;
    set->count--;
    set->on_gone(set->owner, conn->ip);
    free(conn);
}
