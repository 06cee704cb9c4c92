/* stream.h - a byte stream over libuv: TCP between agency and central, Unix between processes.
 *
 * The one place that reads from and writes to connections. It carries bytes; frame_reader.h cuts
 * them into frames. How one kind of stream differs from another is in a table of operations
 * (stream_impl.h).
 *
 * After a successful create the stream must be closed. It frees itself once on_closed, which comes
 * exactly once, has returned. All calls and all callbacks happen on the loop's thread; no call
 * blocks.
 *
 * Memory: a stream that has nothing to send holds no buffer; reading goes through one buffer of the
 * hub. Output is copied and collected, and leaves in one write per turn of the loop. It is bounded
 * by its owner, which stops reading requests while stream_backlog() is high (on_drain says when it
 * is empty again).
 */
#ifndef LOTTERY_STREAM_H
#define LOTTERY_STREAM_H

#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define STREAM_READ_SIZE (64 * 1024) /* bytes that one read hands out at most */

struct stream;

struct stream_events {
    /* The connection attempt of stream_connect ended. NULL where it is never called. */
    void (*on_connect)(void *owner, enum status status, const char *detail);
    /* Bytes came, valid during the call. */
    void (*on_data)(void *owner, const uint8_t *data, size_t size);
    /* No more will come, once: STATUS_OK when the peer ended its side, else why it broke. */
    void (*on_end)(void *owner, enum status status, const char *detail);
    /* Everything sent so far has been taken by the kernel. */
    void (*on_drain)(void *owner);
    /* The stream is gone: the owner must not use it any more. */
    void (*on_closed)(void *owner);
};

/* What the streams of one loop share: the buffer that is read into, and who has output. */
struct stream_hub;

/* Creates the hub of `loop`, which is borrowed. STATUS_NOMEM. */
enum status stream_hub_create(uv_loop_t *loop, struct stream_hub **out);

/* Closes the hub and frees it in a later turn of the loop. All its streams must be closed or
 * closing by now. */
void stream_hub_close(struct stream_hub *hub);

/* The loop that it was created with. */
uv_loop_t *stream_hub_loop(const struct stream_hub *hub);

/* Creates a TCP (or Unix) stream that is not connected yet: stream_open() or stream_connect() is
 * next. `events` and `owner` are borrowed until on_closed. On failure nothing has to be closed. */
enum status stream_create_tcp(struct stream_hub *hub, const struct stream_events *events,
                              void *owner, struct stream **out);
enum status stream_create_unix(struct stream_hub *hub, const struct stream_events *events,
                               void *owner, struct stream **out);

/* Takes over a connected socket. On failure `fd` stays the caller's. */
enum status stream_open(struct stream *stream, int fd);

/* Does the other end of the connected Unix socket `fd` belong to a process of our own user? An
 * abstract socket name is open to everybody on the machine. */
bool stream_is_own_user(int fd);

/* Begins to connect a TCP stream; on_connect has the outcome. */
enum status stream_connect(struct stream *stream, const struct sockaddr *address);

/* Lets data come (again), or holds it back in the kernel, where TCP slows the peer down. After
 * on_end, stream_finish or stream_close they do nothing and succeed. */
enum status stream_read_start(struct stream *stream);
void stream_read_stop(struct stream *stream);

/* Collects `size` bytes for sending; while connecting they wait for the connection. STATUS_NOMEM:
 * nothing was collected. After stream_finish or stream_close it does nothing and succeeds. */
enum status stream_send(struct stream *stream, const void *data, size_t size);

/* Bytes collected or being written that the kernel has not taken yet. */
size_t stream_backlog(const struct stream *stream);

/* Sends what is collected, ends our side, waits up to a second for the peer to end its own (so that
 * unread input does not turn into a reset that destroys our last words), then closes. What still
 * comes is thrown away; on_end, on_data and on_drain do not come any more. While connecting it
 * closes. A peer that does not read what is collected is waited for without end: the owner closes.
 */
void stream_finish(struct stream *stream);

/* Ends our side and goes on reading (half-close): on_data and on_end come as before, nothing can be
 * sent any more, and stream_finish() closes at once. For an open stream without a backlog. */
void stream_shutdown(struct stream *stream);

/* Closes now; collected output is lost. May be called again. */
void stream_close(struct stream *stream);

/* Was stream_close called, by whomever? */
bool stream_is_closing(const struct stream *stream);

/* Was stream_finish called? Also true once it is closing. */
bool stream_is_finishing(const struct stream *stream);

/* Has the peer's machine answer from time to time, so that one that is gone is noticed: on_end
 * comes then. For TCP, after open or connect. `idle_s` is how long the connection may be quiet
 * before it is asked, in seconds. */
void stream_set_keepalive(struct stream *stream, unsigned idle_s);

/* Has the peer reset a connection that is not being read from? Reading would show it; this asks
 * the kernel. Always false for Unix streams. */
bool stream_was_reset(const struct stream *stream);

#endif
