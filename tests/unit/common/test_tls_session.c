#include "tls_session.h"

#include "alloc_fault.h"
#include "clock.h"
#include "cmocka_all.h"
#include "fake_clock.h"
#include "prng.h"
#include "test_certs.h"
#include "text.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>
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

#define DAY (24 * TEST_CERTS_HOUR)

static struct test_certs *certs;
static struct test_certs *others; /* of another authority */

static int begin_all(void **state)
{
    (void)state;
    certs = test_certs_create();
    others = test_certs_create();
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    test_certs_destroy(certs);
    test_certs_destroy(others);
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

/* A pair that trusts each other, after the handshake. */
static void pair_begin(struct pair *pair)
{
    struct tls_files server = test_certs_files(certs, "server");
    struct tls_files agency = test_certs_files(certs, "agency-17");

    pair_init(pair, &server, &agency, "localhost");
    shake_hands(pair);
    assert_string_equal(tls_session_reason(pair->server), "");
    assert_string_equal(tls_session_reason(pair->client), "");
    assert_int_equal(pair->server_result, TLS_OK);
    assert_int_equal(pair->client_result, TLS_OK);
}

/* Everything that `from` has written goes to `to`. */
static void pass(struct tls_session *from, struct tls_session *to)
{
    static const struct pair whole = {.piece = 0};
    enum tls_result over = TLS_OK;

    (void)carry(&whole, from, to, &over);
}

static void assert_read(struct tls_session *session, const void *bytes, size_t size,
                        enum tls_result result)
{
    uint8_t *out = malloc(size + 1);
    size_t count = 0;

    assert_non_null(out);
    assert_int_equal(tls_session_read(session, out, size + 1, &count), result);
    assert_int_equal(count, size);
    assert_memory_equal(out, bytes, size);
    free(out);
}

/* Nothing more can be had from a session that has failed. */
static void assert_failed(struct tls_session *session, const char *reason, bool is_untrusted)
{
    uint8_t byte;
    size_t count = 1;

    assert_string_equal(tls_session_reason(session), reason);
    assert_int_equal(tls_session_is_untrusted(session), is_untrusted);
    assert_int_equal(tls_session_handshake(session), TLS_FAILED);
    assert_int_equal(tls_session_read(session, &byte, 1, &count), TLS_FAILED);
    assert_int_equal(count, 0);
    assert_int_equal(tls_session_write(session, "x", 1), STATUS_IO);
    assert_int_equal(tls_session_feed(session, (const uint8_t *)"x", 1), STATUS_OK);
    tls_session_end(session);
    assert_string_equal(tls_session_reason(session), reason);
}

/* An agency and a server that trust each other: both are done, and the server knows who it is. */
static void test_handshake(void **state)
{
    struct pair pair;

    (void)state;
    pair_begin(&pair);
    const struct tls_peer *peer = tls_session_peer(pair.server);
    assert_non_null(peer);
    assert_int_equal(peer->role, TLS_PEER_AGENCY);
    assert_int_equal(peer->agency, 17);
    assert_string_equal(tls_session_peer_name(pair.server), "lottery:agency:17");
    assert_null(tls_session_peer(pair.client));
    assert_string_equal(tls_session_peer_name(pair.client), "lottery:server");
    assert_false(tls_session_is_untrusted(pair.server));
    pair_fini(&pair);
}

/* However the wire cuts it, the handshake is the same. */
static void test_handshake_in_pieces(void **state)
{
    struct tls_files server = test_certs_files(certs, "server");
    struct tls_files agency = test_certs_files(certs, "agency-17");

    (void)state;
    for (size_t piece = 1; piece <= 300; piece = piece * 3 / 2 + 1) {
        struct pair pair;
        pair_init(&pair, &server, &agency, "127.0.0.1");
        pair.piece = piece;
        assert_null(tls_session_peer(pair.server));
        assert_string_equal(tls_session_peer_name(pair.server), "");
        shake_hands(&pair);
        assert_int_equal(pair.server_result, TLS_OK);
        assert_int_equal(pair.client_result, TLS_OK);
        assert_int_equal(tls_session_peer(pair.server)->agency, 17);
        pair_fini(&pair);
    }
}

/* The server's own certificate, and another one that names lottery:server, are the server's. */
static void test_server_as_client(void **state)
{
    static const struct test_cert unnamed = {.names = {"DNS:localhost"}};
    static const struct test_cert named = {.names = {"URI:lottery:server"}};
    static const char *const clients[] = {"unnamed", "named"};
    struct tls_files server;

    (void)state;
    test_certs_issue(certs, "unnamed", &unnamed);
    test_certs_issue(certs, "named", &named);
    server = test_certs_files(certs, "unnamed");
    for (size_t i = 0; i < 2; i++) {
        struct tls_files client = test_certs_files(certs, clients[i]);
        struct pair pair;
        pair_init(&pair, &server, &client, NULL);
        shake_hands(&pair);
        assert_string_equal(tls_session_reason(pair.server), "");
        assert_int_equal(tls_session_peer(pair.server)->role, TLS_PEER_SERVER);
        assert_int_equal(tls_session_peer(pair.server)->agency, 0);
        pair_fini(&pair);
    }
}

/* Data both ways: all of it, in order, whatever the sizes of what is written, carried and read. */
static void test_data(void **state)
{
    struct prng prng = {13};
    struct pair pair;

    (void)state;
    pair_begin(&pair);
    for (unsigned round = 0; round < 400; round++) {
        struct tls_session *from = round % 2 == 0 ? pair.client : pair.server;
        struct tls_session *to = round % 2 == 0 ? pair.server : pair.client;
        uint8_t bytes[40000];
        size_t size = 1 + prng_below(&prng, round % 10 == 0 ? sizeof(bytes) : 200);
        enum tls_result over = TLS_OK;
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)prng_next(&prng);
        size_t cut = prng_below(&prng, (uint32_t)size);
        assert_int_equal(tls_session_write(from, bytes, cut), STATUS_OK);
        assert_int_equal(tls_session_write(from, bytes + cut, size - cut), STATUS_OK);
        pair.piece = prng_below(&prng, 300);
        (void)carry(&pair, from, to, &over);
        assert_read(to, bytes, size, TLS_NEED_MORE);
    }
    pair_fini(&pair);
}

