/* A byte stream over libuv.
 *
 * Happy path: init, open or connect, read_start; on_data hands out what comes; stream_send collects
 * output and marks the stream dirty; the hub's flusher tries one write at the next turn of the
 * loop; what the kernel does not take goes through uv_write, whose callback carries on; when all is
 * out, on_drain. Closing frees the buffers in the close callback and tells the owner last.
 *
 * Failure modes: a read error or a write error ends the stream (on_end, once, never from within a
 * call of the owner's); the owner then closes. No memory for output: stream_send says so and the
 * owner closes. A peer that does not read: output stays collected, stream_backlog tells. A peer
 * that never ends its side after stream_finish: the linger timer closes.
 */
#include "stream.h"

#include "clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MS 1000
#define LINGER_CHECK_MS 100
#define OUT_FIRST_CAPACITY 256

static enum status status_from_uv(int code)
{
    return code >= 0 ? STATUS_OK : status_from_errno(-code);
}

static void mark_dirty(struct stream *stream);
static void on_idle(uv_idle_t *idle);
static void on_linger_timer(uv_timer_t *timer);

void stream_hub_init(struct stream_hub *hub, uv_loop_t *loop)
{
    hub->loop = loop;
    hub->dirty = NULL;
    hub->lingering = NULL;
    /* These two can not fail; they only fill the handles in. */
    (void)uv_idle_init(loop, &hub->flusher);
    (void)uv_timer_init(loop, &hub->linger_timer);
    hub->flusher.data = hub;
    hub->linger_timer.data = hub;
}

void stream_hub_close(struct stream_hub *hub)
{
    uv_close((uv_handle_t *)&hub->flusher, NULL);
    uv_close((uv_handle_t *)&hub->linger_timer, NULL);
}

static void init(struct stream *stream, struct stream_hub *hub, const struct stream_events *events,
                 void *owner)
{
    stream->hub = hub;
    stream->events = events;
    stream->owner = owner;
    stream->handle.any.data = stream;
}

enum status stream_init_tcp(struct stream *stream, struct stream_hub *hub,
                            const struct stream_events *events, void *owner)
{
    memset(stream, 0, sizeof(*stream));
    int code = uv_tcp_init(hub->loop, &stream->handle.tcp);
    if (code == 0)
        init(stream, hub, events, owner);
    return status_from_uv(code);
}

enum status stream_init_unix(struct stream *stream, struct stream_hub *hub,
                             const struct stream_events *events, void *owner)
{
    memset(stream, 0, sizeof(*stream));
    int code = uv_pipe_init(hub->loop, &stream->handle.pipe, 0);
    if (code == 0)
        init(stream, hub, events, owner);
    return status_from_uv(code);
}

/* Acks are small and are already collected into one write: waiting for more only adds latency. */
static void set_nodelay(struct stream *stream)
{
    if (stream->handle.any.type == UV_TCP)
        (void)uv_tcp_nodelay(&stream->handle.tcp, 1);
}

enum status stream_open(struct stream *stream, int fd)
{
    int code = stream->handle.any.type == UV_TCP ? uv_tcp_open(&stream->handle.tcp, fd)
                                                 : uv_pipe_open(&stream->handle.pipe, fd);

    if (code == 0)
        set_nodelay(stream);
    return status_from_uv(code);
}

