/* A byte stream over libuv. What the bytes mean on their way is up to its kind: plain ones pass as
 * they are, stream_tls.c encrypts them.
 *
 * Happy path: create, open or connect, read_start; on_data hands out the bytes that arrive;
 * stream_send collects output and marks the stream dirty; in the next turn of the loop
 * stream_on_idle() tries one write; what the kernel does not take goes through uv_write, whose
 * callback carries on; when everything is written, on_drain. The close callback calls on_closed,
 * then frees the stream.
 *
 * Failure modes: a read error or a write error ends the stream (on_end, once, never from within a
 * call that the owner makes); the owner then closes. No memory for output: stream_send says so, and
 * the owner closes. A peer does not read: output stays collected, and stream_backlog says how much.
 * A peer never ends its side after stream_finish, or sends on and on: the linger timer closes, or
 * the count of what was thrown away.
 */
#include "assertion.h"
#include "clock.h"
#include "stream_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MS 1000
#define LINGER_CHECK_MS 100

static enum status status_from_uv(int code)
{
    return code >= 0 ? STATUS_OK : status_from_errno(-code);
}

static void stream_on_idle(uv_idle_t *idle);
static void stream_on_linger_timer(uv_timer_t *timer);

void stream_take_handshake_turn(struct stream *stream)
{
    struct stream_hub *hub = stream->hub;

    if (stream->handshake_turn == hub->turn)
        return;
    stream->handshake_turn = hub->turn;
    hub->handshakes++;
}

/* The handshakes that have waited longest are gone on with first. */
static void stream_hub_on_turn(uv_prepare_t *prepare)
{
    struct stream_hub *hub = prepare->data;
    struct list_node *node;

    hub->turn++;
    hub->handshakes = 0;
    while (hub->handshakes < HANDSHAKES_PER_TURN && (node = list_pop(&hub->waiting)) != NULL) {
        struct stream *stream = LIST_ITEM(node, struct stream, in_waiting);
        stream_take_handshake_turn(stream);
        (void)stream_read_kernel(stream);
    }
}

enum status stream_hub_create(uv_loop_t *loop, struct stream_hub **out)
{
    struct stream_hub *hub = malloc(sizeof(*hub));

    if (hub == NULL)
        return STATUS_NOMEM;
    hub->loop = loop;
    list_init(&hub->dirty);
    list_init(&hub->unread);
    list_init(&hub->waiting);
    list_init(&hub->lingering);
    hub->plain = NULL;
    memset(hub->spares, 0, sizeof(hub->spares));
    hub->handshakes = 0;
    /* These cannot fail; they only fill the handles in. */
    (void)uv_idle_init(loop, &hub->idle);
    (void)uv_timer_init(loop, &hub->linger_timer);
    (void)uv_prepare_init(loop, &hub->turns);
    hub->open_handles = 3;
    hub->turn = 1;
    hub->idle.data = hub;
    hub->linger_timer.data = hub;
    hub->turns.data = hub;
    (void)uv_prepare_start(&hub->turns, stream_hub_on_turn);
    uv_unref((uv_handle_t *)&hub->turns);
    *out = hub;
    return STATUS_OK;
}

static void stream_hub_on_closed(uv_handle_t *handle)
{
    struct stream_hub *hub = handle->data;

    if (--hub->open_handles > 0)
        return;
    free(hub->plain);
    for (size_t i = 0; i < HUB_SPARES; i++)
        buffer_fini(&hub->spares[i]);
    free(hub);
}

void stream_hub_close(struct stream_hub *hub)
{
    ASSERT(list_is_empty(&hub->dirty) && list_is_empty(&hub->unread) &&
           list_is_empty(&hub->waiting) && list_is_empty(&hub->lingering));
    uv_close((uv_handle_t *)&hub->idle, stream_hub_on_closed);
    uv_close((uv_handle_t *)&hub->linger_timer, stream_hub_on_closed);
    uv_close((uv_handle_t *)&hub->turns, stream_hub_on_closed);
}

