/* stub_conn.h - what the streams of a test's own connections do: ignore what comes, and close when
 * the peer ends its side. */
#ifndef LOTTERY_STUB_CONN_H
#define LOTTERY_STUB_CONN_H

#include "stream.h"

/* For a struct conn_ops; the owner is the struct conn. */
extern const struct stream_events stub_conn_events;

#endif
