/* handle_new_bets.h - NewBets: a batch, or without bets the question where we were. */
#ifndef LOTTERY_HANDLE_NEW_BETS_H
#define LOTTERY_HANDLE_NEW_BETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* Takes the body of one message. Returns false when the session takes no more of them. */
bool handle_new_bets(struct session *session, const uint8_t *body, size_t size);

#endif
