/* sim_link.h - links between clients and the ledger, and the clients' regions.
 *
 * A link carries messages both ways until one end dies or the link breaks. What an end had sent
 * before it died still arrives, in whole or in part.
 */
#ifndef LOTTERY_SIM_LINK_H
#define LOTTERY_SIM_LINK_H

#include "message.h"
#include "prng.h"
#include "sim_queue.h"

#include <stdbool.h>
#include <stddef.h>

#define SIM_LINKS_MAX 64
#define SIM_REGION_SIZE ((size_t)8 * 1024)

struct ledger_peer;
struct sim_client;

/* The memory of a client's region, which outlives the client for as long as the ledger reads it. */
struct sim_region {
    char bytes[SIM_REGION_SIZE];
    unsigned users; /* the client, and its links until the ledger's end is closed; 0: free */
};

struct sim_link {
    bool is_used;
    struct sim_client *client;  /* NULL: its end is closed */
    bool is_ledger_gone;        /* the ledger's end is closed */
    bool is_closing;            /* it is about to be: when the core has released the peer */
    struct ledger_peer *peer;   /* at the ledger: from HELLO until it was closed */
    struct sim_region *region;  /* of the client */
    struct sim_queue to_ledger; /* struct message */
    struct sim_queue to_client; /* struct message, then its descriptors */
};

extern struct sim_link sim_links[SIM_LINKS_MAX];
extern size_t sim_links_end; /* after the last one that is used */

/* Forgets all links and regions. */
void sim_links_reset(void);

struct sim_region *sim_region_take(void);
void sim_region_drop(struct sim_region *region);

/* A new link of `client`; the ledger's end waits until somebody reads from it. */
struct sim_link *sim_link_open(struct sim_client *client, struct sim_region *region);

/* One end closes it, as the kernel does when the process dies. */
void sim_link_close_client(struct sim_link *link);
void sim_link_close_ledger(struct sim_link *link);

/* Can the ledger read from it? */
bool sim_link_is_readable(const struct sim_link *link);

/* The ledger is dead: closes its end of all links that it had accepted. */
void sim_links_ledger_died(void);

/* The server has ended, and with it the links that no ledger had accepted. */
void sim_links_server_ended(void);

/* Breaks it, and loses the last of what is on its way. */
void sim_link_break(struct sim_link *link, struct prng *prng);

#endif
