/* ledger_client_ops.h - the client as an implementation of ledger.h. */
#ifndef LOTTERY_LEDGER_CLIENT_OPS_H
#define LOTTERY_LEDGER_CLIENT_OPS_H

#include "ledger_client_state.h"

extern const struct ledger_backend client_backend;

#endif
