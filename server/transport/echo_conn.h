/* echo_conn.h - the echo server's connections: each sends back the one line that it receives.
 *
 * A line ends with a line feed, or where the peer ends its side; it has at most ECHO_LINE_MAX
 * bytes. After the answer the server ends the connection.
 */
#ifndef LOTTERY_ECHO_CONN_H
#define LOTTERY_ECHO_CONN_H

#include "conn.h"

#define ECHO_LINE_MAX ((size_t)64 * 1024) /* bytes, with the line end */

/* What the echo connections of one worker share: the context of their conn_set. */
struct echo_conns {
    uint64_t timeout_ms; /* for the whole line to arrive, and for the answer to be read */
};

extern const struct conn_ops echo_conn_ops;

#endif
