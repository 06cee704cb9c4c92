/* link.h - a worker's line as the coordinator sees it. */
#ifndef LOTTERY_LINK_H
#define LOTTERY_LINK_H

#include "frame_reader.h"
#include "stream.h"

struct link_set;

struct link {
    struct stream stream;
    struct frame_reader reader;
    struct link_set *set;
    struct link *next;
    struct link **at; /* what points here */
};

/* All lines. Owned by the coordinator. */
struct link_set {
    struct stream_hub *hub;
    struct link *first;
    /* A worker told that an agency has finished, or its line came up or ended: look at the store.
     */
    void (*on_news)(void *owner);
    void *owner;
};

/* Takes over an accepted socket; closes it when it is not from this server's user, or on failure.
 */
void link_accept(struct link_set *set, int fd);

/* Tells every worker that the raffle was held. */
void link_set_notify(struct link_set *set);

/* Closes all lines. */
void link_set_close(struct link_set *set);

#endif
