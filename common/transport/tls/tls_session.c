/* Happy path: a handshake that costs one round trip, then records in both directions, and
 * close_notify from each side. libssl reads from and writes to the two buffers of a struct
 * tls_wire, which is empty, and has no memory, between the calls of an owner that feeds and takes.
 *
 * Failure modes: every failure of libssl ends the session; it has then written an alert, which the
 * owner still takes. The reason is kept at the first failure, and libssl's list of errors is empty
 * after each call, so that no session sees another's. A peer that sends more than a handshake
 * needs, or message after message (such as KeyUpdate, which has to be answered) without data, is
 * stopped. */
#include "tls_session.h"

#include "assertion.h"
#include "tls_bio.h"
#include "tls_impl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define HANDSHAKE_MAX ((size_t)64 * 1024) /* bytes that a peer may send for it */
#define CHATTER_MAX 32                    /* messages of TLS between two pieces of data */
#define RECORD_MAX 16384                  /* bytes of data in a record */
#define RECORD_EXTRA 22                   /* what it has besides: head, kind, tag */
#define KEY_UPDATE_ROOM 64                /* more than an answer to a KeyUpdate needs */
#define NAME_MAX_SIZE 256                 /* of a host, with a NUL */

enum tls_phase {
    TLS_SHAKING_HANDS,
    TLS_OPEN, /* the peer is trusted */
    TLS_BROKEN
};

struct tls_session {
    const struct tls_context *context; /* borrowed */
    SSL *ssl;                          /* owned; owns the BIO, too; NULL once TLS_BROKEN */
    struct tls_wire wire;
    struct tls_verdict verdict; /* on the peer's certificate */
    struct tls_reason reason;   /* of TLS_BROKEN; its text is NULL otherwise */
    enum tls_phase phase;
    bool is_proven;   /* the peer has the key of the certificate that is trusted */
    bool has_ended;   /* our side, with close_notify */
    bool peer_ended;  /* the peer's; what comes after that is nothing */
    unsigned chatter; /* messages of TLS since the last data */
};

/* Called by libssl for each message. */
static void tls_session_on_message(int is_written, int version, int type, const void *bytes,
                                   size_t size, SSL *ssl, void *data)
{
    struct tls_session *session = data;

    (void)version;
    (void)bytes;
    (void)size;
    (void)ssl;
    if (is_written || type != SSL3_RT_HANDSHAKE || session->phase != TLS_OPEN)
        return;
    session->chatter++;
    session->wire.is_stopped = session->chatter > CHATTER_MAX;
}

/* Which name or address the server's certificate has to have, and which server we ask for. */
static enum status tls_session_expect(SSL *ssl, const char *server_name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    size_t size = strlen(server_name);
    char name[NAME_MAX_SIZE];

    if (X509_VERIFY_PARAM_set1_ip_asc(param, server_name) == 1)
        return STATUS_OK;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (size > 0 && server_name[size - 1] == '.')
        size--; /* of a name that is complete; certificates do not have the dot */
    /* For libssl no name is any name. So what cannot be one becomes one that nobody has. */
    if (size == 0 || size >= sizeof(name))
        return X509_VERIFY_PARAM_set1_host(param, "?", 1) == 1 ? STATUS_OK : STATUS_NOMEM;
    memcpy(name, server_name, size);
    name[size] = '\0';
    bool is_set = X509_VERIFY_PARAM_set1_host(param, name, size) == 1 &&
                  SSL_set_tlsext_host_name(ssl, name) == 1;
    return is_set ? STATUS_OK : STATUS_NOMEM;
}

static enum status tls_session_set_up(struct tls_session *session, const char *server_name)
{
    SSL *ssl = SSL_new(session->context->ssl);

    session->ssl = ssl;
    if (ssl == NULL)
        return STATUS_NOMEM;
    BIO *bio = tls_bio_create(session->context->bio, &session->wire);
    if (bio == NULL)
        return STATUS_NOMEM;
    SSL_set_bio(ssl, bio, bio);
    SSL_set_msg_callback(ssl, tls_session_on_message);
    SSL_set_msg_callback_arg(ssl, session);
    if (SSL_set_app_data(ssl, &session->verdict) != 1)
        return STATUS_NOMEM;
    if (session->context->side == TLS_SERVER) {
        SSL_set_accept_state(ssl);
        return STATUS_OK;
    }
    SSL_set_connect_state(ssl);
    return server_name != NULL ? tls_session_expect(ssl, server_name) : STATUS_OK;
}

