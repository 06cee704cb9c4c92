/* The connections of a worker.
 *
 * Happy path: peer_accept wraps the socket and starts the kind's conversation; the kind's on_closed
 * calls peer_free, which takes the peer from its set and tells the listener's bookkeeping.
 *
 * Failure modes: no memory, or the loop refuses the socket: it is closed and the peer never was.
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
    struct peer_set *set = timer->data;
    uint64_t now = clock_monotonic_ms();

    for (struct peer *peer = set->first; peer != NULL; peer = peer->next)
        set->kind->check(peer, now); /* closing only begins here: the list stays as it is */
}

void peer_set_init(struct peer_set *set, const struct peer_kind *kind, struct stream_hub *hub,
                   void *context)
{
    *set = (struct peer_set){.kind = kind, .hub = hub, .context = context};
    (void)uv_timer_init(hub->loop, &set->check_timer);
    set->check_timer.data = set;
    (void)uv_timer_start(&set->check_timer, on_check, CHECK_MS, CHECK_MS);
    uv_unref((uv_handle_t *)&set->check_timer);
}

void peer_set_stop(struct peer_set *set)
{
    for (struct peer *peer = set->first; peer != NULL; peer = peer->next)
        set->kind->stop(peer);
}

void peer_set_close(struct peer_set *set)
{
    for (struct peer *peer = set->first; peer != NULL; peer = peer->next)
        stream_close(&peer->stream);
    uv_close((uv_handle_t *)&set->check_timer, NULL);
}

const char *peer_ip(const struct peer *peer, char out[PEER_IP_SIZE])
{
    return inet_ntop(AF_INET, &peer->ip, out, PEER_IP_SIZE);
}

static void link_to_set(struct peer *peer, struct peer_set *set)
{
    peer->next = set->first;
    peer->link = &set->first;
    if (peer->next != NULL)
        peer->next->link = &peer->next;
    set->first = peer;
    set->count++;
}

enum status peer_accept(struct peer_set *set, int fd, struct in_addr ip)
{
    struct peer *peer = calloc(1, set->kind->size);
    enum status status = STATUS_NOMEM;

    if (peer == NULL)
        goto err_close_fd;
    status = stream_init_tcp(&peer->stream, set->hub, set->kind->events, peer);
    if (status != STATUS_OK)
        goto err_free;
    /* From here on the stream has to be closed, and its on_closed frees the peer. */
    peer->set = set;
    peer->ip = ip;
    link_to_set(peer, set);
    status = stream_open(&peer->stream, fd);
    if (status != STATUS_OK) {
        (void)close(fd);
        stream_close(&peer->stream);
        return status;
    }
    status = set->kind->start(peer);
    if (status != STATUS_OK)
        stream_close(&peer->stream);
    return status;

err_free:
    free(peer);
err_close_fd:
    (void)close(fd);
    return status;
}

void peer_free(struct peer *peer, const char *reason)
{
    struct peer_set *set = peer->set;
    char ip[PEER_IP_SIZE];

    LOG(INFO, "close_connection", SUCCESS, LOG_TEXT("ip", peer_ip(peer, ip)),
        LOG_TEXT("reason", reason));
    *peer->link = peer->next;
    if (peer->next != NULL)
        peer->next->link = peer->link;
    set->count--;
    set->on_gone(set->owner, peer->ip);
    free(peer);
}
