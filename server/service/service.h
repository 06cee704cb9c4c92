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
struct session;

/* How a session reaches its connection. */
struct session_events {
    /* Send these bytes (one whole frame); they are borrowed during the call. */
    void (*send)(void *owner, const uint8_t *frame, size_t size);
    /* Bytes that were sent and have not left yet: winners are held back while there are many. */
    size_t (*backlog)(void *owner);
    /* An answer left, so the session may take more messages. */
    void (*progress)(void *owner);
    /* Nothing more will be said: close once what was sent is out. */
    void (*finish)(void *owner);
};

struct service_events {
    /* An agency waits for a raffle that was not held yet; whoever holds it should know. */
    void (*waiting)(void *owner, uint32_t agency, uint64_t total);
};

enum session_state {
    SESSION_BETTING, /* takes bets */
    SESSION_WAITING, /* finished, waits for the raffle */
    SESSION_SENDING, /* winners are on their way */
    SESSION_CLOSED   /* the last answer is on its way or out */
};

/* One connection's side of the conversation; on caller memory. */
struct session {
    struct service *service;
    const struct session_events *events;
    void *owner;
    struct request *requests; /* messages whose answers are not out */
    size_t outstanding;       /* how many */
    size_t outstanding_bytes; /* of their frames */
    struct session *next;     /* in the service's list of waiting sessions */
    struct session **link;    /* what points here in that list; NULL when not in it */
    uint64_t total;           /* of its Finished, while waiting */
    uint64_t sent;            /* winners sent so far, while telling */
    uint32_t agency;          /* 0 until the first message names one */
    uint32_t owed;            /* how many Finished wait for the winners */
    enum session_state state;
};

/* Creates a worker's service on `store`, which is borrowed for its life. */
enum status service_create(struct store *store, const struct service_events *events, void *owner,
                           struct service **out);

/* Frees it; no operation may be on its way. NULL is fine. */
void service_destroy(struct service *service);

/* Operations handed to the store that have not ended. */
size_t service_outstanding(const struct service *service);

/* The raffle was held: every waiting session gets its winners. Returns why they can not be read, if
 * so; the sessions go on waiting then. Blocks on the file of winners, once. */
enum status service_send_winners(struct service *service, struct errbuf *err);

/* Calls service_events.waiting for every session that waits: after a coordinator was lost. */
void service_report_waiting(struct service *service);

/* Begins the conversation. `events` and `owner` are borrowed until session_fini. */
void session_init(struct session *session, struct service *service,
                  const struct session_events *events, void *owner);

/* The connection is gone. What the store was given still gets stored and logged. */
void session_fini(struct session *session);

/* Takes one message. Returns false when the session takes no more; its last answer then leaves and
 * events.finish is called. */
bool session_receive(struct session *session, uint8_t opcode, const uint8_t *body, size_t size);

/* The bytes that came are no frame: answers so and ends the session. */
void session_malformed(struct session *session, const char *detail);

/* The connection has room again: sends further winners, if some are left. */
void session_continue(struct session *session);

/* Nothing outstanding, nothing to wait for. */
bool session_is_idle(const struct session *session);

#endif
