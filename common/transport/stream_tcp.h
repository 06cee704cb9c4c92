/* stream_tcp.h - operations of streams over TCP sockets, for the kinds of streams only. */
#ifndef LOTTERY_STREAM_TCP_H
#define LOTTERY_STREAM_TCP_H

#include "stream_impl.h"

int stream_tcp_init(uv_loop_t *loop, struct stream *stream);
int stream_tcp_open(struct stream *stream, int fd);
void stream_tcp_set_keepalive(struct stream *stream, unsigned idle_s, uint64_t limit_ms);
bool stream_tcp_was_reset(const struct stream *stream);

/* Turns Nagle's algorithm off: output is already collected into one write, so waiting for more
 * would only add latency. */
void stream_tcp_set_nodelay(struct stream *stream);

#endif
