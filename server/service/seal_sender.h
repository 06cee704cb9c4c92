/* seal_sender.h - sends what was fixed when a draw was closed, to agencies that asked for it. */
#ifndef LOTTERY_SEAL_SENDER_H
#define LOTTERY_SEAL_SENDER_H

#include <stdbool.h>

struct session;

/* May the session ask for a seal: is its draw sealed, or will it be? */
bool seal_may_be_asked_for(const struct session *session);

/* Sends the Seal that the session wants, if it wants one. False: it is not there yet. */
bool seal_send(struct session *session);

#endif
