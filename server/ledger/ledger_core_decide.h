/* ledger_core_decide.h - what becomes of a peer's message: one function per kind. */
#ifndef LOTTERY_LEDGER_CORE_DECIDE_H
#define LOTTERY_LEDGER_CORE_DECIDE_H

#include "ledger_core_state.h"

/* Decides about an operation that has just joined the group: applies its record to the draw, hands
 * it to the store, and keeps in *operation what the commit will answer, if it succeeds. *message
 * was checked (message_is_request). Sets DAMAGED for a batch with fewer bets than its message says:
 * the peer breaks the rules, and nothing of it joins the group. */
void core_judge(struct ledger_core *core, struct operation *operation,
                const struct message *message);

/* Closes the open draw if its closing time has come: nothing that comes later is in it. The
 * statuses of store_append(), when it cannot be recorded. */
enum status core_close_if_due(struct ledger_core *core);

/* Keeps in *operation what the draw has of its agency now. */
void core_note_agency(const struct ledger_core *core, struct operation *operation);

#endif
