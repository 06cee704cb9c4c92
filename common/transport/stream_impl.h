/* stream_impl.h - the fields of a stream, for stream.c and for the kinds of streams only.
 *
 * A kind of stream is a table of the operations that differ: how to initialize the handle, how to
 * take over a socket, what to do once connected, and how to ask the kernel about the connection.
 */
#ifndef LOTTERY_STREAM_IMPL_H
#define LOTTERY_STREAM_IMPL_H

#include "buffer.h"
#include "list.h"
#include "stream.h"

/* In the order in which a stream goes through them. It can skip any of them but the last. */
enum stream_state {
    STREAM_NEW,        /* created */
    STREAM_CONNECTING, /* stream_connect was called, the outcome is not known yet */
    STREAM_OPEN,       /* bytes go both ways */
    STREAM_SHUT,       /* stream_shutdown was called: bytes are only received */
    STREAM_FINISHING,  /* stream_finish was called: the collected output is being sent */
    STREAM_LINGERING,  /* our side is shut down, the peer's is not yet */
    STREAM_CLOSING     /* stream_close was called */
};

/* The operations of one kind of stream. They return libuv's codes. */
struct stream_ops {
    int (*init)(uv_loop_t *loop, struct stream *stream);
    int (*open)(struct stream *stream, int fd);
    /* The stream is connected, by open or connect. */
    void (*on_connected)(struct stream *stream);
    void (*set_keepalive)(struct stream *stream, unsigned idle_s, uint64_t limit_ms);
    bool (*was_reset)(const struct stream *stream);
};

extern const struct stream_ops stream_tcp_ops;
extern const struct stream_ops stream_unix_ops;

struct stream_hub {
    uv_loop_t *loop;
    uv_idle_t flusher;       /* active while `dirty` is not empty */
    uv_timer_t linger_timer; /* active while `lingering` is not empty */
    uv_prepare_t turns;      /* counts the turns of the loop */
    uint64_t turn;           /* how many there were */
    struct list dirty;       /* streams with collected output, by in_dirty */
    struct list lingering;   /* streams that wait for their peer's end, by in_lingering */
    unsigned open_handles;   /* of the three above; the last one to close frees the hub */
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
    const struct stream_ops *ops;
    struct stream_hub *hub;
    const struct stream_events *events;
    void *owner;
    enum stream_state state;
    bool has_ended;        /* on_end was called: the peer's side is over */
    struct buffer out;     /* collected output; no memory while there is none */
    struct buffer writing; /* what libuv is writing; no memory while there is nothing */
    size_t writing_left;   /* bytes of it that the kernel has not taken */
    uint64_t read_turn;    /* the turn of the loop in which it was last read from */
    struct list_node in_dirty;
    struct list_node in_lingering;
    uint64_t linger_until_ms; /* monotonic: when to stop waiting for the peer's end */
    size_t linger_bytes;      /* thrown away while waiting for it */
};

#endif
