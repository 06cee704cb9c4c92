/* request.h - one message, from its arrival until its answer has been sent.
 *
 * Every request goes through the ledger, even one that is refused: operations end in order, so the
 * answers of a session leave in the order of its messages.
 */
#ifndef LOTTERY_REQUEST_H
#define LOTTERY_REQUEST_H

#include "ledger.h"
#include "list.h"
#include "lottery.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_DETAIL_SIZE 128

struct service;
struct session;

/* What the log says about a stored bet. */
struct bet_note {
    uint32_t number;
    uint8_t document_size;
    char document[BET_DOCUMENT_MAX]; /* not NUL-terminated */
};

struct request {
    struct ledger_op op; /* must be first: the callback casts it to the request */
    struct service *service;
    struct session *session;          /* NULL once the connection is gone */
    struct list_node node;            /* in session.requests or service.spares */
    size_t frame_bytes;               /* size of the message's frame */
    uint32_t count;                   /* bets in the message */
    uint32_t agency;                  /* as the message says */
    struct bet_note *notes;           /* owned; one for each bet; NULL when they are not logged */
    Lottery__V1__AckCode refusal;     /* why it was refused; UNSPECIFIED: it was not */
    char detail[REQUEST_DETAIL_SIZE]; /* of the answer; empty for none */
};

/* Begins a request of an open session for a message whose frame has `frame_bytes` bytes. The caller
 * hands its `op` to the ledger, or refuses it; later, `done` is called with that `op`. NULL when
 * there is no memory. */
struct request *request_begin(struct session *session, uint32_t agency, size_t frame_bytes,
                              ledger_done_cb done);

/* Refuses a request instead of handing it to the ledger: `done` is called when its turn has come.
 */
void request_refuse(struct request *request, Lottery__V1__AckCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Does nobody know what became of the request, because the link to the ledger was closed first?
 * Then no code would be true. */
bool request_is_lost(const struct request *request);

/* The code of the answer to a request whose operation has ended. Sets `detail` unless it is OK. */
Lottery__V1__AckCode request_code(struct request *request);

/* Sends an Ack as the answer, if the connection is still there. */
void request_send_ack(const struct request *request, Lottery__V1__AckCode code);

/* Ends the request: it leaves its session, and its memory is kept for another one. */
void request_end(struct request *request);

#endif
