/* ledger_core_peers.h - the life of peers, besides what ledger_core.h says of it. */
#ifndef LOTTERY_LEDGER_CORE_PEERS_H
#define LOTTERY_LEDGER_CORE_PEERS_H

#include "ledger_core_state.h"

/* Empties one of the core's lists of peers: tells the owner that each of them is gone, and frees
 * it. */
void core_release_all(const struct ledger_core *core, struct list *peers);

#endif
