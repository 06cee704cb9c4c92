#include "tls_session.h"

#include "cmocka_all.h"
#include "test_certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A server's and a client's session, and the wire between them. */
struct pair {
    struct tls_context *server_context;
    struct tls_context *client_context;
    struct tls_session *server;
    struct tls_session *client;
    enum tls_result server_result; /* of the handshake so far */
    enum tls_result client_result;
    size_t piece; /* bytes that are handed over at once; 0: all */
};

static struct test_certs *certs;

static int begin_all(void **state)
{
    (void)state;
    certs = test_certs_create();
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    test_certs_destroy(certs);
    return 0;
}

static struct tls_context *make_context(enum tls_side side, const struct tls_files *files)
{
    struct tls_context *context = NULL;
    struct errbuf err = {""};

    if (tls_context_create(side, files, &context, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return context;
}

static void pair_init(struct pair *pair, const struct tls_files *server,
                      const struct tls_files *client, const char *name)
{
    memset(pair, 0, sizeof(*pair));
    pair->server_context = make_context(TLS_SERVER, server);
    pair->client_context = make_context(TLS_CLIENT, client);
    assert_int_equal(tls_session_create(pair->server_context, NULL, &pair->server), STATUS_OK);
    assert_int_equal(tls_session_create(pair->client_context, name, &pair->client), STATUS_OK);
    pair->server_result = TLS_NEED_MORE;
    pair->client_result = TLS_NEED_MORE;
}

static void pair_fini(struct pair *pair)
{
    tls_session_destroy(pair->server);
    tls_session_destroy(pair->client);
    tls_context_destroy(pair->server_context);
    tls_context_destroy(pair->client_context);
}

static void step(struct tls_session *session, enum tls_result *result)
{
    if (*result == TLS_NEED_MORE)
        *result = tls_session_handshake(session);
}

/* Hands over what `from` has written, a piece at a time; with a handshake that goes on if it is not
 * over. Returns how many bytes there were. */
static size_t carry(const struct pair *pair, struct tls_session *from, struct tls_session *to,
                    enum tls_result *result)
{
    struct buffer bytes = {0};

    assert_int_equal(tls_session_take(from, &bytes), STATUS_OK);
    for (size_t at = 0; at < bytes.size;) {
        size_t size = bytes.size - at;
        if (pair->piece != 0 && size > pair->piece)
            size = pair->piece;
        assert_int_equal(tls_session_feed(to, (const uint8_t *)bytes.data + at, size), STATUS_OK);
        step(to, result);
        at += size;
    }
    size_t total = bytes.size;
    buffer_fini(&bytes);
    return total;
}

static void shake_hands(struct pair *pair)
{
    step(pair->client, &pair->client_result);
    for (size_t moved = 1; moved > 0;) {
        moved = carry(pair, pair->client, pair->server, &pair->server_result);
        moved += carry(pair, pair->server, pair->client, &pair->client_result);
    }
}

/* An agency and a server that trust each other: both are done, and the server knows who it is. */
static void test_handshake(void **state)
{
    struct tls_files server = test_certs_files(certs, "server");
    struct tls_files agency = test_certs_files(certs, "agency-17");
    struct pair pair;

    (void)state;
    pair_init(&pair, &server, &agency, "localhost");
    shake_hands(&pair);
    assert_string_equal(tls_session_reason(pair.server), "");
    assert_string_equal(tls_session_reason(pair.client), "");
    assert_int_equal(pair.server_result, TLS_OK);
    assert_int_equal(pair.client_result, TLS_OK);
    const struct tls_peer *peer = tls_session_peer(pair.server);
    assert_non_null(peer);
    assert_int_equal(peer->role, TLS_PEER_AGENCY);
    assert_int_equal(peer->agency, 17);
    assert_string_equal(tls_session_peer_name(pair.server), "lottery:agency:17");
    assert_null(tls_session_peer(pair.client));
    assert_string_equal(tls_session_peer_name(pair.client), "lottery:server");
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
