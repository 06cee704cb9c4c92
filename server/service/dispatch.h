/* dispatch.h - which message is for which handler. */
#ifndef LOTTERY_DISPATCH_H
#define LOTTERY_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* Takes one message. Returns false when the session takes no more; its last answer then leaves and
 * events.finish is called. */
bool dispatch_message(struct session *session, uint8_t opcode, const uint8_t *body, size_t size);

#endif