bool stream_is_own_user(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

static void on_connect(uv_connect_t *request, int code)
{
    struct stream *stream = request->handle->data;

    stream->is_connecting = false;
    if (stream->is_closing)
        return;
    if (code == 0) {
        set_nodelay(stream);
        if (stream->out_size > 0)
            mark_dirty(stream);
    }
    stream->events->on_connect(stream->owner, status_from_uv(code),
                               code == 0 ? "" : uv_strerror(code));
}

enum status stream_connect(struct stream *stream, const struct sockaddr *address)
{
    int code = uv_tcp_connect(&stream->request.connect, &stream->handle.tcp, address, on_connect);

    stream->is_connecting = code == 0;
    return status_from_uv(code);
}

static void end(struct stream *stream, int code)
{
    if (stream->is_closing)
        return;
    if (stream->is_finishing) { /* nothing more to say, or nobody to say it to */
        stream_close(stream);
        return;
    }
    if (stream->has_ended)
        return;
    stream->has_ended = true;
    (void)uv_read_stop(&stream->handle.stream);
    stream->events->on_end(stream->owner, code == UV_EOF ? STATUS_OK : status_from_uv(code),
                           code == UV_EOF ? "" : uv_strerror(code));
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct stream *stream = handle->data;

    (void)suggested;
    *buffer = uv_buf_init(stream->hub->read_buffer, sizeof(stream->hub->read_buffer));
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buffer)
{
    struct stream *stream = handle->data;

    if (count < 0)
        end(stream, (int)count);
    else if (count > 0 && !stream->is_finishing)
        stream->events->on_data(stream->owner, (const uint8_t *)buffer->base, (size_t)count);
}

enum status stream_read_start(struct stream *stream)
{
    if (stream->is_closing || stream->is_finishing || stream->has_ended)
        return STATUS_OK;
    int code = uv_read_start(&stream->handle.stream, on_alloc, on_read);
    return code == UV_EALREADY ? STATUS_OK : status_from_uv(code);
}

void stream_read_stop(struct stream *stream)
{
    if (!stream->is_closing && !stream->is_finishing)
        (void)uv_read_stop(&stream->handle.stream);
}

size_t stream_backlog(const struct stream *stream)
{
    return stream->out_size + stream->writing_size;
}

static void mark_dirty(struct stream *stream)
{
    struct stream_hub *hub = stream->hub;

    if (stream->is_dirty)
        return;
    stream->is_dirty = true;
    stream->next_dirty = hub->dirty;
    hub->dirty = stream;
    (void)uv_idle_start(&hub->flusher, on_idle);
}

enum status stream_send(struct stream *stream, const void *data, size_t size)
{
    if (stream->is_closing || stream->is_finishing || size == 0)
        return STATUS_OK;
    if (size > stream->out_capacity - stream->out_size) {
        size_t capacity = stream->out_capacity == 0 ? OUT_FIRST_CAPACITY : stream->out_capacity;
        while (capacity - stream->out_size < size)
            capacity *= 2;
        uint8_t *grown = realloc(stream->out, capacity);
        if (grown == NULL)
            return STATUS_NOMEM;
        stream->out = grown;
        stream->out_capacity = capacity;
    }
    memcpy(stream->out + stream->out_size, data, size);
    stream->out_size += size;
    mark_dirty(stream);
    return STATUS_OK;
}

static void drop_out(struct stream *stream)
{
    free(stream->out);
    stream->out = NULL;
    stream->out_size = 0;
    stream->out_capacity = 0;
}

static void on_shutdown(uv_shutdown_t *request, int code)
{
    struct stream *stream = request->handle->data;
    struct stream_hub *hub = stream->hub;

    if (stream->is_closing)
        return;
    if (code < 0 || stream->has_ended ||
        uv_read_start(&stream->handle.stream, on_alloc, on_read) < 0) {
        stream_close(stream);
        return;
    }
    stream->is_lingering = true;
    stream->linger_until_ms = clock_monotonic_ms() + LINGER_MS;
    stream->next_lingering = hub->lingering;
    hub->lingering = stream;
    if (!uv_is_active((uv_handle_t *)&hub->linger_timer))
        (void)uv_timer_start(&hub->linger_timer, on_linger_timer, LINGER_CHECK_MS, LINGER_CHECK_MS);
}

static void remove_lingering(struct stream *stream)
{
    struct stream **link = &stream->hub->lingering;

    while (*link != NULL && *link != stream)
        link = &(*link)->next_lingering;
    if (*link == stream)
        *link = stream->next_lingering;
    stream->is_lingering = false;
    if (stream->hub->lingering == NULL)
        (void)uv_timer_stop(&stream->hub->linger_timer);
}

static void on_linger_timer(uv_timer_t *timer)
{
    struct stream_hub *hub = timer->data;
    uint64_t now = clock_monotonic_ms();

    for (struct stream *stream = hub->lingering, *next; stream != NULL; stream = next) {
        next = stream->next_lingering; /* closing takes it off the list */
        if (now >= stream->linger_until_ms)
            stream_close(stream);
    }
}

/* Everything is out: shut down when finishing, else tell the owner. */
static void drained(struct stream *stream)
{
    if (!stream->is_finishing) {
        stream->events->on_drain(stream->owner);
        return;
    }
    int code = uv_shutdown(&stream->request.shutdown, &stream->handle.stream, on_shutdown);
    if (code < 0)
        stream_close(stream);
}

static void on_write(uv_write_t *request, int code)
{
    struct stream *stream = request->handle->data;

    free(stream->writing);
    stream->writing = NULL;
    stream->writing_size = 0;
    if (stream->is_closing)
        return;
    if (code < 0)
        end(stream, code);
    else
        mark_dirty(stream); /* flush() alone goes on: a stream is shut down once */
}

/* One try_write; the rest, if any, goes to libuv as it is, without a copy. */
static void flush(struct stream *stream)
{
    if (stream->is_closing || stream->is_connecting || stream->writing != NULL)
        return; /* on_connect or on_write comes back for what was collected meanwhile */
    if (stream->out_size == 0) {
        drained(stream);
        return;
    }
    uv_buf_t buffer = uv_buf_init((char *)stream->out, (unsigned)stream->out_size);
    int written = uv_try_write(&stream->handle.stream, &buffer, 1);
    if (written == UV_EAGAIN)
        written = 0;
    if (written < 0) {
        drop_out(stream);
        end(stream, written);
        return;
    }
    if ((size_t)written == stream->out_size) {
        drop_out(stream);
        drained(stream);
        return;
    }
    stream->writing = stream->out;
    stream->writing_size = stream->out_size - (size_t)written;
    stream->out = NULL;
    stream->out_size = 0;
    stream->out_capacity = 0;
    buffer = uv_buf_init((char *)stream->writing + written, (unsigned)stream->writing_size);
    int code = uv_write(&stream->request.write, &stream->handle.stream, &buffer, 1, on_write);
    if (code < 0) {
        free(stream->writing);
        stream->writing = NULL;
        stream->writing_size = 0;
        end(stream, code);
    }
}

/* Takes the list as it is now: what a flush makes dirty again waits for the next turn, so that one
 * fast reader can not keep the loop to itself. */
static void on_idle(uv_idle_t *idle)
{
    struct stream_hub *hub = idle->data;
    struct stream *stream = hub->dirty;

    hub->dirty = NULL;
    while (stream != NULL) {
        struct stream *next = stream->next_dirty;
        stream->is_dirty = false;
        flush(stream);
        stream = next;
    }
    /* cppcheck-suppress knownConditionTrueFalse ; flush() can make streams dirty again */
    if (hub->dirty == NULL)
        (void)uv_idle_stop(&hub->flusher);
}

void stream_finish(struct stream *stream)
{
    if (stream->is_closing || stream->is_finishing)
        return;
    if (stream->is_connecting) {
        stream_close(stream);
        return;
    }
    stream->is_finishing = true;
    (void)uv_read_stop(&stream->handle.stream);
    mark_dirty(stream); /* flush() shuts down when there is nothing left */
}

static void remove_dirty(struct stream *stream)
{
    struct stream **link = &stream->hub->dirty;

    while (*link != NULL && *link != stream)
        link = &(*link)->next_dirty;
    if (*link == stream)
        *link = stream->next_dirty;
    stream->is_dirty = false;
}

static void on_close(uv_handle_t *handle)
{
    struct stream *stream = handle->data;

    free(stream->writing);
    drop_out(stream);
    stream->writing = NULL;
    stream->events->on_closed(stream->owner);
}

void stream_close(struct stream *stream)
{
    if (stream->is_closing)
        return;
    stream->is_closing = true;
    if (stream->is_lingering)
        remove_lingering(stream);
    if (stream->is_dirty)
        remove_dirty(stream);
    uv_close(&stream->handle.any, on_close);
}