struct buffer stream_hub_take_spare(struct stream_hub *hub)
{
    for (size_t i = 0; i < HUB_SPARES; i++) {
        struct buffer spare = hub->spares[i];
        hub->spares[i] = (struct buffer){NULL, 0, 0};
        if (spare.data != NULL)
            return spare;
    }
    return (struct buffer){NULL, 0, 0};
}

void stream_hub_give_spare(struct stream_hub *hub, struct buffer *buffer)
{
    for (size_t i = 0; i < HUB_SPARES && buffer->capacity <= HUB_SPARE_MAX; i++) {
        if (hub->spares[i].data != NULL)
            continue;
        hub->spares[i] = (struct buffer){buffer->data, 0, buffer->capacity};
        *buffer = (struct buffer){NULL, 0, 0};
        return;
    }
    buffer_fini(buffer);
}

uv_loop_t *stream_hub_loop(const struct stream_hub *hub)
{
    return hub->loop;
}

enum status stream_create(struct stream_hub *hub, const struct stream_ops *ops,
                          const struct stream_events *events, void *owner, struct stream **out)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL)
        return STATUS_NOMEM;
    int code = ops->init(hub->loop, stream);
    if (code < 0) {
        free(stream);
        return status_from_uv(code);
    }
    stream->ops = ops;
    stream->hub = hub;
    stream->events = events;
    stream->owner = owner;
    stream->state = STREAM_NEW;
    stream->handle.any.data = stream;
    *out = stream;
    return STATUS_OK;
}

bool stream_is_own_user(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

enum status stream_open(struct stream *stream, int fd)
{
    ASSERT(stream->state == STREAM_NEW);
    int code = stream->ops->open(stream, fd);
    if (code == 0)
        stream->state = stream->ops->on_connected(stream);
    return status_from_uv(code);
}

/* For good: what was not passed on is dropped. */
static void stream_stop_reading(struct stream *stream)
{
    stream->has_unread = false;
    list_remove(&stream->in_unread);
    list_remove(&stream->in_waiting);
    (void)uv_read_stop(&stream->handle.stream);
}

void stream_report_connect(struct stream *stream, enum status status, const char *detail)
{
    if (status != STATUS_OK)
        stream_stop_reading(stream);
    else if (stream->out.size > 0)
        stream_mark_dirty(stream);
    stream->events->on_connect(stream->owner, status, detail);
}

static void stream_on_connect(uv_connect_t *request, int code)
{
    struct stream *stream = request->handle->data;

    if (stream->state == STREAM_CLOSING)
        return;
    stream->state = code == 0 ? stream->ops->on_connected(stream) : STREAM_NEW;
    if (code < 0)
        stream_report_connect(stream, status_from_uv(code), uv_strerror(code));
    else if (stream->state == STREAM_OPEN)
        stream_report_connect(stream, STATUS_OK, "");
}

enum status stream_connect(struct stream *stream, const struct sockaddr *address,
                           const char **out_detail)
{
    ASSERT(stream->state == STREAM_NEW && stream->ops->is_tcp);
    int code =
        uv_tcp_connect(&stream->request.connect, &stream->handle.tcp, address, stream_on_connect);

    if (code == 0)
        stream->state = STREAM_CONNECTING;
    else
        *out_detail = uv_strerror(code);
    return status_from_uv(code);
}

void stream_hand_over(struct stream *stream, const struct stream_events *events, void *owner)
{
    ASSERT(stream->state == STREAM_OPEN && !stream->has_ended && stream->out.size == 0);
    stream->events = events;
    stream->owner = owner;
}

void stream_report_end(struct stream *stream, enum status status, const char *detail)
{
    if (stream->has_ended)
        return;
    stream->has_ended = true;
    stream_stop_reading(stream);
    stream->events->on_end(stream->owner, status, detail);
}

static void stream_end(struct stream *stream, int code)
{
    switch (stream->state) {
    case STREAM_CLOSING:
        return;
    case STREAM_FINISHING: /* the peer ended its side or is gone: no need to wait any longer */
    case STREAM_LINGERING:
        stream_close(stream);
        return;
    case STREAM_NEW:
    case STREAM_CONNECTING:
    case STREAM_HANDSHAKING:
    case STREAM_OPEN:
    case STREAM_SHUT:
        break;
    }
    if (code == UV_EOF)
        stream->ops->on_end(stream, STATUS_OK, "");
    else
        stream->ops->on_end(stream, status_from_uv(code), uv_strerror(code));
}

/* Has it to wait because others go on with their handshakes in this turn? */
static bool stream_has_to_wait(const struct stream *stream)
{
    const struct stream_hub *hub = stream->hub;

    return stream->state == STREAM_HANDSHAKING && stream->handshake_turn != hub->turn &&
           hub->handshakes >= HANDSHAKES_PER_TURN;
}

/* It must not be polled meanwhile: with thousands of them, that would take longer than all their
 * handshakes. */
static void stream_wait_for_handshake_turn(struct stream *stream)
{
    (void)uv_read_stop(&stream->handle.stream);
    list_append(&stream->hub->waiting, &stream->in_waiting);
}

/* Is it the stream's turn, and is all read that came before? */
static bool stream_may_read(const struct stream *stream)
{
    return stream->read_turn != stream->hub->turn && !stream->has_unread &&
           !stream_has_to_wait(stream);
}

/* An empty buffer makes libuv leave the bytes in the kernel and report UV_ENOBUFS. It reads as long
 * as buffers are filled, but a stream is read from only once in a turn. */
static void stream_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct stream *stream = handle->data;
    size_t size = STREAM_READ_SIZE;

    (void)suggested;
    if (!stream_may_read(stream))
        size = 0;
    else if (stream->state == STREAM_HANDSHAKING)
        size = HANDSHAKE_READ_SIZE;
    else if (stream->events->on_read != NULL && !stream_is_finishing(stream))
        size = stream->events->on_read(stream->owner);
    stream->read_limit = size;
    *buffer = uv_buf_init(stream->hub->read_buffer, (unsigned)size);
}

