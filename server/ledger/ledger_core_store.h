/* ledger_core_store.h - what the statuses of store.h mean to the core. */
#ifndef LOTTERY_LEDGER_CORE_STORE_H
#define LOTTERY_LEDGER_CORE_STORE_H

#include "ledger_core_state.h"

/* What an operation ends with when the store has returned `status`: one of those that ledger.h
 * names. Another one, such as NOTFOUND for a file that somebody has removed, is the operation's
 * failure alone; if the folder is gone, the store says so. */
enum status core_status_of(enum status status);

/* Takes note of what the store returned when it did `work`; *err is its reason. Logs a failure,
 * unless the same work failed the last time, too. Returns false when the process has to end, which
 * the core has then asked for: nothing more may be done. */
bool core_note_store(struct ledger_core *core, enum core_work work, enum status status,
                     const struct errbuf *err);

#endif
