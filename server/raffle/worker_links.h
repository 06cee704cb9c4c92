/* worker_links.h - the workers' links, as the coordinator sees them. */
#ifndef LOTTERY_WORKER_LINKS_H
#define LOTTERY_WORKER_LINKS_H

#include "list.h"
#include "stream.h"

/* What worker_links_init() needs; copied. */
struct worker_links_config {
    struct stream_hub *hub; /* borrowed until the last link is gone */
    /* A worker reported that an agency has finished, or a link ended: the owner should check the
     * store. On the loop's thread. */
    void (*on_news)(void *owner);
    void *owner; /* handed to on_news */
};

/* All links. Owned by the coordinator. */
struct worker_links {
    struct worker_links_config config;
    struct list links; /* struct worker_link, by in_links */
};

void worker_links_init(struct worker_links *set, const struct worker_links_config *config);

/* Takes over an accepted socket; closes it on failure, or when the peer is not of the server's own
 * user. */
void worker_links_accept(struct worker_links *set, int fd);

/* Tells every worker that the draw took place. A link that cannot take it is closed. */
void worker_links_notify(struct worker_links *set);

/* Closes all links; on_news is called for each. The memory may be freed when the loop has run out.
 */
void worker_links_close(struct worker_links *set);

#endif