static void stream_throw_away(struct stream *stream, size_t size)
{
    stream->linger_bytes += size;
    if (stream->linger_bytes >= STREAM_LINGER_MAX)
        stream_close(stream);
}

static void stream_on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buffer)
{
    struct stream *stream = handle->data;

    if (count == UV_ENOBUFS) {
        if (stream_has_to_wait(stream))
            stream_wait_for_handshake_turn(stream);
        else if (stream_may_read(stream)) /* but the owner wants no bytes now */
            stream_read_stop(stream);
        return;
    }
    stream->read_turn = stream->hub->turn;
    if (count == UV_EOF && stream->has_unread)
        (void)stream_read_kernel(stream); /* the kernel says it again when that is passed on */
    else if (count < 0)
        stream_end(stream, (int)count);
    else if (stream_is_finishing(stream))
        stream_throw_away(stream, (size_t)count);
    else if (count > 0)
        stream->ops->on_received(stream, (const uint8_t *)buffer->base, (size_t)count);
}

int stream_read_kernel(struct stream *stream)
{
    int code = uv_read_start(&stream->handle.stream, stream_on_alloc, stream_on_read);

    return code == UV_EALREADY ? 0 : code;
}

enum status stream_read_start(struct stream *stream)
{
    if (stream_is_finishing(stream) || stream->has_ended)
        return STATUS_OK;
    stream->is_wanted = true;
    if (stream->state == STREAM_HANDSHAKING)
        return STATUS_OK;
    if (stream->has_unread)
        stream_mark_unread(stream);
    return status_from_uv(stream_read_kernel(stream));
}

void stream_read_stop(struct stream *stream)
{
    if (stream_is_finishing(stream))
        return;
    stream->is_wanted = false;
    list_remove(&stream->in_unread);
    if (stream->state != STREAM_HANDSHAKING)
        (void)uv_read_stop(&stream->handle.stream);
}

bool stream_is_closing(const struct stream *stream)
{
    return stream->state == STREAM_CLOSING;
}

bool stream_is_finishing(const struct stream *stream)
{
    return stream->state >= STREAM_FINISHING;
}

