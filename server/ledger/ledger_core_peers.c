#include "ledger_core_peers.h"

#include <stdlib.h>

struct ledger_peer *ledger_core_open(struct ledger_core *core, void *context, const char *region,
                                     size_t region_size)
{
    struct ledger_peer *peer = calloc(1, sizeof(*peer));

    if (peer == NULL)
        return NULL;
    *peer = (struct ledger_peer){
        .context = context, .region = region, .region_size = region_size, .needs_news = true};
    list_append(&core->peers, &peer->in_list);
    core->is_news_due = true;
    return peer;
}

void ledger_core_close(struct ledger_core *core, struct ledger_peer *peer)
{
    for (unsigned i = 0; i < STORE_FILES; i++) {
        if (core->writers[i] == peer)
            core->writers[i] = NULL;
    }
    list_remove(&peer->in_list);
    if (peer->in_group > 0) {
        peer->is_closed = true;
        list_append(&core->leaving, &peer->in_list);
        return;
    }
    core->config.events->release(core->config.owner, peer->context);
    free(peer);
}

void core_release_all(const struct ledger_core *core, struct list *peers)
{
    struct list gone;

    list_move(&gone, peers);
    LIST_FOR_EACH (node, &gone) {
        struct ledger_peer *peer = LIST_ITEM(node, struct ledger_peer, in_list);
        core->config.events->release(core->config.owner, peer->context);
        free(peer);
    }
}
