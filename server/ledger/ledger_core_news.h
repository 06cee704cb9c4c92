/* ledger_core_news.h - what the core tells everybody: the peers, and the supervisor. */
#ifndef LOTTERY_LEDGER_CORE_NEWS_H
#define LOTTERY_LEDGER_CORE_NEWS_H

#include "ledger_core_state.h"

/* Tells the supervisor: READY or DRAWN. */
void core_tell(const struct ledger_core *core, enum ledger_tells_kind kind);

/* Was the draw held, and can everything that belongs to its winners be read? */
bool core_has_winners(const struct ledger_core *core);

/* The news as the state of the draw makes them: what is committed, as long as no group is begun. */
struct ledger_news core_news(const struct ledger_core *core);

/* Sends the news to all peers when they have changed, otherwise to those who have had none. No
 * group may be begun, as above. */
void core_send_news(struct ledger_core *core);

#endif