/* A read that is full says OK, also if there is nothing more; the next one says so. */
static void test_exact_reads(void **state)
{
    static const char text[] = "0123456789";
    struct pair pair;
    uint8_t out[16];
    size_t count;

    (void)state;
    pair_begin(&pair);
    assert_int_equal(tls_session_write(pair.client, text, 4), STATUS_OK);
    assert_int_equal(tls_session_write(pair.client, text + 4, 6), STATUS_OK);
    assert_int_equal(tls_session_write(pair.client, text, 0), STATUS_OK);
    pass(pair.client, pair.server);
    assert_int_equal(tls_session_read(pair.server, out, 0, &count), TLS_OK);
    assert_int_equal(count, 0);
    assert_int_equal(tls_session_read(pair.server, out, 3, &count), TLS_OK);
    assert_int_equal(count, 3);
    assert_int_equal(tls_session_read(pair.server, out + 3, 7, &count), TLS_OK);
    assert_int_equal(count, 7);
    assert_memory_equal(out, text, 10);
    assert_int_equal(tls_session_read(pair.server, out, 1, &count), TLS_NEED_MORE);
    assert_int_equal(count, 0);
    pair_fini(&pair);
}

/* Bytes that are lent are no longer needed once a read has returned, however little it took; what
 * was fed before comes first. */
static void test_lent(void **state)
{
    struct pair pair;
    struct buffer bytes = {NULL, 0, 0};
    char out[16];
    size_t size = 0;

    (void)state;
    pair_begin(&pair);
    assert_int_equal(tls_session_write(pair.client, "first", 5), STATUS_OK);
    pass(pair.client, pair.server);
    assert_int_equal(tls_session_write(pair.client, "second", 6), STATUS_OK);
    assert_int_equal(tls_session_write(pair.client, "third", 5), STATUS_OK);
    assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_OK);
    tls_session_lend(pair.server, (const uint8_t *)bytes.data, bytes.size);
    assert_int_equal(tls_session_read(pair.server, (uint8_t *)out, 7, &size), TLS_OK);
    assert_int_equal(size, 7);
    assert_memory_equal(out, "firstse", 7);
    buffer_fini(&bytes);
    assert_read(pair.server, "condthird", 9, TLS_NEED_MORE);
    tls_session_end(pair.client);
    assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_OK);
    tls_session_lend(pair.server, (const uint8_t *)bytes.data, bytes.size);
    assert_read(pair.server, "", 0, TLS_ENDED);
    tls_session_lend(pair.server, (const uint8_t *)bytes.data, bytes.size);
    assert_read(pair.server, "", 0, TLS_ENDED);
    buffer_fini(&bytes);
    pair_fini(&pair);
}

/* Without memory for what a read leaves of lent bytes the session fails: they would be missing. */
static void test_lent_without_memory(void **state)
{
    struct pair pair;
    struct buffer bytes = {NULL, 0, 0};
    char out[2];
    size_t size = 0;

    (void)state;
    pair_begin(&pair);
    assert_int_equal(tls_session_write(pair.client, "ab", 2), STATUS_OK);
    assert_int_equal(tls_session_write(pair.client, "cd", 2), STATUS_OK);
    assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_OK);
    tls_session_lend(pair.server, (const uint8_t *)bytes.data, bytes.size);
    alloc_fault_after(0);
    assert_int_equal(tls_session_read(pair.server, (uint8_t *)out, 2, &size), TLS_FAILED);
    assert_true(alloc_fault_end());
    assert_int_equal(size, 2);
    assert_memory_equal(out, "ab", 2);
    assert_failed(pair.server, "out of memory", false);
    buffer_fini(&bytes);
    pair_fini(&pair);
}

/* A record that came byte by byte is read when its last byte has come, and not before. */
static void test_record_in_pieces(void **state)
{
    struct buffer bytes = {0};
    struct pair pair;

    (void)state;
    pair_begin(&pair);
    assert_int_equal(tls_session_write(pair.client, "abc", 3), STATUS_OK);
    assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_OK);
    for (size_t i = 0; i < bytes.size; i++) {
        assert_read(pair.server, "", 0, TLS_NEED_MORE);
        assert_int_equal(tls_session_feed(pair.server, (const uint8_t *)bytes.data + i, 1),
                         STATUS_OK);
    }
    assert_read(pair.server, "abc", 3, TLS_NEED_MORE);
    buffer_fini(&bytes);
    pair_fini(&pair);
}

/* Data that follows the client's last handshake message at once is there after the handshake. */
static void test_data_with_handshake(void **state)
{
    struct tls_files server = test_certs_files(certs, "server");
    struct tls_files agency = test_certs_files(certs, "agency-17");
    struct pair pair;

    (void)state;
    pair_init(&pair, &server, &agency, "::1");
    step(pair.client, &pair.client_result);
    (void)carry(&pair, pair.client, pair.server, &pair.server_result);
    (void)carry(&pair, pair.server, pair.client, &pair.client_result);
    assert_int_equal(pair.client_result, TLS_OK);
    assert_int_equal(tls_session_write(pair.client, "abc", 3), STATUS_OK);
    tls_session_end(pair.client);
    (void)carry(&pair, pair.client, pair.server, &pair.server_result);
    assert_int_equal(pair.server_result, TLS_OK);
    assert_read(pair.server, "abc", 3, TLS_ENDED);
    pair_fini(&pair);
}

