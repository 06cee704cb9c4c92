/* request.h - one message on its way through the store to its answer. */
#ifndef LOTTERY_REQUEST_H
#define LOTTERY_REQUEST_H

#include "list.h"
#include "lottery.pb-c.h"
#include "store.h"

#include <stddef.h>
#include <stdint.h>

#define REQUEST_DETAIL_SIZE 128

struct service;
struct session;

/* What the log says of a stored bet. */
struct bet_note {
    uint32_t number;
    uint8_t document_size;
    char document[BET_DOCUMENT_MAX]; /* not NUL-terminated */
};

struct request {
    struct store_op op; /* first: its callback finds the request */
    struct service *service;
    struct session *session;      /* NULL once the connection is gone */
    struct list_node node;        /* in session.requests, or in the service's spare ones */
    size_t frame_bytes;           /* of the message */
    uint32_t count;               /* bets in the message */
    uint32_t agency;              /* as the message says */
    struct bet_note *notes;       /* of all `count` bets, owned; NULL when they are not logged */
    Lottery__V1__AckCode refusal; /* decided before the store; UNSPECIFIED = the store decides */
    char detail[REQUEST_DETAIL_SIZE];
};

/* A new request of the session, NULL without memory. `done` gets it back as its operation. */
struct request *request_begin(struct session *session, uint32_t agency, size_t frame_bytes,
                              store_done_cb done);

/* Hands a message to the store that is already refused, only to keep the order of the answers. */
void request_refuse(struct request *request, Lottery__V1__AckCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* How a request whose operation has ended is answered; `detail` says why, unless it is OK. */
Lottery__V1__AckCode request_code(struct request *request);

/* Answers it with an Ack, if its connection is still there. */
void request_send_ack(const struct request *request, Lottery__V1__AckCode code);

/* Ends it: takes it from its session and keeps it for reuse. */
void request_end(struct request *request);

#endif
