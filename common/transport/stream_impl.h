/* stream_impl.h - the fields of a stream, for stream.c and for the kinds of streams only.
 *
 * A kind of stream is a table of the operations that differ: how to initialize the handle, how to
 * take over a socket, what to do once connected, what the bytes on the wire mean, and how to ask
 * the kernel about the connection.
 */
#ifndef LOTTERY_STREAM_IMPL_H
#define LOTTERY_STREAM_IMPL_H

#include "buffer.h"
#include "list.h"
#include "stream.h"

/* In the order in which a stream goes through them. It can skip any of them but the last. */
enum stream_state {
    STREAM_NEW,         /* created */
    STREAM_CONNECTING,  /* stream_connect was called, the outcome is not known yet */
    STREAM_HANDSHAKING, /* connected, but the kind has to agree with the peer before bytes pass */
    STREAM_OPEN,        /* bytes go both ways */
    STREAM_SHUT,        /* stream_shutdown was called: bytes are only received */
    STREAM_FINISHING, /* stream_finish was called, or TLS has failed: what is left is being sent */
    STREAM_LINGERING, /* our side is shut down, the peer's is not yet */
    STREAM_CLOSING    /* stream_close was called */
};

/* A handshake takes about as long as thousands of bets. So only a few are gone on with in a turn of
 * the loop, and the others wait, their bytes in the kernel: a crowd of new peers does not hold up
 * old ones. */
#define HANDSHAKES_PER_TURN 4
#define HANDSHAKE_READ_SIZE ((size_t)16 * 1024) /* bytes that one of these reads takes at most */

/* The operations of one kind of stream. Codes are libuv's. */
struct stream_ops {
    bool is_tcp; /* its socket is one, so that it can be connected to an address */
    int (*init)(uv_loop_t *loop, struct stream *stream);
    int (*open)(struct stream *stream, int fd);
    /* The stream is connected, by open or connect. Returns the state that it is in now. */
    enum stream_state (*on_connected)(struct stream *stream);
    /* Bytes have come from the kernel: passes on to the owner what they say. */
    void (*on_received)(struct stream *stream, const uint8_t *data, size_t size);
    /* Some of them could not be passed on before: the same again, in another turn of the loop. */
    void (*on_unread)(struct stream *stream);
    /* The peer has ended its side of the socket (OK), or the connection broke: tells the owner. */
    void (*on_end)(struct stream *stream, enum status status, const char *detail);
    /* Moves what is to be sent now, as it goes over the wire, to `writing`, which is empty.
     * UV_ECANCELED: the stream has failed, and the owner has been told. */
    int (*take_output)(struct stream *stream);
    void (*fini)(struct stream *stream);
    void (*set_keepalive)(struct stream *stream, unsigned idle_s, uint64_t limit_ms);
    bool (*was_reset)(const struct stream *stream);
};

/* Memory for output is used again by the next stream that sends: a new block for each write is a
 * page fault for each 4 KiB of it. A stream that collects bytes has one, and encrypts into another.
 */
#define HUB_SPARES 2
#define HUB_SPARE_MAX ((size_t)512 * 1024) /* bytes that one keeps at most */

struct stream_hub {
    uv_loop_t *loop;
    uv_idle_t idle;          /* active while `dirty` or `unread` is not empty */
    uv_timer_t linger_timer; /* active while `lingering` is not empty */
    uv_prepare_t turns;      /* counts the turns of the loop */
    uint64_t turn;           /* how many there were */
    unsigned handshakes;     /* how many were gone on with in this turn */
    struct list dirty;       /* streams with collected output, by in_dirty */
    struct list unread;      /* streams with more to pass on to owners that want it, by in_unread */
    struct list waiting;     /* streams whose handshakes wait for their turn, by in_waiting */
    struct list lingering;   /* streams that wait for their peer's end, by in_lingering */
    unsigned open_handles;   /* of the three above; the last one to close frees the hub */
    uint8_t *plain;          /* what TLS decrypts, STREAM_READ_SIZE bytes; NULL without TLS */
    struct buffer spares[HUB_SPARES]; /* empty, with memory; for output of whoever sends next */
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
    bool is_wanted;          /* the owner wants bytes: stream_read_start was called, and not stop */
    bool has_unread;         /* bytes have come that were not passed on yet, so no more are read */
    bool has_ended;          /* on_end was called: the peer's side is over */
    bool is_half_closed;     /* our side of the socket was shut down in STREAM_SHUT */
    struct tls_session *tls; /* owned; NULL: not of that kind */
    struct buffer out;       /* collected output; no memory while there is none */
    struct buffer writing;   /* what is being written; no memory while there is nothing */
    size_t writing_left;     /* bytes of it that libuv has and the kernel has not taken */
    size_t read_limit;       /* bytes that may be passed on at once, as the owner said last */
    uint64_t read_turn;      /* the turn of the loop in which it was last read from */
    uint64_t handshake_turn; /* the turn in which it goes on with its handshake, or last did */
    struct list_node in_dirty;
    struct list_node in_unread;
    struct list_node in_waiting;
    struct list_node in_lingering;
    uint64_t linger_until_ms; /* monotonic: when to stop waiting for the peer's end */
    size_t linger_bytes;      /* thrown away while waiting for it */
};

/* What kinds use of stream.c. */

enum status stream_create(struct stream_hub *hub, const struct stream_ops *ops,
                          const struct stream_events *events, void *owner, struct stream **out);

/* Memory for output, or an empty buffer without any; and where it is returned to, and *buffer is
 * empty then. */
struct buffer stream_hub_take_spare(struct stream_hub *hub);
void stream_hub_give_spare(struct stream_hub *hub, struct buffer *buffer);

/* Begins to read from the kernel, whatever the owner wants; a libuv code. */
int stream_read_kernel(struct stream *stream);

/* Counts one of the handshakes of this turn, unless it has been counted. */
void stream_take_handshake_turn(struct stream *stream);

/* There is something for take_output to send. */
void stream_mark_dirty(struct stream *stream);

/* Bytes are there that were not passed on: on_unread follows if the owner wants them, or once it
 * does. Nothing is read meanwhile. */
void stream_mark_unread(struct stream *stream);

/* Calls the owner's on_connect, or on_end unless that was called. */
void stream_report_connect(struct stream *stream, enum status status, const char *detail);
void stream_report_end(struct stream *stream, enum status status, const char *detail);

/* Sends what is left, then closes, as stream_finish(). */
void stream_begin_finish(struct stream *stream);

#endif
