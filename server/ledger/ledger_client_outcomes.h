/* ledger_client_outcomes.h - what a client does with the ledger's messages. */
#ifndef LOTTERY_LEDGER_CLIENT_OUTCOMES_H
#define LOTTERY_LEDGER_CLIENT_OUTCOMES_H

#include "ledger_client_state.h"

/* Brackets callbacks of operations with the owner's on_batch; nested calls have no effect. */
void client_begin_batch(struct ledger_client *client);
void client_end_batch(struct ledger_client *client);

/* struct link_events: ends operations, and takes the news. */
enum link_verdict client_on_messages(void *owner, const struct message *messages, size_t count);

#endif
