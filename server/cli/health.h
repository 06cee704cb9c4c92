/* health.h - checks whether a running server answers, not just whether its port is open. */
#ifndef LOTTERY_HEALTH_H
#define LOTTERY_HEALTH_H

#include "server_settings.h"

/* Connects to the server with these settings on this machine. In mode lottery it asks how many bets
 * agency 1 has; in mode echo it ends its side without a line, and the server has to end its own.
 * Neither changes anything. With TLS it shows the server's certificate. Returns 0 when the answer
 * came within two seconds, else 1 and a line on stderr that says what was wrong: it cannot connect,
 * or not with TLS, there is no answer, or a wrong one. Blocks.
 */
int health_ask(const struct server_settings *settings);

#endif
