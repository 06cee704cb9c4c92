/* health.h - asks a running server whether it answers: not just whether its port is open. */
#ifndef LOTTERY_HEALTH_H
#define LOTTERY_HEALTH_H

#include "server_settings.h"

/* Connects to the server with these settings on this machine and asks it something that changes
 * nothing: in mode lottery where agency 1 stands, in mode echo to end a connection that says
 * nothing. Returns 0 when the answer came within two seconds, else 1 and a line on stderr. Blocks.
 */
int health_ask(const struct server_settings *settings);

#endif
