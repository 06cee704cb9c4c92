/* handlers.h - the inside of the service: one handler per message, and what they share. */
#ifndef LOTTERY_HANDLERS_H
#define LOTTERY_HANDLERS_H

#include "arena.h"
#include "lottery.pb-c.h"
#include "service.h"
#include "winner_index.h"
#include "wire.h"

#define REQUEST_DETAIL_SIZE 128

/* One message on its way through the store to its answer. */
struct request {
    struct store_op op; /* first: its callback finds the request */
    struct service *service;
    struct session *session;      /* NULL once the connection is gone */
    struct request *next;         /* in the session's list, or in the service's spare ones */
    struct request **link;        /* what points here in the session's list */
    size_t frame_bytes;           /* of the message */
    uint32_t count;               /* bets in the message */
    uint32_t agency;              /* as the message says */
    Lottery__V1__AckCode refusal; /* decided before the store; UNSPECIFIED = the store decides */
    char detail[REQUEST_DETAIL_SIZE];
};

struct service {
    struct store *store;
    const struct service_events *events;
    void *owner;
    struct session *waiting; /* sessions in SESSION_WAITING */
    struct request *spares;  /* kept for reuse */
    size_t outstanding;
    struct winner_index winners; /* once has_winners */
    bool has_winners;
    struct arena arena;                  /* reset per message */
    struct bet bets[FRAME_BODY_MAX / 2]; /* an empty bet takes two bytes: no frame has more */
};

/* Does the message name an agency that exists and is this session's? The first one settles it. */
bool session_claim_agency(struct session *session, uint32_t agency);

/* A new request of the session, NULL without memory. `done` gets it back as its operation. */
struct request *request_begin(struct session *session, uint32_t agency, size_t frame_bytes,
                              store_done_cb done);

/* Ends it: takes it from its session and keeps it for reuse. */
void request_end(struct request *request);

/* Hands a message to the store that is already refused, only to keep the order of the answers. */
void request_refuse(struct request *request, Lottery__V1__AckCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* How a request whose operation has ended is answered; `detail` says why, unless it is OK. */
Lottery__V1__AckCode request_code(struct request *request);

void session_send_ack(struct session *session, Lottery__V1__AckCode code, uint64_t received,
                      const char *detail);

/* From now on the session gets the winners, `owed` times. */
void session_send_winners(struct session *session);

/* Puts the session among those that wait for the raffle. */
void session_wait(struct session *session, uint64_t total);

/* The handlers: false when the session takes no more messages. */
bool handle_new_bets(struct session *session, const uint8_t *body, size_t size);
bool handle_finished(struct session *session, const uint8_t *body, size_t size);

/* No memory to even answer: the connection is given up, the agency will come back. */
bool session_give_up(struct session *session);

#endif
