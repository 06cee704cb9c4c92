#include "sim_link.h"

#include "sim_disk.h"

#include <stdlib.h>

struct sim_link sim_links[SIM_LINKS_MAX];
size_t sim_links_end;
static struct sim_region regions[SIM_LINKS_MAX];

static void empty(struct sim_queue *queue)
{
    sim_queue_cut(queue, 0);
}

void sim_links_reset(void)
{
    for (size_t i = 0; i < SIM_LINKS_MAX; i++) {
        struct sim_link *link = &sim_links[i];
        empty(&link->to_ledger);
        empty(&link->to_client);
        link->is_used = false;
        regions[i].users = 0;
    }
    sim_links_end = 0;
}

struct sim_region *sim_region_take(void)
{
    for (size_t i = 0; i < SIM_LINKS_MAX; i++) {
        if (regions[i].users == 0) {
            regions[i].users = 1;
            return &regions[i];
        }
    }
    abort();
}

void sim_region_drop(struct sim_region *region)
{
    region->users--;
}

struct sim_link *sim_link_open(struct sim_client *client, struct sim_region *region)
{
    for (size_t i = 0; i < SIM_LINKS_MAX; i++) {
        struct sim_link *link = &sim_links[i];
        if (link->is_used)
            continue;
        empty(&link->to_ledger);
        empty(&link->to_client);
        link->is_used = true;
        link->client = client;
        link->is_ledger_gone = link->is_closing = false;
        link->peer = NULL;
        link->region = region;
        region->users++;
        if (i >= sim_links_end)
            sim_links_end = i + 1;
        return link;
    }
    abort();
}

static void free_if_unused(struct sim_link *link)
{
    if (link->client == NULL && link->is_ledger_gone)
        link->is_used = false;
    while (sim_links_end > 0 && !sim_links[sim_links_end - 1].is_used)
        sim_links_end--;
}

void sim_link_close_client(struct sim_link *link)
{
    link->client = NULL;
    empty(&link->to_client);
    sim_fd_close_all(link);
    free_if_unused(link);
}

void sim_link_close_ledger(struct sim_link *link)
{
    link->peer = NULL;
    link->is_ledger_gone = true;
    sim_region_drop(link->region);
    empty(&link->to_ledger);
    free_if_unused(link);
}

void sim_links_ledger_died(void)
{
    for (size_t i = 0; i < sim_links_end; i++) {
        struct sim_link *link = &sim_links[i];
        if (link->is_used && !link->is_ledger_gone && (link->peer != NULL || link->is_closing))
            sim_link_close_ledger(link);
    }
}

void sim_links_server_ended(void)
{
    for (size_t i = 0; i < sim_links_end; i++) {
        if (sim_links[i].is_used && !sim_links[i].is_ledger_gone)
            sim_link_close_ledger(&sim_links[i]);
    }
}

bool sim_link_is_readable(const struct sim_link *link)
{
    return link->is_used && !link->is_ledger_gone && !link->is_closing &&
           (link->to_ledger.count > 0 || link->client == NULL);
}

void sim_link_break(struct sim_link *link, struct prng *prng)
{
    sim_queue_cut(&link->to_ledger, prng_below(prng, (uint32_t)link->to_ledger.count + 1));
    sim_queue_cut(&link->to_client, prng_below(prng, (uint32_t)link->to_client.count + 1));
}
