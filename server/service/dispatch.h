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

#endif
