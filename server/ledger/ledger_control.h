/* ledger_control.h - the ledger's end of the socket to its supervisor: what it says there. */
#ifndef LOTTERY_LEDGER_CONTROL_H
#define LOTTERY_LEDGER_CONTROL_H

#include "errbuf.h"
#include "ledger_process.h"

/* Sends a message over `fd`, the control_fd of struct ledger_config. If the socket is full, waits
 * until the supervisor has read, at most for a second. A message that cannot be sent is lost: then
 * the supervisor is gone, or about to go. */
void ledger_control_tell(int fd, const struct ledger_tells *tells);

/* Sends LEDGER_TELLS_REASON in the same way. */
void ledger_control_tell_reason(int fd, const struct errbuf *err);

#endif
