/* worker_links.h - the workers' links, as the coordinator sees them. */
#ifndef LOTTERY_WORKER_LINKS_H
#define LOTTERY_WORKER_LINKS_H

#include "frame_reader.h"
#include "stream.h"

struct worker_links;

struct worker_link {
    struct stream *stream;
    struct frame_reader reader;
    struct worker_links *set;
    struct worker_link *next;
    struct worker_link **at; /* what points here */
};

/* All lines. Owned by the coordinator. */
struct worker_links {
    struct stream_hub *hub;
    struct worker_link *first;
    /* A worker told that an agency has finished, or its line came up or ended: look at the store.
     */
    void (*on_news)(void *owner);
    void *owner;
};

/* Takes over an accepted socket; closes it when it is not from this server's user, or on failure.
 */
void worker_links_accept(struct worker_links *set, int fd);

/* Tells every worker that the raffle was held. */
void worker_links_notify(struct worker_links *set);

/* Closes all lines. */
void worker_links_close(struct worker_links *set);

#endif
