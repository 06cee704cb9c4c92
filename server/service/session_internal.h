/* session_internal.h - the requests of a session, for this module only. */
#ifndef LOTTERY_SESSION_INTERNAL_H
#define LOTTERY_SESSION_INTERNAL_H

#include "request.h"
#include "session.h"

/* Begins a request of an open session for a message whose frame has `frame_bytes` bytes. The caller
 * hands its `op` to the ledger and sets `is_at_ledger`, or refuses it; when its turn has come,
 * `answer` is called once and the request ends. If the outcome is lost, so is the session. NULL
 * when there is no memory. */
struct request *session_begin_request(struct session *session, uint32_t agency, size_t frame_bytes,
                                      request_answer_cb answer);

/* Refuses a request instead of handing it to the ledger. Its Ack says how many bets of the
 * session's agency the ledger has, as it said last; the ledger is asked only if it never did. May
 * end the request, and close a session that has no agency and was refused too often. */
void session_refuse(struct request *request, Lottery__V1__AckCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
