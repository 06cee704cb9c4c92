#include "ledger_process_peers.h"

#include "ledger_link.h"
#include "log.h"
#include "log_limit.h"
#include "region.h"
#include "stream.h"

#include <stdlib.h>
#include <unistd.h>

/* What may wait to be read by a peer: all outcomes of a client that keeps to the rules, and news.
 */
#define BACKLOG_MAX ((MESSAGE_IN_FLIGHT + 16384) * (size_t)MESSAGE_SIZE)

/* A link and its peer in the core. Freed when both are gone. */
struct peer {
    struct process_peers *peers;
    struct link *link;
    struct ledger_peer *core_peer; /* from HELLO until the link ends */
    const char *region;            /* mapped, until the core releases it; NULL: none */
    size_t region_size;            /* bytes */
    unsigned uses;                 /* of link and core */
    bool must_end;                 /* its outcomes cannot be sent */
    struct list_node in_open;
};

void process_peers_init(struct process_peers *peers)
{
    list_init(&peers->open);
}

bool process_peers_are_gone(const struct process_peers *peers)
{
    return list_is_empty(&peers->open);
}

bool process_peers_must_flush(const struct process_peers *peers)
{
    return peers->must_flush;
}

static void peer_unuse(struct peer *peer)
{
    if (--peer->uses == 0)
        free(peer);
}

static void peer_end(struct peer *peer)
{
    if (!list_is_linked(&peer->in_open))
        return;
    list_remove(&peer->in_open);
    link_close(peer->link);
    if (peer->core_peer != NULL)
        ledger_core_close(peer->peers->core, peer->core_peer);
    peer->core_peer = NULL;
}

void process_peers_release(void *owner, void *context)
{
    struct peer *peer = context;

    (void)owner;
    region_unmap(peer->region, peer->region_size);
    peer->region = NULL;
    peer_unuse(peer);
}

void process_peers_send(void *owner, void *context, const struct message *message, const int *fds,
                        size_t count)
{
    struct peer *peer = context;

    (void)owner;
    peer->peers->must_flush = true;
    enum status status =
        count > 0 ? link_send_fds(peer->link, message, fds, count) : link_send(peer->link, message);
    /* Not ended at once: the core is in the middle of its peers. */
    if (status != STATUS_OK || link_backlog(peer->link) > BACKLOG_MAX)
        peer->must_end = true;
}

/* Maps the region that came with HELLO. */
static enum status peer_map_region(struct peer *peer, size_t size)
{
    int fd;

    if (!link_take_fds(peer->link, &fd, 1))
        return STATUS_MALFORMED;
    enum status status = region_map(fd, size, &peer->region);
    (void)close(fd);
    if (status == STATUS_OK)
        peer->region_size = size;
    return status == STATUS_INVALID ? STATUS_MALFORMED : status;
}

/* MALFORMED when the peer's first message is not what it must be; NOMEM. */
static enum status peer_on_hello(struct peer *peer, const struct message *message)
{
    size_t size = (size_t)message->region_size;

    if (peer->core_peer != NULL || !message_is_request(message, 0))
        return STATUS_MALFORMED;
    enum status status = size > 0 ? peer_map_region(peer, size) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    peer->core_peer = ledger_core_open(peer->peers->core, peer, peer->region, size);
    if (peer->core_peer == NULL) {
        region_unmap(peer->region, size);
        peer->region = NULL;
        return STATUS_NOMEM;
    }
    peer->uses++;
    return STATUS_OK;
}

static enum status peer_on_message(struct peer *peer, const struct message *message)
{
    if (message->kind == MESSAGE_HELLO)
        return peer_on_hello(peer, message);
    bool is_good =
        peer->core_peer != NULL && ledger_core_message(peer->peers->core, peer->core_peer, message);
    return is_good ? STATUS_OK : STATUS_MALFORMED;
}

static enum link_verdict peer_on_messages(void *owner, const struct message *messages, size_t count)
{
    struct peer *peer = owner;

    for (size_t i = 0; i < count; i++) {
        enum status status = peer_on_message(peer, &messages[i]);
        if (status != STATUS_OK)
            return status == STATUS_NOMEM ? LINK_NO_ROOM : LINK_IS_BAD;
    }
    return ledger_core_is_full(peer->peers->core) ? LINK_PAUSES : LINK_GOES_ON;
}

static void peer_on_end(void *owner, enum status status)
{
    struct peer *peer = owner;
    struct process_peers *peers = peer->peers;

    if (status != STATUS_OK)
        LOG(ERROR, "ledger_link", FAIL, LOG_TEXT("reason", status_text(status)));
    peer_end(peer);
    if (process_peers_are_gone(peers))
        peers->on_last_gone(peers->owner);
}

static void peer_on_closed(void *owner)
{
    peer_unuse(owner);
}

static const struct link_events peer_link_events = {
    .on_messages = peer_on_messages,
    .on_end = peer_on_end,
    .on_closed = peer_on_closed,
};

void process_peers_accept(struct process_peers *peers, int fd)
{
    if (!stream_is_own_user(fd)) {
        LOG_LIMITED(LOG_BURST, WARNING, "ledger_link", FAIL,
                    LOG_TEXT("reason", "another user's process"));
        (void)close(fd);
        return;
    }
    struct peer *peer = calloc(1, sizeof(*peer));
    enum status status = STATUS_NOMEM;
    if (peer != NULL) {
        const struct link_config config = {peers->loop, fd, &peer_link_events, peer};
        *peer = (struct peer){.peers = peers, .uses = 1};
        status = link_create(&config, &peer->link);
    }
    if (status == STATUS_OK) {
        list_append(&peers->open, &peer->in_open);
        return;
    }
    LOG(ERROR, "ledger_link", FAIL, LOG_TEXT("reason", status_text(status)));
    free(peer);
    (void)close(fd);
}

void process_peers_flush(struct process_peers *peers)
{
    peers->must_flush = false;
    LIST_FOR_EACH (node, &peers->open) {
        struct peer *peer = LIST_ITEM(node, struct peer, in_open);
        link_flush(peer->link);
        if (peer->must_end) {
            LOG(ERROR, "ledger_link", FAIL, LOG_TEXT("reason", "outcomes cannot be sent"));
            peer_end(peer);
        }
    }
}

void process_peers_close(struct process_peers *peers)
{
    LIST_FOR_EACH (node, &peers->open)
        peer_end(LIST_ITEM(node, struct peer, in_open));
}
