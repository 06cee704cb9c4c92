#include "dispatch.h"

#include "handle_finished.h"
#include "handle_new_bets.h"
#include "lottery.pb-c.h"
#include "session.h"

#include <stdio.h>

#define ANY_OPEN (1u << SESSION_BETTING | 1u << SESSION_WAITING | 1u << SESSION_SENDING)

/* Which message is for which handler, and in which states it may come. What is not here may only be
 * sent by the central, or by nobody. */
static const struct {
    uint8_t opcode;
    unsigned states;
    bool (*handle)(struct session *session, const uint8_t *body, size_t size);
} handlers[] = {
    {LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, ANY_OPEN, handle_new_bets},
    {LOTTERY__V1__OPCODE__OPCODE_FINISHED, ANY_OPEN, handle_finished},
};

bool dispatch_message(struct session *session, uint8_t opcode, const uint8_t *body, size_t size)
{
    char detail[64];

    if (session->state == SESSION_CLOSED)
        return false;
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].opcode == opcode && (handlers[i].states >> session->state & 1) != 0)
            return handlers[i].handle(session, body, size);
    }
    (void)snprintf(detail, sizeof(detail), "opcode %u is not for the central", opcode);
    session_malformed(session, detail);
    return false;
}