/* Taking appends to what the owner has, or hands over the memory; then there is nothing left. */
static void test_take(void **state)
{
    struct buffer bytes = {0};
    struct pair pair;

    (void)state;
    pair_begin(&pair);
    assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_OK);
    assert_null(bytes.data);
    assert_int_equal(tls_session_write(pair.client, "abc", 3), STATUS_OK);
    assert_int_equal(buffer_append(&bytes, "before", 6), STATUS_OK);
    assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_OK);
    assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_OK);
    assert_int_equal(bytes.size, 6 + 3 + 22);
    assert_memory_equal(bytes.data, "before\x17", 7);
    buffer_fini(&bytes);
    pair_fini(&pair);
}

/* The end of one side is seen by the other, which can still write; its own end comes later. */
static void test_end(void **state)
{
    struct pair pair;

    (void)state;
    pair_begin(&pair);
    assert_int_equal(tls_session_write(pair.client, "abc", 3), STATUS_OK);
    tls_session_end(pair.client);
    tls_session_end(pair.client);
    pass(pair.client, pair.server);
    assert_read(pair.server, "abc", 3, TLS_ENDED);
    assert_read(pair.server, "", 0, TLS_ENDED);
    assert_int_equal(tls_session_write(pair.server, "def", 3), STATUS_OK);
    pass(pair.server, pair.client);
    assert_read(pair.client, "def", 3, TLS_NEED_MORE);
    tls_session_end(pair.server);
    pass(pair.server, pair.client);
    assert_read(pair.client, "", 0, TLS_ENDED);
    /* What follows the end is nothing. */
    assert_int_equal(tls_session_feed(pair.client, (const uint8_t *)"junk", 4), STATUS_OK);
    assert_read(pair.client, "", 0, TLS_ENDED);
    pair_fini(&pair);
}

/* A conversation that is cut anywhere is not taken for one that has ended. */
static void test_truncated(void **state)
{
    struct buffer bytes = {0};
    struct pair pair;

    (void)state;
    pair_begin(&pair);
    assert_int_equal(tls_session_write(pair.client, "abc", 3), STATUS_OK);
    tls_session_end(pair.client);
    assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_OK);
    for (size_t i = 0; i + 1 < bytes.size; i++) {
        uint8_t out[8];
        size_t count;
        assert_int_equal(tls_session_feed(pair.server, (const uint8_t *)bytes.data + i, 1),
                         STATUS_OK);
        assert_int_equal(tls_session_read(pair.server, out, sizeof(out), &count), TLS_NEED_MORE);
    }
    buffer_fini(&bytes);
    pair_fini(&pair);
}

/* Who is refused, by whom, and what both sides say about it. */
struct refusal {
    const char *server; /* whose certificate it has */
    const char *client;
    const char *server_name; /* that the client expects */
    bool has_crl;            /* the server has a list */
    const char *server_reason;
    const char *client_reason;
};

#define PEERS "the peer's certificate "
#define OURS "the peer refuses our certificate: it "

static void check_refusal(const struct refusal *row, struct test_certs *server_certs,
                          struct test_certs *client_certs)
{
    struct tls_files server = test_certs_files(server_certs, row->server);
    struct tls_files client = test_certs_files(client_certs, row->client);
    bool is_servers = strncmp(row->server_reason, OURS, strlen(OURS)) != 0;
    struct pair pair;
    size_t count;
    uint8_t byte;

    if (row->has_crl)
        server.crl = test_certs_path(server_certs, "ca.crl");
    pair_init(&pair, &server, &client, row->server_name);
    shake_hands(&pair);
    assert_int_equal(pair.server_result, TLS_FAILED);
    /* In TLS 1.3 a client is done before the server has seen its certificate. */
    assert_int_equal(pair.client_result, is_servers ? TLS_OK : TLS_FAILED);
    if (is_servers)
        assert_int_equal(tls_session_read(pair.client, &byte, 1, &count), TLS_FAILED);
    assert_null(tls_session_peer(pair.server));
    assert_failed(pair.server, row->server_reason, true);
    assert_failed(pair.client, row->client_reason, true);
    assert_string_not_equal(tls_session_peer_name(is_servers ? pair.server : pair.client), "");
    pair_fini(&pair);
}

static void issue_bad(void)
{
    static const struct test_cert expired = {
        .names = {"URI:lottery:agency:3", "DNS:localhost"}, .from_s = -2 * DAY, .end_s = -DAY};
    static const struct test_cert early = {
        .names = {"URI:lottery:agency:3", "DNS:localhost"}, .from_s = DAY, .end_s = 2 * DAY};
    static const struct test_cert nobody = {.names = {"DNS:localhost"}};
    static const struct test_cert zero = {.names = {"URI:lottery:agency:0"}};
    static const struct test_cert several = {
        .names = {"URI:lottery:agency:3", "URI:lottery:agency:4"}};
    static const struct test_cert agency = {.names = {"URI:lottery:agency:3"}};

    test_certs_issue(certs, "expired", &expired);
    test_certs_issue(certs, "early", &early);
    test_certs_issue(certs, "nobody", &nobody);
    test_certs_issue(certs, "zero", &zero);
    test_certs_issue(certs, "several", &several);
    test_certs_issue(certs, "revoked", &agency);
    test_certs_issue(certs, "kept", &agency);
    test_certs_revoke(certs, "revoked");
    test_certs_write_crl(certs, -DAY, DAY);
}

