/* The TLS of a connection.
 *
 * Happy path: the stream has agreed with the peer; the kind learns who that is, and from then on
 * the connection is as one without TLS.
 *
 * Failure modes: the peer is not trusted, does not trust us, or speaks something else: logged, and
 * the stream sends its alert and closes. It goes away in the middle: closed, which the usual line
 * says. It takes too long: conn.c closes it.
 */
#include "conn_handshake.h"

#include "assertion.h"
#include "log.h"
#include "log_limit.h"

/* As often as anybody likes to knock. */
static void conn_tell_refused(struct conn *conn, const char *reason)
{
    static struct log_limit limit = {.burst = LOG_BURST};
    const char *name = stream_peer_name(conn->stream);
    char ip[CONN_IP_SIZE];
    struct log_field fields[3];
    size_t count = 0;

    conn_count(conn, SCOREBOARD_HANDSHAKES_FAILED, 1);
    conn_heard(conn, false);
    if (!log_enabled(LOG_WARNING) ||
        !log_limit_take(&limit, LOG_WARNING, "tls_handshake", LOG_FAIL))
        return;
    fields[count++] = LOG_TEXT("ip", conn_ip(conn, ip));
    if (name[0] != '\0')
        fields[count++] = LOG_TEXT("certificate", name);
    fields[count++] = LOG_TEXT("reason", reason);
    log_write(LOG_WARNING, "tls_handshake", LOG_FAIL, fields, count);
}

static void conn_on_trusted(struct conn *conn)
{
    const struct tls_peer *peer = stream_peer(conn->stream);

    ASSERT(peer != NULL); /* the stream lets nobody in whose certificate names nobody */
    conn->is_in_handshake = false;
    if (conn->set->config.ops->prove != NULL)
        conn->set->config.ops->prove(conn, peer);
}

void conn_on_connect(void *owner, enum status status, const char *detail)
{
    struct conn *conn = owner;

    if (status == STATUS_OK) {
        conn_on_trusted(conn);
        return;
    }
    conn_note_reason(conn, detail);
    if (status != STATUS_UNTRUSTED && status != STATUS_MALFORMED) {
        stream_close(conn->stream);
        return;
    }
    conn_tell_refused(conn, detail);
    stream_finish(conn->stream);
}

const char *conn_break_reason(struct conn *conn, enum status status, const char *detail)
{
    if (status == STATUS_UNTRUSTED)
        conn_tell_refused(conn, detail);
    return conn->set->config.tls != NULL ? detail : "the connection broke";
}
