/* dispatch.h - passes a message to its handler. */
#ifndef LOTTERY_DISPATCH_H
#define LOTTERY_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* Takes one message; `body` is borrowed during the call. Returns false when the session takes no
 * more messages. It then sends its last answer, if any, and calls events.finish. */
bool dispatch_message(struct session *session, uint8_t opcode, const uint8_t *body, size_t size);

/* Can a message with this opcode and a body of `size` bytes only ask how many bets were received?
 * The health check sends such a one, and so does each agency first. */
bool dispatch_is_question(uint8_t opcode, size_t size);

#endif