static void test_refusals(void **state)
{
    static const struct refusal rows[] = {
        {"server", "expired", "localhost", false, PEERS "has expired", OURS "has expired"},
        {"server", "early", "localhost", false, PEERS "is not valid yet", OURS "is not acceptable"},
        {"server", "nobody", "localhost", false, PEERS "names no agency", OURS "is not acceptable"},
        {"server", "zero", "localhost", false, PEERS "names no agency", OURS "is not acceptable"},
        {"server", "several", "localhost", false, PEERS "names several", OURS "is not acceptable"},
        {"server", "revoked", "localhost", true, PEERS "is revoked", OURS "is revoked"},
        {"expired", "agency-17", "localhost", false, OURS "has expired", PEERS "has expired"},
        {"early", "agency-17", "localhost", false, OURS "is not acceptable",
         PEERS "is not valid yet"},
        {"server", "agency-17", "central.example", false, OURS "is not acceptable",
         PEERS "is not for the name of this server"},
        {"server", "agency-17", "127.0.0.2", false, OURS "is not acceptable",
         PEERS "is not for the name of this server"},
        {"server", "agency-17", "", false, OURS "is not acceptable",
         PEERS "is not for the name of this server"},
        {"server", "agency-17", "server", false, OURS "is not acceptable",
         PEERS "is not for the name of this server"},
    };

    (void)state;
    issue_bad();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_refusal(&rows[i], certs, certs);
}

/* Of another authority, which has the same name; each side notices it. */
static void test_other_authority(void **state)
{
    static const struct refusal row = {
        "server",
        "agency-17",
        "localhost",
        false,
        OURS "is of an authority that it does not know",
        PEERS "is of another authority",
    };
    (void)state;
    check_refusal(&row, others, certs);
    /* A server that the client trusts, and that trusts others. */
    struct tls_files server = test_certs_files(certs, "server");
    struct tls_files strangers = test_certs_files(others, "agency-17");
    struct tls_files client = test_certs_files(certs, "agency-17");
    struct pair pair;
    size_t count;
    uint8_t byte;
    server.ca = strangers.ca;
    pair_init(&pair, &server, &client, "localhost");
    shake_hands(&pair);
    assert_int_equal(pair.client_result, TLS_OK);
    assert_int_equal(tls_session_read(pair.client, &byte, 1, &count), TLS_FAILED);
    assert_failed(pair.server, row.client_reason, true);
    assert_failed(pair.client, row.server_reason, true);
    pair_fini(&pair);
}

/* With a list that is out of its time nobody can be trusted, which is not the agency's fault. A
 * good list lets the others in. */
static void test_list(void **state)
{
    static const struct refusal row = {
        "server",
        "kept",
        "localhost",
        true,
        "the list of revoked certificates is out of date",
        OURS "is not acceptable",
    };
    struct tls_files server = test_certs_files(certs, "server");
    struct tls_files agency = test_certs_files(certs, "kept");
    struct pair pair;

    (void)state;
    server.crl = test_certs_path(certs, "ca.crl");
    pair_init(&pair, &server, &agency, "localhost.");
    shake_hands(&pair);
    assert_int_equal(pair.server_result, TLS_OK);
    pair_fini(&pair);
    test_certs_write_crl(certs, -2 * DAY, -DAY);
    check_refusal(&row, certs, certs);
    test_certs_write_crl(certs, DAY, 2 * DAY);
    check_refusal(&row, certs, certs);
}

/* Certificates end while programs run: the clock counts, at each handshake. */
static void test_clock(void **state)
{
    struct tls_files server = test_certs_files(certs, "server");
    struct tls_files agency = test_certs_files(certs, "agency-17");
    struct pair pair;

    (void)state;
    pair_begin(&pair);
    time_t now_s = clock_wall_s();
    fake_clock_begin(0);
    fake_clock.wall_s = now_s + TEST_CERTS_YEAR + 60;
    pair_fini(&pair);
    pair_init(&pair, &server, &agency, "localhost");
    shake_hands(&pair);
    fake_clock_end();
    assert_failed(pair.client, PEERS "has expired", true);
    pair_fini(&pair);
}

/* An authority between ours and an agency's certificate is followed when the agency shows it. A
 * chain of more than four of them is refused. */
static void test_chain(void **state)
{
    static const struct test_cert authority = {.is_authority = true};
    static const struct test_cert agency = {.names = {"URI:lottery:agency:9"}};
    struct tls_files server = test_certs_files(certs, "server");
    struct pair pair;

    (void)state;
    test_certs_issue(certs, "between", &authority);
    test_certs_issue_by(certs, "between", "agency-9", &agency);
    struct tls_files client = test_certs_files(certs, "agency-9");
    pair_init(&pair, &server, &client, "localhost");
    shake_hands(&pair);
    assert_int_equal(pair.server_result, TLS_OK);
    assert_int_equal(tls_session_peer(pair.server)->agency, 9);
    pair_fini(&pair);
    for (unsigned i = 0; i < 5; i++) {
        char name[16];
        char by[16];
        (void)snprintf(name, sizeof(name), "level-%u", i);
        (void)snprintf(by, sizeof(by), i > 0 ? "level-%u" : "between", i - 1);
        test_certs_issue_by(certs, by, name, i < 4 ? &authority : &agency);
        if (i == 3)
            test_certs_issue_by(certs, by, "level-3-agency", &agency);
    }
    client = test_certs_files(certs, "level-3-agency"); /* below four others */
    pair_init(&pair, &server, &client, "localhost");
    shake_hands(&pair);
    assert_int_equal(pair.server_result, TLS_OK);
    pair_fini(&pair);
    client = test_certs_files(certs, "level-4"); /* below five */
    pair_init(&pair, &server, &client, "localhost");
    shake_hands(&pair);
    assert_failed(pair.server, PEERS "has too long a chain", true);
    pair_fini(&pair);
    /* The one between is trusted if it is in the file, without the one above it. */
    server.ca = test_certs_files(certs, "between").cert;
    client = test_certs_files(certs, "agency-9");
    pair_init(&pair, &server, &client, "localhost");
    shake_hands(&pair);
    assert_int_equal(pair.server_result, TLS_OK);
    pair_fini(&pair);
}

