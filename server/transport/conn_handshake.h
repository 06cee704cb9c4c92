/* conn_handshake.h - the TLS of a connection, for every kind: who the peer is, and what the
 * log says of peers that are not trusted. Without TLS there is nothing to do.
 */
#ifndef LOTTERY_CONN_HANDSHAKE_H
#define LOTTERY_CONN_HANDSHAKE_H

#include "conn.h"

/* The on_connect of every kind's stream_events. A peer that is trusted is handed to the kind's
 * prove(). Of one that is not, or that does not speak TLS, the log says so, and it is told why
 * before the connection is closed. Of one that goes away in the handshake nothing is said. */
void conn_on_connect(void *owner, enum status status, const char *detail);

/* Why the connection has broken, as on_end was told, for the log. That the peer does not trust us
 * also gets a line of its own. */
const char *conn_break_reason(struct conn *conn, enum status status, const char *detail);

#endif
