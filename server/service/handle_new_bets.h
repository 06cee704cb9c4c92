/* handle_new_bets.h - NewBets: a batch; without bets, it asks how many bets were received. */
#ifndef LOTTERY_HANDLE_NEW_BETS_H
#define LOTTERY_HANDLE_NEW_BETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* Takes the body of one message, borrowed during the call. Returns false when the session takes no
 * more messages. */
bool handle_new_bets(struct session *session, const uint8_t *body, size_t size);

#endif