enum status tls_session_create(const struct tls_context *context, const char *server_name,
                               struct tls_session **out)
{
    struct tls_session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return STATUS_NOMEM;
    session->context = context;
    session->phase = TLS_SHAKING_HANDS;
    session->wire.limit = HANDSHAKE_MAX;
    enum status status = tls_session_set_up(session, server_name);
    ERR_clear_error();
    if (status == STATUS_OK)
        *out = session;
    else
        tls_session_destroy(session);
    return status;
}

void tls_session_destroy(struct tls_session *session)
{
    if (session == NULL)
        return;
    SSL_free(session->ssl);
    tls_wire_fini(&session->wire);
    free(session);
}

enum status tls_session_feed(struct tls_session *session, const uint8_t *data, size_t size)
{
    if (session->phase == TLS_BROKEN || session->peer_ended)
        return STATUS_OK;
    return tls_wire_feed(&session->wire, data, size);
}

/* The first error of libssl itself says most; those of libcrypto before it only say how it was
 * noticed. */
static struct tls_reason tls_session_library_reason(const struct tls_session *session)
{
    unsigned long first = ERR_get_error();
    unsigned long error = first;

    while (error != 0 && ERR_GET_LIB(error) != ERR_LIB_SSL)
        error = ERR_get_error();
    error = error != 0 ? error : first;
    struct tls_reason reason = tls_reason_of_error(error);
    /* The peer is trusted by then, and can only refuse us. */
    if (session->phase == TLS_OPEN && reason.is_untrusted && !tls_reason_is_alert(error))
        return tls_reason_damaged;
    return reason;
}

static struct tls_reason tls_session_find_reason(struct tls_session *session)
{
    if (session->wire.is_out_of_room)
        return tls_reason_memory;
    if (session->wire.is_over_limit)
        return tls_reason_too_much;
    if (session->wire.is_stopped)
        return tls_reason_chatter;
    if (session->verdict.cause != NULL)
        return *session->verdict.cause;
    return tls_session_library_reason(session);
}

/* Nothing of libssl is needed any more: what the peer is to be told has been written. A refused
 * connection may have to wait for the peer to read that, and should not hold much meanwhile. */
static enum tls_result tls_session_fail(struct tls_session *session, struct tls_reason reason)
{
    session->reason = reason;
    session->phase = TLS_BROKEN;
    SSL_free(session->ssl);
    session->ssl = NULL;
    tls_wire_forget_input(&session->wire);
    ERR_clear_error();
    return TLS_FAILED;
}

static enum tls_result tls_session_note_end(struct tls_session *session)
{
    session->peer_ended = true;
    tls_wire_forget_input(&session->wire);
    ERR_clear_error();
    return TLS_ENDED;
}

/* After a call of libssl that has not done what it was asked for. */
static enum tls_result tls_session_explain(struct tls_session *session, int returned)
{
    int error = SSL_get_error(session->ssl, returned);

    if (error == SSL_ERROR_WANT_READ) {
        ERR_clear_error();
        return TLS_NEED_MORE;
    }
    if (error == SSL_ERROR_ZERO_RETURN && session->phase == TLS_OPEN)
        return tls_session_note_end(session);
    if (error == SSL_ERROR_ZERO_RETURN)
        return tls_session_fail(session, tls_reason_broken_off);
    return tls_session_fail(session, tls_session_find_reason(session));
}

/* libssl sends no alert to a peer that does not speak TLS. A server does: from it an agency that
 * was meant to use TLS can tell what is the matter. */
static enum tls_result tls_session_refuse_plain(struct tls_session *session)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, SSL3_AL_FATAL, TLS1_AD_PROTOCOL_VERSION};

    if (session->context->side == TLS_SERVER)
        (void)buffer_append(&session->wire.out, alert, sizeof(alert));
    return tls_session_fail(session, tls_reason_not_tls);
}

void tls_session_lend(struct tls_session *session, const uint8_t *data, size_t size)
{
    ASSERT(session->phase != TLS_SHAKING_HANDS);
    if (session->phase != TLS_BROKEN && !session->peer_ended)
        tls_wire_lend(&session->wire, data, size);
}

