/* service.h - what the central answers: messages in, messages out.
 *
 * The one room of the server that knows both protobuf and the domain. It knows no sockets: bytes
 * leave through struct session_events, and what is durable comes from the store. All calls happen
 * on the loop's thread of one worker.
 *
 * Every message goes through the store, also one that is refused: the store ends operations in
 * order, so the answers of a session come in the order of its messages without any bookkeeping.
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
    /* An agency waits for a raffle that was not held yet; whoever holds it should know. */
    void (*waiting)(void *owner, uint32_t agency, uint64_t total);
};

/* What a service works with; all of it is borrowed for the service's life. */
struct service_config {
    struct store *store;
    const struct service_events *events;
    void *owner; /* passed to events */
};

/* Creates a worker's service. Returns STATUS_OK or STATUS_NOMEM. */
enum status service_create(const struct service_config *config, struct service **out);

/* Frees it; no operation may be on its way. NULL is fine. */
void service_destroy(struct service *service);

/* Operations handed to the store that have not ended. */
size_t service_outstanding(const struct service *service);

/* The raffle was held: every waiting session gets its winners. Returns why they can not be read, if
 * so; the sessions go on waiting then. Blocks on the file of winners, once. */
enum status service_send_winners(struct service *service, struct errbuf *err);

/* Calls service_events.waiting for every session that waits: after a coordinator was lost. */
void service_report_waiting(struct service *service);

#endif