/* A certificate larger than the limit ends the handshake. */
static void test_large_certificate(void **state)
{
    static const struct test_cert large = {.names = {"URI:lottery:agency:9"}, .padding = 20000};
    static const struct test_cert largest = {.names = {"URI:lottery:agency:9"}, .padding = 12000};
    struct tls_files server = test_certs_files(certs, "server");
    struct pair pair;

    (void)state;
    test_certs_issue(certs, "large", &large);
    test_certs_issue(certs, "largest", &largest);
    struct tls_files client = test_certs_files(certs, "large");
    pair_init(&pair, &server, &client, "localhost");
    shake_hands(&pair);
    assert_failed(pair.server, "the peer sends too much for a TLS handshake", false);
    pair_fini(&pair);
    client = test_certs_files(certs, "largest");
    pair_init(&pair, &server, &client, "localhost");
    shake_hands(&pair);
    assert_int_equal(pair.server_result, TLS_OK);
    pair_fini(&pair);
}

/* One session of ours, which is fed bytes. */
static void single_begin(struct pair *pair, struct tls_session **session, enum tls_side side)
{
    struct tls_files server = test_certs_files(certs, "server");
    struct tls_files agency = test_certs_files(certs, "agency-17");

    pair_init(pair, &server, &agency, "localhost");
    *session = side == TLS_SERVER ? pair->server : pair->client;
}

/* Bytes that are not TLS are called so, also if it is the first byte alone that tells. A server
 * answers with an alert that a program without TLS can recognise. */
static void test_plain(void **state)
{
    static const struct text texts[] = {
        {"\x01\x00\x00\x00\x05hello", 10},
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"\x80\x2e\x01\x03\x01 a hello of SSL 2", 22},
        {"\x16\x07\x01\x00\x05hello", 10},
        {"\x16\x07", 2},
        {"S", 1},
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(texts) / sizeof(texts[0]); i++) {
        struct text text = texts[i / 2];
        struct tls_session *session;
        struct buffer out = {0};
        struct pair pair;
        single_begin(&pair, &session, i % 2 == 0 ? TLS_SERVER : TLS_CLIENT);
        (void)tls_session_handshake(session);
        assert_int_equal(tls_session_take(session, &out), STATUS_OK);
        buffer_fini(&out);
        assert_int_equal(tls_session_feed(session, (const uint8_t *)text.data, text.size),
                         STATUS_OK);
        assert_int_equal(tls_session_handshake(session), TLS_FAILED);
        assert_failed(session, "the peer does not speak TLS", true);
        assert_string_equal(tls_session_peer_name(session), "");
        assert_int_equal(tls_session_take(session, &out), STATUS_OK);
        assert_int_equal(out.size, i % 2 == 0 ? 7 : 0);
        if (i % 2 == 0)
            assert_memory_equal(out.data, "\x15\x03\x03\x00\x02\x02\x46", 7);
        buffer_fini(&out);
        pair_fini(&pair);
    }
}

/* A hello that never ends is cut off at the limit. */
static void test_endless_handshake(void **state)
{
    static const uint8_t head[] = {0x16, 3, 1, 0x40, 0};
    uint8_t record[16384] = {1, 1, 0xff, 0xf0, 3, 3};
    struct tls_session *session;
    struct pair pair;
    unsigned count = 0;

    (void)state;
    single_begin(&pair, &session, TLS_SERVER);
    for (enum tls_result result = TLS_NEED_MORE; result == TLS_NEED_MORE; count++) {
        assert_in_range(count, 0, 4);
        assert_int_equal(tls_session_feed(session, head, sizeof(head)), STATUS_OK);
        assert_int_equal(tls_session_feed(session, record, sizeof(record)), STATUS_OK);
        result = tls_session_handshake(session);
        memset(record, 0, sizeof(record));
    }
    assert_failed(session, "the peer sends too much for a TLS handshake", false);
    pair_fini(&pair);
}

/* Empty records, and those that mean nothing, end the handshake when there are many of them. */
static void test_empty_records(void **state)
{
    static const struct text records[] = {{"\x16\x03\x01\x00\x00", 5},
                                          {"\x14\x03\x03\x00\x01\x01", 6}};

    (void)state;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        struct tls_session *session;
        struct pair pair;
        unsigned count = 0;
        single_begin(&pair, &session, TLS_SERVER);
        step(pair.client, &pair.client_result);
        (void)carry(&pair, pair.client, session, &pair.server_result);
        assert_int_equal(pair.server_result, TLS_NEED_MORE);
        for (enum tls_result result = TLS_NEED_MORE; result == TLS_NEED_MORE; count++) {
            assert_in_range(count, 0, 100);
            assert_int_equal(
                tls_session_feed(session, (const uint8_t *)records[i].data, records[i].size),
                STATUS_OK);
            result = tls_session_handshake(session);
        }
        assert_string_not_equal(tls_session_reason(session), "");
        pair_fini(&pair);
    }
}

/* A peer that our module did not make. */
struct foreign {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in;
    BIO *out;
};