enum tls_result tls_session_handshake(struct tls_session *session)
{
    if (session->phase == TLS_BROKEN)
        return TLS_FAILED;
    ASSERT(session->phase == TLS_SHAKING_HANDS);
    if (!tls_wire_looks_like_tls(&session->wire))
        return tls_session_refuse_plain(session);
    if (session->context->side == TLS_SERVER && !tls_wire_may_begin(&session->wire))
        return TLS_NEED_MORE;
    ERR_clear_error();
    int returned = SSL_do_handshake(session->ssl);
    if (returned != 1)
        return tls_session_explain(session, returned);
    /* libssl has called tls_verify_chain(), or else somebody has got around it. */
    ASSERT(session->verdict.is_trusted);
    session->phase = TLS_OPEN;
    session->is_proven = true;
    session->wire.limit = SIZE_MAX;
    return TLS_OK;
}

static enum tls_result tls_session_decrypt(struct tls_session *session, uint8_t *out, size_t size,
                                           size_t *out_size)
{
    while (*out_size < size) {
        size_t count = 0;
        ERR_clear_error();
        int returned = SSL_read_ex(session->ssl, out + *out_size, size - *out_size, &count);
        if (returned != 1)
            return tls_session_explain(session, returned);
        session->chatter = 0;
        *out_size += count;
    }
    return TLS_OK;
}

enum tls_result tls_session_read(struct tls_session *session, uint8_t *out, size_t size,
                                 size_t *out_size)
{
    *out_size = 0;
    if (session->phase == TLS_BROKEN)
        return TLS_FAILED;
    ASSERT(session->phase == TLS_OPEN);
    enum tls_result result = tls_session_decrypt(session, out, size, out_size);
    if (result != TLS_FAILED && tls_wire_keep(&session->wire) != STATUS_OK)
        return tls_session_fail(session, tls_reason_memory);
    return result;
}

void tls_session_reuse(struct tls_session *session, struct buffer *memory)
{
    if (session->wire.out.data != NULL)
        return;
    session->wire.out = *memory;
    *memory = (struct buffer){NULL, 0, 0};
}

enum status tls_session_write(struct tls_session *session, const void *data, size_t size)
{
    size_t extra = (size / RECORD_MAX + 1) * RECORD_EXTRA + KEY_UPDATE_ROOM;
    size_t written = 0;

    if (session->phase == TLS_BROKEN)
        return STATUS_IO;
    ASSERT(session->phase == TLS_OPEN && !session->has_ended);
    if (size == 0)
        return STATUS_OK;
    /* libssl could not go on after a failure in the middle. */
    if (size > SIZE_MAX - extra || buffer_reserve(&session->wire.out, size + extra) != STATUS_OK)
        return STATUS_NOMEM;
    ERR_clear_error();
    int returned = SSL_write_ex(session->ssl, data, size, &written);
    if (returned != 1) {
        (void)tls_session_fail(session, tls_session_find_reason(session));
        return STATUS_IO;
    }
    ASSERT(written == size);
    return STATUS_OK;
}

void tls_session_end(struct tls_session *session)
{
    if (session->phase != TLS_OPEN || session->has_ended)
        return;
    session->has_ended = true;
    ERR_clear_error();
    (void)SSL_shutdown(session->ssl);
    session->wire.is_out_closed = true; /* libssl would still answer a KeyUpdate */
    /* libssl keeps its buffer of 16 KiB after an alert: much, when a server ends all at once. */
    (void)SSL_free_buffers(session->ssl);
    ERR_clear_error();
}

enum status tls_session_take(struct tls_session *session, struct buffer *out)
{
    return tls_wire_take(&session->wire, out);
}

bool tls_session_has_output(const struct tls_session *session)
{
    return session->wire.out.size > 0;
}

const struct tls_peer *tls_session_peer(const struct tls_session *session)
{
    bool has_peer = session->context->side == TLS_SERVER && session->is_proven;

    return has_peer ? &session->verdict.peer : NULL;
}

const char *tls_session_peer_name(const struct tls_session *session)
{
    return session->verdict.name;
}

bool tls_session_is_untrusted(const struct tls_session *session)
{
    return session->reason.is_untrusted;
}

const char *tls_session_reason(const struct tls_session *session)
{
    return session->reason.text != NULL ? session->reason.text : "";
}