void stream_set_keepalive(struct stream *stream, unsigned idle_s, uint64_t limit_ms)
{
    stream->ops->set_keepalive(stream, idle_s, limit_ms);
}

bool stream_was_reset(const struct stream *stream)
{
    return stream->ops->was_reset(stream);
}

size_t stream_backlog(const struct stream *stream)
{
    return stream->out.size + stream->writing_left;
}

void stream_mark_dirty(struct stream *stream)
{
    struct stream_hub *hub = stream->hub;

    if (list_is_linked(&stream->in_dirty))
        return;
    list_append(&hub->dirty, &stream->in_dirty);
    (void)uv_idle_start(&hub->idle, stream_on_idle);
}

void stream_mark_unread(struct stream *stream)
{
    struct stream_hub *hub = stream->hub;

    stream->has_unread = true;
    if (!stream->is_wanted || list_is_linked(&stream->in_unread))
        return;
    list_append(&hub->unread, &stream->in_unread);
    (void)uv_idle_start(&hub->idle, stream_on_idle);
}

enum status stream_send(struct stream *stream, const void *data, size_t size)
{
    if (stream->state >= STREAM_SHUT || size == 0)
        return STATUS_OK;
    if (stream->out.data == NULL)
        stream->out = stream_hub_take_spare(stream->hub);
    enum status status = buffer_append(&stream->out, data, size);
    if (status == STATUS_OK)
        stream_mark_dirty(stream);
    return status;
}

static void stream_on_shutdown(uv_shutdown_t *request, int code)
{
    struct stream *stream = request->handle->data;
    struct stream_hub *hub = stream->hub;

    if (stream->state == STREAM_CLOSING)
        return;
    if (code < 0 || stream->has_ended || stream_read_kernel(stream) < 0) {
        stream_close(stream);
        return;
    }
    stream->state = STREAM_LINGERING;
    stream->linger_until_ms = clock_monotonic_ms() + LINGER_MS;
    list_append(&hub->lingering, &stream->in_lingering);
    if (!uv_is_active((uv_handle_t *)&hub->linger_timer))
        (void)uv_timer_start(&hub->linger_timer, stream_on_linger_timer, LINGER_CHECK_MS,
                             LINGER_CHECK_MS);
}

static void stream_on_linger_timer(uv_timer_t *timer)
{
    struct stream_hub *hub = timer->data;
    uint64_t now = clock_monotonic_ms();

    LIST_FOR_EACH (node, &hub->lingering) {
        struct stream *stream = LIST_ITEM(node, struct stream, in_lingering);
        if (now >= stream->linger_until_ms)
            stream_close(stream);
    }
}

static void stream_on_half_closed(uv_shutdown_t *request, int code)
{
    if (code < 0)
        stream_end(request->handle->data, code);
}

/* Fails only if the connection is already broken, which on_end reports. */
static void stream_half_close(struct stream *stream)
{
    if (!stream->is_half_closed)
        (void)uv_shutdown(&stream->request.shutdown, &stream->handle.stream, stream_on_half_closed);
    stream->is_half_closed = true;
}

/* All output is written: shuts down when finishing, otherwise tells the owner. */
static void stream_drained(struct stream *stream)
{
    int code;

    switch (stream->state) {
    case STREAM_NEW:
    case STREAM_CONNECTING:
    case STREAM_HANDSHAKING:
    case STREAM_LINGERING:
    case STREAM_CLOSING:
        break;
    case STREAM_OPEN:
        if (stream->events->on_drain != NULL)
            stream->events->on_drain(stream->owner);
        break;
    case STREAM_SHUT:
        stream_half_close(stream);
        break;
    case STREAM_FINISHING:
        code = uv_shutdown(&stream->request.shutdown, &stream->handle.stream, stream_on_shutdown);
        if (code < 0)
            stream_close(stream);
        break;
    }
}

static void stream_drop_writing(struct stream *stream)
{
    stream_hub_give_spare(stream->hub, &stream->writing);
    stream->writing_left = 0;
}

