/* ledger_client_connect.h - a client's link: makes it, loses it, and makes it again. */
#ifndef LOTTERY_LEDGER_CLIENT_CONNECT_H
#define LOTTERY_LEDGER_CLIENT_CONNECT_H

#include "ledger_client_state.h"

/* Connects, or tries again later, for as long as it takes. There must be no link. */
void client_attempt(struct ledger_client *client);

/* Sends what waits, if there is a link. A link that cannot take it is lost. */
void client_flush(struct ledger_client *client);

/* One of the client's handles is closed; with the last one the client is gone. */
void client_release(struct ledger_client *client);

#endif