/* `files` NULL: without a certificate. */
static void foreign_init(struct foreign *foreign, enum tls_side side, const struct tls_files *files,
                         int version)
{
    foreign->context = SSL_CTX_new(side == TLS_SERVER ? TLS_server_method() : TLS_client_method());
    assert_int_equal(SSL_CTX_set_min_proto_version(foreign->context, TLS1_2_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(foreign->context, version), 1);
    if (files != NULL) {
        assert_int_equal(SSL_CTX_use_certificate_chain_file(foreign->context, files->cert), 1);
        assert_int_equal(
            SSL_CTX_use_PrivateKey_file(foreign->context, files->key, SSL_FILETYPE_PEM), 1);
    }
    foreign->ssl = SSL_new(foreign->context);
    foreign->in = BIO_new(BIO_s_mem());
    foreign->out = BIO_new(BIO_s_mem());
    SSL_set_bio(foreign->ssl, foreign->in, foreign->out);
    if (side == TLS_SERVER)
        SSL_set_accept_state(foreign->ssl);
    else
        SSL_set_connect_state(foreign->ssl);
}

static void foreign_fini(struct foreign *foreign)
{
    SSL_free(foreign->ssl);
    SSL_CTX_free(foreign->context);
}

/* Carries what both have written. Returns how many bytes there were. */
static size_t foreign_pass(struct foreign *foreign, struct tls_session *session)
{
    struct buffer bytes = {0};
    char *data = NULL;

    assert_int_equal(tls_session_take(session, &bytes), STATUS_OK);
    if (bytes.size > 0)
        assert_int_equal(BIO_write(foreign->in, bytes.data, (int)bytes.size), bytes.size);
    long size = BIO_get_mem_data(foreign->out, &data);
    assert_int_equal(tls_session_feed(session, (const uint8_t *)data, (size_t)size), STATUS_OK);
    assert_int_equal(BIO_reset(foreign->out), 1);
    size_t total = bytes.size + (size_t)size;
    buffer_fini(&bytes);
    return total;
}

static enum tls_result foreign_shake_hands(struct foreign *foreign, struct tls_session *session)
{
    enum tls_result result = TLS_NEED_MORE;

    do {
        (void)SSL_do_handshake(foreign->ssl);
        step(session, &result);
    } while (foreign_pass(foreign, session) > 0);
    return result;
}

/* Runs a handshake with a foreign peer, which fails for this reason. */
static void check_foreign(enum tls_side side, const char *files_of, int version, const char *reason)
{
    struct tls_session *session;
    struct foreign foreign;
    struct tls_files files = {NULL, NULL, NULL, NULL};
    struct pair pair;

    if (files_of != NULL)
        files = test_certs_files(certs, files_of);
    single_begin(&pair, &session, side == TLS_SERVER ? TLS_CLIENT : TLS_SERVER);
    foreign_init(&foreign, side, files_of != NULL ? &files : NULL, version);
    assert_int_equal(foreign_shake_hands(&foreign, session), TLS_FAILED);
    assert_failed(session, reason, true);
    foreign_fini(&foreign);
    pair_fini(&pair);
}

/* Old versions, no certificate, and certificates for another use. */
static void test_foreign_refused(void **state)
{
    static const struct test_cert for_server = {.names = {"URI:lottery:agency:3", "DNS:localhost"},
                                                .use = "serverAuth"};
    static const struct test_cert for_client = {.names = {"URI:lottery:agency:3", "DNS:localhost"},
                                                .use = "clientAuth"};

    (void)state;
    test_certs_issue(certs, "for-server", &for_server);
    test_certs_issue(certs, "for-client", &for_client);
    check_foreign(TLS_CLIENT, "agency-17", TLS1_2_VERSION, "the peer speaks no TLS 1.3");
    check_foreign(TLS_SERVER, "server", TLS1_2_VERSION, "the peer speaks no TLS 1.3");
    check_foreign(TLS_CLIENT, NULL, TLS1_3_VERSION, "the peer shows no certificate");
    check_foreign(TLS_CLIENT, "for-server", TLS1_3_VERSION, PEERS "is not for this use");
    check_foreign(TLS_SERVER, "for-client", TLS1_3_VERSION, PEERS "is not for this use");
}

/* A foreign client after its handshake with a server of ours. */
static void foreign_begin(struct foreign *foreign, struct pair *pair)
{
    struct tls_files files = test_certs_files(certs, "agency-17");
    struct tls_session *session;

    single_begin(pair, &session, TLS_SERVER);
    foreign_init(foreign, TLS_CLIENT, &files, TLS1_3_VERSION);
    assert_int_equal(foreign_shake_hands(foreign, session), TLS_OK);
}

/* The server sends no tickets: nothing comes after its handshake that nobody asked for. */
static void test_no_tickets(void **state)
{
    struct foreign foreign;
    struct pair pair;
    char byte;

    (void)state;
    foreign_begin(&foreign, &pair);
    assert_int_equal(SSL_read(foreign.ssl, &byte, 1), -1);
    assert_int_equal(foreign_pass(&foreign, pair.server), 0);
    assert_int_equal(SSL_SESSION_has_ticket(SSL_get0_session(foreign.ssl)), 0);
    foreign_fini(&foreign);
    pair_fini(&pair);
}

static void update_keys(struct foreign *foreign, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(SSL_key_update(foreign->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(foreign->ssl), 1);
    }
}

/* Keys may be changed in between, and are answered; without data that is done only so often. */
static void test_key_update(void **state)
{
    struct foreign foreign;
    struct pair pair;
    char out[8] = "";

    (void)state;
    foreign_begin(&foreign, &pair);
    for (unsigned i = 0; i < 5; i++) {
        update_keys(&foreign, 32);
        assert_int_equal(SSL_write(foreign.ssl, "abc", 3), 3);
        (void)foreign_pass(&foreign, pair.server);
        assert_read(pair.server, "abc", 3, TLS_NEED_MORE);
        assert_int_equal(tls_session_write(pair.server, "def", 3), STATUS_OK);
        (void)foreign_pass(&foreign, pair.server);
        assert_int_equal(SSL_read(foreign.ssl, out, sizeof(out)), 3);
        assert_string_equal(out, "def");
    }
    update_keys(&foreign, 1000);
    (void)foreign_pass(&foreign, pair.server);
    assert_read(pair.server, "", 0, TLS_FAILED);
    assert_failed(pair.server, "the peer sends TLS messages without data", false);
    struct buffer bytes = {0};
    assert_int_equal(tls_session_take(pair.server, &bytes), STATUS_OK);
    assert_in_range(bytes.size, 0, 40 * 33);
    buffer_fini(&bytes);
    foreign_fini(&foreign);
    pair_fini(&pair);
}

/* After our close_notify nothing may follow (RFC 8446, 6.1), also if the peer, which may go on
 * sending, wants an answer. */
static void test_key_update_after_end(void **state)
{
    struct foreign foreign;
    struct pair pair;

    (void)state;
    foreign_begin(&foreign, &pair);
    tls_session_end(pair.server);
    (void)foreign_pass(&foreign, pair.server);
    update_keys(&foreign, 3);
    assert_int_equal(SSL_write(foreign.ssl, "abc", 3), 3);
    (void)foreign_pass(&foreign, pair.server);
    assert_read(pair.server, "abc", 3, TLS_NEED_MORE);
    assert_false(tls_session_has_output(pair.server));
    foreign_fini(&foreign);
    pair_fini(&pair);
}

/* The secret that a foreign client's records are encrypted with (RFC 8446, 7.1), from its log. */
static uint8_t traffic_secret[32];

static void note_secret(const SSL *ssl, const char *line)
{
    static const char label[] = "CLIENT_TRAFFIC_SECRET_0 ";
    const char *digits = strrchr(line, ' ') + 1;

    (void)ssl;
    if (strncmp(line, label, strlen(label)) != 0)
        return;
    for (size_t i = 0; i < sizeof(traffic_secret); i++) {
        const char byte[] = {digits[2 * i], digits[2 * i + 1], '\0'};
        traffic_secret[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
}

/* HKDF-Expand-Label with the secret and an empty context. */
static void expand(const char *label, uint8_t *out, size_t size)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    char digest[] = "SHA256";
    char prefix[] = "tls13 ";
    char text[8];

    (void)snprintf(text, sizeof(text), "%s", label);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int("mode", &mode),
        OSSL_PARAM_construct_utf8_string("digest", digest, 0),
        OSSL_PARAM_construct_octet_string("key", traffic_secret, sizeof(traffic_secret)),
        OSSL_PARAM_construct_octet_string("prefix", prefix, strlen(prefix)),
        OSSL_PARAM_construct_octet_string("label", text, strlen(text)),
        OSSL_PARAM_construct_end(),
    };
    assert_int_equal(EVP_KDF_derive(context, out, size, params), 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

#define EMPTY_RECORD_SIZE (5 + 1 + 16)

/* Makes the client's record number `number`, of no data. */
static void seal_empty_record(uint8_t number, uint8_t out[EMPTY_RECORD_SIZE])
{
    static const uint8_t head[] = {0x17, 3, 3, 0, EMPTY_RECORD_SIZE - 5};
    static const uint8_t kind[] = {0x17};
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    uint8_t key[16];
    uint8_t nonce[12];
    int size;

    expand("key", key, sizeof(key));
    expand("iv", nonce, sizeof(nonce));
    nonce[sizeof(nonce) - 1] ^= number;
    memcpy(out, head, sizeof(head));
    assert_int_equal(EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, key, nonce), 1);
    assert_int_equal(EVP_EncryptUpdate(context, NULL, &size, head, sizeof(head)), 1);
    assert_int_equal(EVP_EncryptUpdate(context, out + 5, &size, kind, sizeof(kind)), 1);
    assert_int_equal(EVP_EncryptFinal_ex(context, out + 6, &size), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out + 6), 1);
    EVP_CIPHER_CTX_free(context);
}

/* A few records without data are no harm; a stream of nothing but them ends the session. */
static void test_empty_data_records(void **state)
{
    struct tls_files files = test_certs_files(certs, "agency-17");
    struct tls_session *session;
    struct foreign foreign;
    struct pair pair;
    uint8_t byte;
    size_t count;

    (void)state;
    single_begin(&pair, &session, TLS_SERVER);
    foreign_init(&foreign, TLS_CLIENT, &files, TLS1_3_VERSION);
    assert_int_equal(SSL_set_ciphersuites(foreign.ssl, "TLS_AES_128_GCM_SHA256"), 1);
    SSL_CTX_set_keylog_callback(foreign.context, note_secret);
    assert_int_equal(foreign_shake_hands(&foreign, session), TLS_OK);
    for (uint8_t number = 0; number < 100; number++) {
        uint8_t record[EMPTY_RECORD_SIZE];
        seal_empty_record(number, record);
        assert_int_equal(tls_session_feed(session, record, sizeof(record)), STATUS_OK);
        enum tls_result result = tls_session_read(session, &byte, 1, &count);
        assert_int_equal(count, 0);
        assert_int_equal(result, number < 32 ? TLS_NEED_MORE : TLS_FAILED);
    }
    assert_string_equal(tls_session_reason(session), "the peer sends TLS records without data");
    foreign_fini(&foreign);
    pair_fini(&pair);
}

/* A foreign server's tickets are no harm, and are not kept; too many of them are. */
static void test_tickets(void **state)
{
    static const size_t counts[] = {2, 32, 33};
    struct tls_files files = test_certs_files(certs, "server");

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct tls_session *session;
        struct foreign foreign;
        struct pair pair;
        single_begin(&pair, &session, TLS_CLIENT);
        foreign_init(&foreign, TLS_SERVER, &files, TLS1_3_VERSION);
        assert_int_equal(SSL_set_num_tickets(foreign.ssl, counts[i]), 1);
        assert_int_equal(foreign_shake_hands(&foreign, session), TLS_OK);
        assert_int_equal(SSL_write(foreign.ssl, "abc", 3), 3);
        (void)foreign_pass(&foreign, session);
        if (counts[i] <= 32)
            assert_read(session, "abc", 3, TLS_NEED_MORE);
        else
            assert_read(session, "", 0, TLS_FAILED);
        foreign_fini(&foreign);
        pair_fini(&pair);
    }
}

