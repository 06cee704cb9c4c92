/* request.h - one message, from its arrival until its answer has been sent.
 *
 * The answers of a session leave in the order of its messages. Operations of the ledger end in
 * order; a request that is refused does not go there, but waits in its session for the answers to
 * the earlier ones. Without any it is answered at once.
 */
#ifndef LOTTERY_REQUEST_H
#define LOTTERY_REQUEST_H

#include "ledger.h"
#include "list.h"
#include "lottery.pb-c.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_DETAIL_SIZE 128

struct request;
struct service;
struct session;

/* Logs what became of a request and sends its answer, if it still has a session. */
typedef void (*request_answer_cb)(struct request *request);

/* What the log says about a stored bet. */
struct bet_note {
    uint32_t number;
    uint8_t document_size;
    char document[BET_DOCUMENT_MAX]; /* not NUL-terminated */
};

struct request {
    struct ledger_op op; /* must be first: the callback casts it to the request */
    request_answer_cb answer;
    struct service *service;
    struct session *session;          /* NULL once the connection is gone */
    struct list_node node;            /* in session.requests or service.spares */
    size_t frame_bytes;               /* size of the message's frame */
    uint32_t count;                   /* bets in the message */
    uint32_t agency;                  /* as the message says */
    const char *draw_id;              /* of the draw that it is about; borrowed, as the session's;
                                         NULL: there is no such draw */
    struct bet_note *notes;           /* owned; one for each bet; NULL when they are not logged */
    bool wants_seal;                  /* Finished: it asks for a Seal */
    bool is_at_ledger;                /* its `op` was handed in and `answer` was not called yet */
    Lottery__V1__AckCode refusal;     /* why it was refused; UNSPECIFIED: it was not */
    char detail[REQUEST_DETAIL_SIZE]; /* of the answer; empty for none */
};

/* Begins a request of an open session for a message whose frame has `frame_bytes` bytes. `done` is
 * that of its operation. NULL when there is no memory. */
struct request *request_begin(struct session *session, uint32_t agency, size_t frame_bytes,
                              ledger_done_cb done, request_answer_cb answer);

/* Notes that the request is refused, and why; once, instead of handing it to the ledger. */
void request_set_refusal(struct request *request, Lottery__V1__AckCode code, const char *format,
                         va_list args) __attribute__((format(printf, 3, 0)));

/* Does nobody know what became of the request, because the link to the ledger was closed first?
 * Then no code would be true. */
bool request_is_lost(const struct request *request);

/* The code of the answer to a request whose operation has ended. Sets `detail` unless it is OK. */
Lottery__V1__AckCode request_code(struct request *request);

/* Sends an Ack as the answer, if the connection is still there. */
void request_send_ack(const struct request *request, Lottery__V1__AckCode code);

/* Ends the request: it leaves its session. */
void request_end(struct request *request);

/* The session of these requests is gone: those at the ledger will end without an answer, the others
 * end now. */
void requests_drop(struct list *requests);

#endif
