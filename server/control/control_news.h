/* control_news.h - the state of the draw for operators, from what the ledger tells everybody. Pure.
 */
#ifndef LOTTERY_CONTROL_NEWS_H
#define LOTTERY_CONTROL_NEWS_H

#include "control.h"
#include "ledger.h"

#include <stdint.h>

/* `open_bets`: those of all agencies while the draw takes bets; later the news has them. `vkey` may
 * be NULL; *out borrows it, and the news. */
void control_news_status(const struct ledger_news *news, uint64_t open_bets, const char *vkey,
                         struct control_status *out);

#endif