/* A bit that changes on the way breaks the session, and gives out nothing. */
static void test_changed_bytes(void **state)
{
    (void)state;
    for (size_t at = 5; at < 25; at += 4) {
        struct buffer bytes = {0};
        struct pair pair;
        pair_begin(&pair);
        assert_int_equal(tls_session_write(pair.client, "abc", 3), STATUS_OK);
        assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_OK);
        bytes.data[at] ^= 1;
        assert_int_equal(tls_session_feed(pair.server, (const uint8_t *)bytes.data, bytes.size),
                         STATUS_OK);
        assert_read(pair.server, "", 0, TLS_FAILED);
        assert_failed(pair.server, "bytes were changed on the way", false);
        buffer_fini(&bytes);
        pair_fini(&pair);
    }
}

/* A record that comes twice breaks the session, too. */
static void test_replayed_record(void **state)
{
    struct buffer bytes = {0};
    struct pair pair;

    (void)state;
    pair_begin(&pair);
    assert_int_equal(tls_session_write(pair.client, "abc", 3), STATUS_OK);
    assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_OK);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(tls_session_feed(pair.server, (const uint8_t *)bytes.data, bytes.size),
                         STATUS_OK);
    assert_read(pair.server, "abc", 3, TLS_FAILED);
    buffer_fini(&bytes);
    pair_fini(&pair);
}