static void stream_on_write(uv_write_t *request, int code)
{
    struct stream *stream = request->handle->data;

    stream_drop_writing(stream);
    if (stream->state == STREAM_CLOSING)
        return;
    if (code < 0)
        stream_end(stream, code);
    else
        stream_mark_dirty(stream); /* only stream_flush() goes on, so a stream is shut down once */
}

/* Hands the output that the kernel has not taken to libuv, without a copy. */
static void stream_write_rest(struct stream *stream, size_t written)
{
    stream->writing_left = stream->writing.size - written;
    uv_buf_t rest = uv_buf_init(stream->writing.data + written, (unsigned)stream->writing_left);
    int code = uv_write(&stream->request.write, &stream->handle.stream, &rest, 1, stream_on_write);
    if (code < 0) {
        stream_drop_writing(stream);
        stream_end(stream, code);
    }
}

/* Tries one write. */
static void stream_flush(struct stream *stream)
{
    /* on_connect or on_write will flush what is collected until then. */
    if (stream->state < STREAM_HANDSHAKING || stream->state == STREAM_CLOSING ||
        stream->writing.data != NULL)
        return;
    int written = stream->ops->take_output(stream);
    if (written == UV_ECANCELED)
        return;
    if (written == 0 && stream->writing.size > 0) {
        uv_buf_t buffer = uv_buf_init(stream->writing.data, (unsigned)stream->writing.size);
        written = uv_try_write(&stream->handle.stream, &buffer, 1);
        if (written == UV_EAGAIN)
            written = 0;
    }
    if (written < 0) {
        stream_drop_writing(stream);
        buffer_fini(&stream->out);
        stream_end(stream, written);
    } else if ((size_t)written == stream->writing.size) {
        stream_drop_writing(stream);
        stream_drained(stream);
    } else {
        stream_write_rest(stream, (size_t)written);
    }
}

/* Serves only the streams that are in the lists now: one that comes again waits for the next turn,
 * so that one fast reader or sender cannot keep the loop busy alone. */
static void stream_on_idle(uv_idle_t *idle)
{
    struct stream_hub *hub = idle->data;
    struct list unread;
    struct list dirty;

    list_move(&unread, &hub->unread);
    for (struct list_node *node; (node = list_pop(&unread)) != NULL;) {
        struct stream *stream = LIST_ITEM(node, struct stream, in_unread);
        stream->ops->on_unread(stream);
    }
    list_move(&dirty, &hub->dirty);
    for (struct list_node *node; (node = list_pop(&dirty)) != NULL;)
        stream_flush(LIST_ITEM(node, struct stream, in_dirty));
    if (list_is_empty(&hub->dirty) && list_is_empty(&hub->unread))
        (void)uv_idle_stop(&hub->idle);
}

void stream_begin_finish(struct stream *stream)
{
    stream->state = STREAM_FINISHING;
    stream_stop_reading(stream);
    stream_mark_dirty(stream); /* stream_flush() shuts down when there is nothing left */
}

void stream_finish(struct stream *stream)
{
    if (stream_is_finishing(stream))
        return;
    if (stream->state != STREAM_OPEN) {
        stream_close(stream);
        return;
    }
    stream_begin_finish(stream);
}

void stream_shutdown(struct stream *stream)
{
    ASSERT(stream->state == STREAM_OPEN && stream_backlog(stream) == 0);
    stream->state = STREAM_SHUT;
    stream_mark_dirty(stream); /* stream_flush() shuts down when there is nothing left */
}

static void stream_on_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;

    buffer_fini(&stream->out);
    buffer_fini(&stream->writing); /* the hub may be gone */
    stream->events->on_closed(stream->owner);
    stream->ops->fini(stream);
    free(stream);
}

void stream_close(struct stream *stream)
{
    if (stream->state == STREAM_CLOSING)
        return;
    stream->state = STREAM_CLOSING;
    list_remove(&stream->in_dirty);
    list_remove(&stream->in_unread);
    list_remove(&stream->in_waiting);
    list_remove(&stream->in_lingering);
    if (list_is_empty(&stream->hub->lingering))
        (void)uv_timer_stop(&stream->hub->linger_timer);
    uv_close(&stream->handle.any, stream_on_closed);
}
