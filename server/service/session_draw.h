/* session_draw.h - which draw a session is about, and asking that draw.
 *
 * A session belongs to one agency and one draw; its first message that names an agency that the
 * draw has fixes both. Where the connection has proved whose it is, that cannot be another agency.
 * The draw is the one that the service is for, whose ledger decides, or one that is over, which
 * decides at once (past_draws.h).
 */
#ifndef LOTTERY_SESSION_DRAW_H
#define LOTTERY_SESSION_DRAW_H

#include "bet.h"
#include "status.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;
struct session;

/* Is a message of this agency about this draw the session's, and may the peer send it? Otherwise
 * refuses the request, which may end it. `is_question`: it changes nothing. May block on the files
 * of a draw that is over. */
bool session_claim(struct session *session, struct request *request, bool is_question,
                   struct text draw);

/* Hand the request's operation to the draw of its session, for its agency; it may have ended before
 * they return, unless that is not STATUS_OK: then it has not been handed in. As those of ledger.h.
 */
enum status session_submit_bets(struct session *session, struct request *request, uint64_t offset,
                                const struct bet *bets, size_t count);
void session_submit_question(struct session *session, struct request *request, uint64_t offset);
void session_submit_finished(struct session *session, struct request *request, uint64_t total);

#endif
