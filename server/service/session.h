/* session.h - one connection's side of the conversation. */
#ifndef LOTTERY_SESSION_H
#define LOTTERY_SESSION_H

#include "list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service;

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
    struct list requests;     /* messages whose answers are not out */
    size_t outstanding;       /* how many */
    size_t outstanding_bytes; /* of their frames */
    struct list_node waiting; /* in the service's list of waiting sessions */
    uint64_t total;           /* of its Finished, while waiting */
    uint64_t sent;            /* winners sent so far, while telling */
    uint32_t agency;          /* 0 until the first message names one */
    uint32_t owed;            /* how many Finished wait for the winners */
    enum session_state state;
};

/* Begins the conversation. `events` and `owner` are borrowed until session_fini. */
void session_init(struct session *session, struct service *service,
                  const struct session_events *events, void *owner);

/* The connection is gone. What the store was given still gets stored and logged. */
void session_fini(struct session *session);

/* The bytes that came are no frame: answers so and ends the session. */
void session_malformed(struct session *session, const char *detail);

/* The connection has room again: sends further winners, if some are left. */
void session_continue(struct session *session);

/* Nothing outstanding, nothing to wait for. */
bool session_is_idle(const struct session *session);

/* For the handlers and the service: */

/* Does the message name an agency that exists and is this session's? The first one settles it. */
bool session_claim_agency(struct session *session, uint32_t agency);

/* From now on the session, which waited until now, gets the winners, `owed` times. */
void session_send_winners(struct session *session);

/* Puts the session among those that wait for the raffle. */
void session_wait(struct session *session, uint64_t total);

/* No memory to even answer: the connection is given up, the agency will come back. */
void session_give_up(struct session *session);

#endif
