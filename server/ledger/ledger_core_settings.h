/* ledger_core_settings.h - the settings against the record, when a ledger begins. */
#ifndef LOTTERY_LEDGER_CORE_SETTINGS_H
#define LOTTERY_LEDGER_CORE_SETTINGS_H

#include "ledger_core_state.h"

/* Compares the settings in core->config with the draw that was recovered, and records them in a new
 * one, or a larger number of agencies in an open one; blocks for the disk then. INVALID when they
 * contradict the record; NOMEM, or as store_commit(). On failure *err says what to do, or why. */
enum status core_check_settings(struct ledger_core *core, struct errbuf *err);

#endif
