/* refusal.h - what an Ack says when it is not the one that was hoped for, in words. Pure. */
#ifndef LOTTERY_REFUSAL_H
#define LOTTERY_REFUSAL_H

#include "errbuf.h"
#include "lottery.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

/* Writes why the server refused: the code, and what it says. */
void refusal_describe(const Lottery__V1__Ack *ack, struct errbuf *out);

/* Is the Ack about another draw than ours, whose id is `draw`, or empty? Either it names one, or
 * the draw is closed before anything was sent (`is_first`) and none of our bets are in it: a draw
 * that is ours answers questions also when it is over. *why is set if it is; it says what to do. */
bool refusal_is_other_draw(const Lottery__V1__Ack *ack, const char *draw, bool is_first,
                           struct errbuf *why);

/* Writes that the central has other bets of the agency than the file, somewhere in its bets `first`
 * to `last`, counted from 1. */
void refusal_describe_content(uint32_t agency, uint64_t first, uint64_t last, struct errbuf *out);

/* Does the Ack, which says how many bets the server has, name fewer than it had acknowledged
 * before? *why is set if it does. */
bool refusal_is_short(const Lottery__V1__Ack *ack, uint64_t acked, struct errbuf *why);

/* Does the Ack name more bets than the file has rows? *why is set if it does. */
bool refusal_is_beyond(const Lottery__V1__Ack *ack, uint64_t rows, struct errbuf *why);

#endif
