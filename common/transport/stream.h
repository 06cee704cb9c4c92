/* stream.h - a byte stream over libuv: TCP between agency and central, Unix between processes.
 *
 * The one place that reads from and writes to connections; TLS would slot in here. It carries
 * bytes; frames are cut by frame_reader.h.
 *
 * Rules (they are libuv's): after a successful init the stream must be closed; its memory may be
 * reused or freed only from on_closed, which comes exactly once. All calls and all callbacks happen
 * on the loop's thread; no call blocks.
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
    /* The stream is gone; its memory is the owner's again. */
    void (*on_closed)(void *owner);
};

/* What the streams of one loop share. Owned by the caller; lives until the loop has ended. */
struct stream_hub {
    uv_loop_t *loop;
    uv_idle_t flusher;        /* active while `dirty` is not empty */
    uv_timer_t linger_timer;  /* active while `lingering` is not empty */
    struct stream *dirty;     /* streams with collected output, linked by next_dirty */
    struct stream *lingering; /* streams that wait for their peer's end, by next_lingering */
    char read_buffer[STREAM_READ_SIZE];
};

struct stream {
    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
    union { /* never two at a time */
        uv_connect_t connect;
        uv_write_t write;
        uv_shutdown_t shutdown;
    } request;
    struct stream_hub *hub;
    const struct stream_events *events;
    void *owner;
    uint8_t *out;        /* collected output, or NULL */
    size_t out_size;     /* bytes of it */
    size_t out_capacity; /* bytes allocated for it */
    uint8_t *writing;    /* what libuv is writing, or NULL */
    size_t writing_size;
    struct stream *next_dirty;
    struct stream *next_lingering;
    uint64_t linger_until_ms; /* monotonic: when to stop waiting for the peer's end */
    bool is_dirty;
    bool is_connecting; /* stream_connect was called, the outcome is not known yet */
    bool has_ended;     /* on_end was called */
    bool is_finishing;  /* stream_finish was called */
    bool is_lingering;  /* our side is shut down, the peer's is not yet */
    bool is_closing;    /* stream_close was called */
};

/* Prepares what the streams of `loop` share. */
void stream_hub_init(struct stream_hub *hub, uv_loop_t *loop);

/* Closes the hub's handles; all its streams must be closed or closing. */
void stream_hub_close(struct stream_hub *hub);

/* Starts the life of a TCP (or Unix) stream on caller memory. `events` and `owner` are borrowed
 * until on_closed. On failure nothing has to be closed. */
enum status stream_init_tcp(struct stream *stream, struct stream_hub *hub,
                            const struct stream_events *events, void *owner);
enum status stream_init_unix(struct stream *stream, struct stream_hub *hub,
                             const struct stream_events *events, void *owner);

/* Takes over a connected socket. On failure `fd` stays the caller's. */
enum status stream_open(struct stream *stream, int fd);

/* Does the other end of this connected Unix socket belong to a process of our own user? An abstract
 * socket name is open to everybody on the machine. */
bool stream_is_own_user(int fd);

/* Begins to connect a TCP stream; on_connect tells the outcome. */
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

/* Closes now; collected output is lost. May be called again. */
void stream_close(struct stream *stream);

#endif
