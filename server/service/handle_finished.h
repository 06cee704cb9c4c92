/* handle_finished.h - Finished: the agency has sent everything and asks for its winners. */
#ifndef LOTTERY_HANDLE_FINISHED_H
#define LOTTERY_HANDLE_FINISHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* Takes the body of one message. Returns false when the session takes no more of them. */
bool handle_finished(struct session *session, const uint8_t *body, size_t size);

#endif
