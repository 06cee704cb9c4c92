#include "dispatch.h"

#include "frame.h"
#include "handle_finished.h"
#include "handle_new_bets.h"
#include "lottery.pb-c.h"
#include "session.h"

#include <stdio.h>

/* NewBets whose body is no longer than this has no valid bet: a bet has four fields, one of them of
 * ten bytes, and an agency. */
#define QUESTION_MAX 24

#define ANY_OPEN (1u << SESSION_BETTING | 1u << SESSION_WAITING | 1u << SESSION_SENDING)

/* Which handler takes which message, in which states of the session (one bit each), and how many
 * bytes its body may have. Other opcodes are unknown, or only the server sends them. */
static const struct message_rule {
    uint8_t opcode;
    unsigned states;
    size_t body_max;
    bool (*handle)(struct session *session, const uint8_t *body, size_t size);
} rules[] = {
    {LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, ANY_OPEN, FRAME_BODY_MAX, handle_new_bets},
    {LOTTERY__V1__OPCODE__OPCODE_FINISHED, ANY_OPEN, FRAME_BODY_MAX, handle_finished},
};

static const struct message_rule *dispatch_find_rule(const struct session *session, uint8_t opcode)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].opcode == opcode && (rules[i].states >> session->state & 1) != 0)
            return &rules[i];
    }
    return NULL;
}

bool dispatch_is_question(uint8_t opcode, size_t size)
{
    return opcode == LOTTERY__V1__OPCODE__OPCODE_NEW_BETS && size <= QUESTION_MAX;
}

bool dispatch_message(struct session *session, uint8_t opcode, const uint8_t *body, size_t size)
{
    char detail[64];

    if (session->state == SESSION_CLOSED)
        return false;
    const struct message_rule *rule = dispatch_find_rule(session, opcode);
    if (rule == NULL) {
        (void)snprintf(detail, sizeof(detail), "opcode %u is not for the central", opcode);
        session_malformed(session, detail);
        return false;
    }
    if (size > rule->body_max) {
        (void)snprintf(detail, sizeof(detail), "message over the limit of %zu bytes",
                       rule->body_max);
        session_malformed(session, detail);
        return false;
    }
    return rule->handle(session, body, size);
}
