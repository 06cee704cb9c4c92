/* raffle_client.h - a worker's line to the raffle coordinator.
 *
 * The same frames as outside: the worker sends Finished for each agency that waits, the coordinator
 * answers with an Ack{OK} when the raffle was held. The winners themselves the worker reads from
 * the store: they need not squeeze through one socket.
 */
#ifndef LOTTERY_RAFFLE_CLIENT_H
#define LOTTERY_RAFFLE_CLIENT_H

#include "backoff.h"
#include "frame_reader.h"
#include "service.h"
#include "stream.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct raffle_client {
    struct stream_hub *hub;
    struct service *service;           /* borrowed; learns that the raffle was held */
    const struct sockaddr_un *address; /* borrowed: the coordinator's */
    socklen_t address_size;
    struct stream *stream;
    struct frame_reader reader;
    uv_timer_t retry; /* for the next attempt to connect, or to tell the service */
    struct backoff backoff;
    bool is_open;    /* the stream is */
    bool is_closing; /* raffle_client_close was called */
};

/* Connects, and goes on connecting for as long as it takes. The first four fields are filled in by
 * the caller. */
void raffle_client_start(struct raffle_client *client);

/* Tells the coordinator that an agency has finished. Without a connection nothing is lost: the
 * service is asked for all that wait when there is one again. */
void raffle_client_finished(struct raffle_client *client, uint32_t agency, uint64_t total);

/* Closes everything; the memory may go when the loop has run out. */
void raffle_client_close(struct raffle_client *client);

#endif
