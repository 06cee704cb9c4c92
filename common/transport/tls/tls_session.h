/* tls_session.h - the TLS of one connection, between bytes of the wire and bytes of the owner.
 *
 * It does no I/O: what has come over the wire goes in with feed(), what is to go over it comes out
 * with take(). So it is as easy to test as a parser. None of the calls blocks.
 *
 * The peer may be hostile: handshake messages, certificate chains and what is kept of them are
 * limited. What is fed and not read yet is kept; the caller feeds more only when read() has said
 * NEED_MORE.
 */
#ifndef LOTTERY_TLS_SESSION_H
#define LOTTERY_TLS_SESSION_H

#include "buffer.h"
#include "status.h"
#include "tls_context.h"
#include "tls_peer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_session;

enum tls_result {
    TLS_OK,
    TLS_NEED_MORE, /* nothing (more) can be done before more bytes have come */
    TLS_ENDED,     /* the peer has ended its side, with close_notify: no more will come */
    TLS_FAILED     /* tls_session_reason() says why; take() still has what the peer is to be told */
};

/* Begins a session, as the side that the context is for. Borrowed until destroy: `context`. A
 * client also says which name or IP address the server's certificate has to have (copied); NULL:
 * any, then only its authority is checked. STATUS_NOMEM. */
enum status tls_session_create(const struct tls_context *context, const char *server_name,
                               struct tls_session **out);

/* NULL is fine. */
void tls_session_destroy(struct tls_session *session);

/* Takes bytes that came over the wire; copied. STATUS_NOMEM. */
enum status tls_session_feed(struct tls_session *session, const uint8_t *data, size_t size);

/* The same after the handshake, without the copy: `data` is borrowed until tls_session_read(),
 * which comes next, returns; what that has not read is copied then. */
void tls_session_lend(struct tls_session *session, const uint8_t *data, size_t size);

/* Goes on with the handshake: OK when it is over and the peer is trusted. A client has to call it
 * once before anything has come, because it speaks first. Not called again after OK. */
enum tls_result tls_session_handshake(struct tls_session *session);

/* Reads what the peer has sent, up to `size` bytes, into `out`; *out_size says how many. OK: `out`
 * is full, and there may be more. NEED_MORE, ENDED, FAILED: that was all, and there may be some
 * bytes with it. After the handshake. */
enum tls_result tls_session_read(struct tls_session *session, uint8_t *out, size_t size,
                                 size_t *out_size);

/* Lets the session write into the memory of an empty buffer, if it has none at the moment: moved.
 * So the caller need not have new memory for each write, which comes next. */
void tls_session_reuse(struct tls_session *session, struct buffer *memory);

/* Encrypts bytes for the peer. After the handshake, not after end. STATUS_NOMEM, or STATUS_IO when
 * the session has failed. */
enum status tls_session_write(struct tls_session *session, const void *data, size_t size);

/* Ends our side with close_notify, the last that take() has. Reading goes on. */
void tls_session_end(struct tls_session *session);

/* Appends to `out` what is to go over the wire, and forgets it. STATUS_NOMEM. */
enum status tls_session_take(struct tls_session *session, struct buffer *out);

/* Is there any? Also reading may make some: the protocol has messages that want an answer. */
bool tls_session_has_output(const struct tls_session *session);

/* Who the peer has proved to be, in a server's session after the handshake; otherwise NULL. */
const struct tls_peer *tls_session_peer(const struct tls_session *session);

/* The name in the certificate that the peer has shown, trusted or not: the URI, or else its
 * subject, cut to a reasonable length, for logs. "" = it has shown none. Lives as long as the
 * session. */
const char *tls_session_peer_name(const struct tls_session *session);

/* Was the failure about trust: a certificate, ours or the peer's, or a peer that speaks no TLS 1.3?
 * Otherwise it is damage on the way, or memory. After the handshake: the peer refuses ours. */
bool tls_session_is_untrusted(const struct tls_session *session);

/* Why it has failed, a static text, such as "the peer's certificate has expired", "the peer's
 * certificate is revoked", "the peer's certificate is of another authority", "the peer's
 * certificate is not for the name of this server", "the peer refuses our certificate: it has
 * expired", "the peer does not speak TLS". "" = it has not. */
const char *tls_session_reason(const struct tls_session *session);

#endif
