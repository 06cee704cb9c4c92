/* operator_lists.h - what the operator is shown: the draw, its agencies, its winners. */
#ifndef LOTTERY_OPERATOR_LISTS_H
#define LOTTERY_OPERATOR_LISTS_H

#include "control.h"
#include "data_dir.h"
#include "ledger_client.h"

struct operator_place;

/* Each ends the request, now or when the ledger has answered. */

/* The state of the draw. `vkey`: borrowed until the end; may be NULL. While the draw takes bets,
 * all agencies are asked for. */
void operator_list_status(struct ledger_client *client, struct control_request *request,
                          const char *vkey);

/* A page of agencies, after request->from others. */
void operator_list_agencies(struct ledger_client *client, struct control_request *request);

/* A page of winners, from winners.csv, after request->from others; blocks on the file. *place is
 * where the last page ended, so that the one after it is found at once. */
void operator_list_winners(const struct data_dir *data_dir, struct operator_place *place,
                           struct control_request *request);

#endif
