/* TLS over TCP, as a kind of stream.
 *
 * Happy path: connected, the stream is in STREAM_HANDSHAKING; what arrives goes to the session
 * (tls_session.h), and what the session says goes out, until both sides are content: on_connect.
 * From then on each read is decrypted into the hub's second buffer and passed on, and what is
 * collected is encrypted when it is written. Each side ends with close_notify.
 *
 * Failure modes: the peer is not trusted, or breaks the protocol: the owner is told why, once, and
 * the alert that tells the peer leaves before the stream closes. The connection breaks during the
 * handshake: on_connect says so. It ends without close_notify: it was cut, perhaps by an attacker,
 * and on_end says that, never that the peer is done. The owner wants less than was decrypted, or
 * nothing: the rest stays in the session, and nothing is read until it has been passed on.
 */
#include "assertion.h"
#include "stream_impl.h"
#include "stream_tcp.h"
#include "tls_session.h"

#include <stdlib.h>

static const char cut_text[] = "the connection was cut: it ended without close_notify";
static const char broken_off_text[] = "the peer broke off the TLS handshake";

/* The session has failed. What the peer is to be told leaves, and all else is dropped. */
static void tls_fail(struct stream *stream)
{
    const bool was_open = stream->state != STREAM_HANDSHAKING;
    const char *reason = tls_session_reason(stream->tls);
    enum status status =
        tls_session_is_untrusted(stream->tls) ? STATUS_UNTRUSTED : STATUS_MALFORMED;

    buffer_fini(&stream->out);
    stream_begin_finish(stream);
    if (was_open) /* the peer's side is not over: the stream lingers, so that the alert arrives */
        stream->events->on_end(stream->owner, status, reason);
    else
        stream_report_connect(stream, status, reason);
}

/* From now on the owner says whether bytes are read. Some may have come with the handshake. */
static void tls_open(struct stream *stream)
{
    stream->state = STREAM_OPEN;
    if (!stream->is_wanted)
        (void)uv_read_stop(&stream->handle.stream);
    stream_mark_unread(stream);
    stream_report_connect(stream, STATUS_OK, "");
}

static void tls_go_on_with_handshake(struct stream *stream)
{
    stream_take_handshake_turn(stream);
    enum tls_result result = tls_session_handshake(stream->tls);
    stream_mark_dirty(stream);
    if (result == TLS_OK)
        tls_open(stream);
    else if (result != TLS_NEED_MORE)
        tls_fail(stream);
}

/* Nothing can fail here that a time limit of the owner does not end: a client's first message needs
 * nothing of the peer's. */
static enum stream_state tls_on_connected(struct stream *stream)
{
    stream_tcp_set_nodelay(stream);
    (void)stream_read_kernel(stream);
    (void)tls_session_handshake(stream->tls);
    stream_mark_dirty(stream);
    return STREAM_HANDSHAKING;
}

/* Passes on as much as the owner wants at once. What is left, also the end of the peer's side,
 * waits for the next turn. */
static void tls_pass_on(struct stream *stream)
{
    uint8_t *plain = stream->hub->plain;
    size_t size = 0;

    enum tls_result result = tls_session_read(stream->tls, plain, stream->read_limit, &size);
    if (result != TLS_NEED_MORE && size > 0)
        stream_mark_unread(stream);
    if (tls_session_has_output(stream->tls)) /* it has to answer the peer's */
        stream_mark_dirty(stream);
    if (size > 0)
        stream->events->on_data(stream->owner, plain, size);
    else if (result == TLS_ENDED)
        stream_report_end(stream, STATUS_OK, "");
    else if (result == TLS_FAILED)
        tls_fail(stream);
}

static void tls_on_received(struct stream *stream, const uint8_t *data, size_t size)
{
    if (stream->state != STREAM_HANDSHAKING) {
        tls_session_lend(stream->tls, data, size);
        tls_pass_on(stream);
    } else if (tls_session_feed(stream->tls, data, size) == STATUS_OK) {
        tls_go_on_with_handshake(stream);
    } else {
        stream_report_connect(stream, STATUS_NOMEM, status_text(STATUS_NOMEM));
    }
}

/* The loop reads from the kernel after this: that belongs to the same turn. */
static void tls_on_unread(struct stream *stream)
{
    stream->read_limit = STREAM_READ_SIZE;
    if (stream->events->on_read != NULL)
        stream->read_limit = stream->events->on_read(stream->owner);
    if (stream->read_limit == 0) {
        stream_read_stop(stream);
        return;
    }
    stream->has_unread = false;
    stream->read_turn = stream->hub->turn + 1;
    tls_pass_on(stream);
}

static void tls_on_end(struct stream *stream, enum status status, const char *detail)
{
    const bool was_open = stream->state != STREAM_HANDSHAKING;

    if (status == STATUS_OK) {
        status = STATUS_IO;
        detail = was_open ? cut_text : broken_off_text;
    }
    if (was_open)
        stream_report_end(stream, status, detail);
    else
        stream_report_connect(stream, status, detail);
}

/* In the handshake, what is collected waits. */
static int tls_take_output(struct stream *stream)
{
    enum status status = STATUS_OK;

    if (stream->state != STREAM_HANDSHAKING && stream->out.size > 0) {
        struct buffer spare = stream_hub_take_spare(stream->hub);
        tls_session_reuse(stream->tls, &spare);
        stream_hub_give_spare(stream->hub, &spare);
        status = tls_session_write(stream->tls, stream->out.data, stream->out.size);
        stream_hub_give_spare(stream->hub, &stream->out);
    }
    if (status == STATUS_IO) {
        tls_fail(stream); /* and the alert goes out in the next turn */
        return UV_ECANCELED;
    }
    if (stream->state == STREAM_SHUT || stream->state == STREAM_FINISHING)
        tls_session_end(stream->tls);
    if (status == STATUS_OK)
        status = tls_session_take(stream->tls, &stream->writing);
    return status == STATUS_OK ? 0 : UV_ENOMEM;
}

static void tls_fini(struct stream *stream)
{
    tls_session_destroy(stream->tls);
}

static const struct stream_ops stream_tls_ops = {
    .is_tcp = true,
    .init = stream_tcp_init,
    .open = stream_tcp_open,
    .on_connected = tls_on_connected,
    .on_received = tls_on_received,
    .on_unread = tls_on_unread,
    .on_end = tls_on_end,
    .take_output = tls_take_output,
    .fini = tls_fini,
    .set_keepalive = stream_tcp_set_keepalive,
    .was_reset = stream_tcp_was_reset,
};

enum status stream_create_tls(struct stream_hub *hub, const struct tls_context *context,
                              const char *server_name, const struct stream_events *events,
                              void *owner, struct stream **out)
{
    struct tls_session *session;

    ASSERT(events->on_connect != NULL);
    if (hub->plain == NULL)
        hub->plain = malloc(STREAM_READ_SIZE);
    if (hub->plain == NULL)
        return STATUS_NOMEM;
    enum status status = tls_session_create(context, server_name, &session);
    if (status != STATUS_OK)
        return status;
    status = stream_create(hub, &stream_tls_ops, events, owner, out);
    if (status == STATUS_OK)
        (*out)->tls = session;
    else
        tls_session_destroy(session);
    return status;
}

const struct tls_peer *stream_peer(const struct stream *stream)
{
    return stream->tls != NULL ? tls_session_peer(stream->tls) : NULL;
}

const char *stream_peer_name(const struct stream *stream)
{
    return stream->tls != NULL ? tls_session_peer_name(stream->tls) : "";
}
