/* stream.h - a byte stream over libuv: TCP or TLS between agency and server, Unix between
 * processes.
 *
 * Only this module reads from and writes to connections. It carries bytes; frame_reader.h cuts them
 * into frames. What differs between kinds of streams is in a table of operations (stream_impl.h).
 *
 * After a successful create the stream must be closed. It calls on_closed exactly once, and frees
 * itself when that has returned. All calls and all callbacks happen on the loop's thread; no call
 * blocks.
 *
 * Memory: a stream that has nothing to send holds no buffer; reading goes through one buffer of the
 * hub. Output is copied and collected, and leaves in one write per turn of the loop. Its owner
 * keeps it bounded: it stops reading requests while stream_backlog() is high (on_drain says when
 * the backlog is empty again).
 */
#ifndef LOTTERY_STREAM_H
#define LOTTERY_STREAM_H

#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define STREAM_READ_SIZE ((size_t)64 * 1024)      /* bytes that one read hands out at most */
#define STREAM_LINGER_MAX (16 * STREAM_READ_SIZE) /* bytes; see stream_finish() */

struct stream;
struct tls_context; /* tls_context.h */
struct tls_peer;    /* tls_peer.h */

struct stream_events {
    /* The connection attempt of stream_connect ended; with TLS, also of stream_open: the handshake
     * is over, and no other event comes before. After a failure on_end is not called;
     * STATUS_UNTRUSTED: it is one that both sides should be told, so the owner calls stream_finish,
     * not stream_close. `detail` is static. NULL where it is never called. */
    void (*on_connect)(void *owner, enum status status, const char *detail);
    /* Bytes are about to be read. Returns how many at most, up to STREAM_READ_SIZE; 0 stops reading
     * until stream_read_start(), and they stay in the kernel. It must not call the stream. NULL:
     * STREAM_READ_SIZE. */
    size_t (*on_read)(void *owner);
    /* Bytes have arrived; they are valid during the call. At most once in a turn of the loop, so
     * that one fast sender cannot keep the loop busy alone. */
    void (*on_data)(void *owner, const uint8_t *data, size_t size);
    /* No more bytes will arrive: STATUS_OK when the peer ended its side, otherwise why the
     * connection broke; with TLS, it also broke if it ended without close_notify.
     * STATUS_UNTRUSTED: the peer refuses our certificate. Called at most once. */
    void (*on_end)(void *owner, enum status status, const char *detail);
    /* Everything sent so far has been taken by the kernel. NULL: not needed. */
    void (*on_drain)(void *owner);
    /* The stream is gone: the owner must not use it any more. */
    void (*on_closed)(void *owner);
};

/* What the streams of one loop share: the read buffer, and the list of streams with output. */
struct stream_hub;

/* Creates the hub of `loop`, which is borrowed. STATUS_NOMEM. */
enum status stream_hub_create(uv_loop_t *loop, struct stream_hub **out);

/* Closes the hub and frees it in a later turn of the loop. All its streams must already be closed
 * or closing. */
void stream_hub_close(struct stream_hub *hub);

/* The loop that it was created with. */
uv_loop_t *stream_hub_loop(const struct stream_hub *hub);

/* Creates a TCP (or Unix) stream that is not connected yet: call stream_open() or stream_connect()
 * next. `events` and `owner` are borrowed until on_closed. On failure nothing has to be closed. */
enum status stream_create_tcp(struct stream_hub *hub, const struct stream_events *events,
                              void *owner, struct stream **out);
enum status stream_create_unix(struct stream_hub *hub, const struct stream_events *events,
                               void *owner, struct stream **out);

/* The same for TLS over TCP: as the side that `context` is for. `context` is borrowed until
 * on_closed, `server_name` is as for tls_session_create(). The handshake reads by itself; after it,
 * the owner's stream_read_start() and stream_read_stop() count. What is sent waits for its end. */
enum status stream_create_tls(struct stream_hub *hub, const struct tls_context *context,
                              const char *server_name, const struct stream_events *events,
                              void *owner, struct stream **out);

/* What the certificate of the peer says, see tls_session.h; NULL or "" without TLS. */
const struct tls_peer *stream_peer(const struct stream *stream);
const char *stream_peer_name(const struct stream *stream);

/* Takes over a connected socket. On failure `fd` stays the caller's. */
enum status stream_open(struct stream *stream, int fd);

/* Does the other end of the connected Unix socket `fd` belong to a process of our own user? An
 * abstract socket name is open to everybody on the machine. */
bool stream_is_own_user(int fd);

/* Begins to connect a TCP stream; on_connect reports the outcome. After a failure it is not called,
 * and *out_detail is the reason, a static text. */
enum status stream_connect(struct stream *stream, const struct sockaddr *address,
                           const char **out_detail);

/* Gives an open stream to another owner: from now on its events are called. Nothing may have been
 * read or sent yet. */
void stream_hand_over(struct stream *stream, const struct stream_events *events, void *owner);

/* Start reading (again), or stop: unread data then stays in the kernel, and TCP slows the peer
 * down. After on_end, stream_finish or stream_close they do nothing and succeed. */
enum status stream_read_start(struct stream *stream);
void stream_read_stop(struct stream *stream);

/* Collects `size` bytes for sending; while connecting they wait for the connection. STATUS_NOMEM:
 * nothing was collected. After stream_finish or stream_close it does nothing and succeeds. */
enum status stream_send(struct stream *stream, const void *data, size_t size);

/* Bytes collected or being written that the kernel has not taken yet. */
size_t stream_backlog(const struct stream *stream);

/* Sends what is collected, ends our side, waits up to a second for the peer to end its own (because
 * closing with unread input would reset the connection, and the peer could lose our last bytes),
 * then closes. Input that still arrives is thrown away, up to STREAM_LINGER_MAX bytes; on_end,
 * on_data and on_drain are not called any more. While connecting it closes at once. There is no
 * time limit for a peer that does not read what is collected: the owner has to call stream_close.
 */
void stream_finish(struct stream *stream);

/* Ends our side and goes on reading (half-close): on_data and on_end are called as before, nothing
 * can be sent any more, and stream_finish() closes at once. For an open stream without a backlog.
 */
void stream_shutdown(struct stream *stream);

/* Closes now; collected output is lost. May be called again. */
void stream_close(struct stream *stream);

/* Was stream_close called, by the owner or by the stream itself? */
bool stream_is_closing(const struct stream *stream);

/* Was stream_finish called? Also true once it is closing. */
bool stream_is_finishing(const struct stream *stream);

/* Makes the kernel probe a quiet connection, and give up one whose peer acknowledges nothing for
 * two minutes, so that on_end is called if the peer's machine is gone. For TCP, after open or
 * connect. `idle_s` is how long the connection must be quiet before the first probe, in seconds.
 * `limit_ms` is how long the owner itself lets a peer not read, which for the kernel is the same:
 * then it gives up a minute later than that, if that is more than two minutes. 0: the owner has no
 * such limit. */
void stream_set_keepalive(struct stream *stream, unsigned idle_s, uint64_t limit_ms);

/* Has the peer reset the connection? For a stream that is not being read from, and so would not
 * notice; this asks the kernel. Always false for Unix streams. */
bool stream_was_reset(const struct stream *stream);

#endif
