/* handle_finished.h - Finished: the agency has sent all its bets and asks for its winners. */
#ifndef LOTTERY_HANDLE_FINISHED_H
#define LOTTERY_HANDLE_FINISHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* Takes the body of one message, borrowed during the call. Returns false when the session takes no
 * more messages. */
bool handle_finished(struct session *session, const uint8_t *body, size_t size);

#endif