/* Without memory a call fails; what was there before stays, and can be tried again. */
static void test_no_memory(void **state)
{
    static uint8_t data[100000];
    struct tls_session *session = NULL;
    struct buffer bytes = {0};
    struct pair pair;

    (void)state;
    pair_begin(&pair);
    alloc_fault_after(0);
    assert_int_equal(tls_session_create(pair.client_context, "localhost", &session), STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_null(session);
    alloc_fault_after(0);
    assert_int_equal(tls_session_write(pair.client, data, sizeof(data)), STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_int_equal(tls_session_write(pair.client, data, sizeof(data)), STATUS_OK);
    assert_int_equal(buffer_append(&bytes, "x", 1), STATUS_OK);
    alloc_fault_after(0);
    assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_int_equal(bytes.size, 1);
    buffer_fini(&bytes);
    assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_OK);
    alloc_fault_after(0);
    assert_int_equal(tls_session_feed(pair.server, (const uint8_t *)bytes.data, bytes.size),
                     STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_int_equal(tls_session_feed(pair.server, (const uint8_t *)bytes.data, bytes.size),
                     STATUS_OK);
    assert_read(pair.server, data, sizeof(data), TLS_NEED_MORE);
    buffer_fini(&bytes);
    pair_fini(&pair);
}

/* No memory for what libssl writes ends the handshake, with that reason. */
static void test_no_memory_in_handshake(void **state)
{
    struct tls_session *session;
    struct pair pair;

    (void)state;
    single_begin(&pair, &session, TLS_CLIENT);
    alloc_fault_after(0);
    assert_int_equal(tls_session_handshake(session), TLS_FAILED);
    assert_true(alloc_fault_end());
    assert_failed(session, "out of memory", false);
    pair_fini(&pair);
}

/* A session that has not begun, or is in the middle, can be ended and destroyed. */
static void test_destroy(void **state)
{
    struct buffer bytes = {0};
    struct pair pair;

    (void)state;
    single_begin(&pair, &(struct tls_session *){NULL}, TLS_CLIENT);
    tls_session_end(pair.client);
    step(pair.client, &pair.client_result);
    tls_session_end(pair.client);
    assert_int_equal(tls_session_take(pair.client, &bytes), STATUS_OK);
    assert_int_equal(tls_session_feed(pair.server, (const uint8_t *)bytes.data, bytes.size),
                     STATUS_OK);
    buffer_fini(&bytes);
    pair_fini(&pair);
    tls_session_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_handshake_in_pieces),
        cmocka_unit_test(test_server_as_client),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_exact_reads),
        cmocka_unit_test(test_lent),
        cmocka_unit_test(test_lent_without_memory),
        cmocka_unit_test(test_record_in_pieces),
        cmocka_unit_test(test_data_with_handshake),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_other_authority),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_large_certificate),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_endless_handshake),
        cmocka_unit_test(test_empty_records),
        cmocka_unit_test(test_foreign_refused),
        cmocka_unit_test(test_no_tickets),
        cmocka_unit_test(test_key_update),
        cmocka_unit_test(test_key_update_after_end),
        cmocka_unit_test(test_empty_data_records),
        cmocka_unit_test(test_tickets),
        cmocka_unit_test(test_changed_bytes),
        cmocka_unit_test(test_replayed_record),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_no_memory_in_handshake),
        cmocka_unit_test(test_destroy),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
