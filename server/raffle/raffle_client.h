/* raffle_client.h - a worker's end of the link to the coordinator.
 *
 * The link uses the same frames as agencies do: the worker sends Finished for each agency that
 * waits, and the coordinator answers with Ack{OK} once the draw took place. The winners do not go
 * through this socket: the worker reads them from the store.
 */
#ifndef LOTTERY_RAFFLE_CLIENT_H
#define LOTTERY_RAFFLE_CLIENT_H

#include "backoff.h"
#include "frame_reader.h"
#include "stream.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

/* What raffle_client_start() needs; copied, and what it points to is borrowed until the loop has
 * run out. All callbacks happen on the loop's thread. */
struct raffle_client_config {
    struct stream_hub *hub;
    const struct sockaddr_un *address; /* where the coordinator listens */
    socklen_t address_size;
    /* A link is open, for the first time or after one was lost: the owner reports every agency
     * that waits for the winners with raffle_client_send_finished(). */
    void (*on_open)(void *owner);
    /* The draw took place: the owner sends its agencies their winners. Returns false when that
     * does not work now; the link is then closed, and the message comes again on the next one. May
     * be called more than once. */
    bool (*on_drawn)(void *owner);
    void *owner; /* handed to both */
};

enum raffle_client_state {
    RAFFLE_CLIENT_PAUSING, /* no link; the timer begins the next attempt */
    RAFFLE_CLIENT_LINKED,  /* there is a stream; it may be closing */
    RAFFLE_CLIENT_CLOSED   /* raffle_client_close was called */
};

struct raffle_client {
    struct raffle_client_config config;
    enum raffle_client_state state;
    struct stream *stream;      /* while there is a link */
    struct frame_reader reader; /* of the stream */
    uv_timer_t retry;           /* for the next attempt to connect */
    struct backoff backoff;
};

/* Connects, and goes on connecting for as long as it takes. on_open may be called before this
 * returns. */
void raffle_client_start(struct raffle_client *client, const struct raffle_client_config *config);

/* Tells the coordinator that an agency has finished. If there is no link, nothing is lost: on_open
 * will make the owner report all waiting agencies. */
void raffle_client_send_finished(struct raffle_client *client, uint32_t agency, uint64_t total);

/* Closes everything; no callback follows. The memory may be freed when the loop has run out. */
void raffle_client_close(struct raffle_client *client);

#endif
