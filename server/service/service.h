/* service.h - what the sessions of one worker share: the store, and the winners after the draw.
 *
 * This module answers the messages of agencies. Only it knows both protobuf and the lottery. It
 * does not know sockets: answers leave through struct session_events (session.h), and messages come
 * in through dispatch.h. All calls are made on the thread of one worker's loop.
 */
#ifndef LOTTERY_SERVICE_H
#define LOTTERY_SERVICE_H

#include "errbuf.h"
#include "status.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service;

struct service_events {
    /* An agency with `total` bets has finished: tell the coordinator. It waits for the draw, unless
     * its connection is gone. */
    void (*waiting)(void *owner, uint32_t agency, uint64_t total);
};

/* All of it is borrowed for as long as the service lives. */
struct service_config {
    struct store *store;
    const struct service_events *events;
    void *owner; /* the first argument of all events */
};

/* Creates a worker's service. Returns STATUS_OK or STATUS_NOMEM. */
enum status service_create(const struct service_config *config, struct service **out);

/* Frees a service that has no session and nothing outstanding. NULL is fine. */
void service_destroy(struct service *service);

/* How many messages are still in progress in the store. */
size_t service_outstanding(const struct service *service);

/* Starts to send the winners to every session that waits. Call it after the draw. If the winners
 * cannot be read, it returns why, and the sessions go on waiting. Reads the winners from the store,
 * which blocks, until that has succeeded once; then it keeps them. */
enum status service_send_winners(struct service *service, struct errbuf *err);

/* Calls service_events.waiting for every session that waits, because a new coordinator does not
 * know about any of them. */
void service_report_waiting(struct service *service);

#endif
