/* The server's connections over TLS: of a kind of the test's own, of the lottery and of echo. Their
 * peers are streams on the same loop, or sockets that the test writes to by hand. */
#include "capture.h"
#include "cmocka_all.h"
#include "conn_handshake.h"
#include "echo_conn.h"
#include "fake_clock.h"
#include "log.h"
#include "loop.h"
#include "lottery_conn.h"
#include "test_certs.h"
#include "test_sockets.h"
#include "tls_peer.h"
#include "wire.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CODE(name) LOTTERY__V1__ACK_CODE__ACK_CODE_##name
#define LIMIT_MS 60000 /* every limit of time */
#define DAY (24 * TEST_CERTS_HOUR)

static struct test_certs *certs;
static struct test_certs *others; /* of another authority */

/* The other end of a connection. */
struct peer {
    struct stream *stream; /* NULL: gone */
    struct tls_context *context;
    const char *first;   /* sent when the handshake is over */
    unsigned connects;   /* calls of on_connect, and how it ended: */
    unsigned ends;       /* calls of on_end, likewise */
    enum status status;  /* of the last of both */
    char reason[128];    /* the same */
    char received[8192]; /* so far */
    size_t size;
};

struct fixture {
    struct ledger ledger; /* first: the ledger's object */
    struct ledger_news news;
    unsigned asked; /* questions that came to the ledger */
    uv_loop_t loop;
    struct stream_hub *hub;
    struct tls_context *tls;
    struct conn_set set;
    struct service *service; /* of the lottery; NULL for the others */
    struct lottery_conns lottery_conns;
    struct echo_conns echo_conns;
    struct peer peer;
    int peer_fd;        /* its socket */
    struct in6_addr ip; /* where the next ones come from */
    unsigned accepts;
    unsigned gones;
    /* Of the test's own kind: */
    struct tls_peer proven; /* the last one */
    unsigned proves;
    unsigned datas; /* calls of on_data */
    unsigned checks;
    unsigned stops;
    const char *break_reason;
};

/* ------------------------------------------------------------------ the test's own kind */

static struct fixture *fixture_of(struct conn *conn)
{
    return conn->set->config.owner;
}

static void own_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct fixture *f = fixture_of(owner);

    (void)data;
    assert_true(size > 0);
    assert_int_equal(f->proves, 1);
    f->datas++;
}

static void own_on_end(void *owner, enum status status, const char *detail)
{
    struct conn *conn = owner;

    if (status != STATUS_OK) {
        fixture_of(conn)->break_reason = conn_break_reason(conn, status, detail);
        conn_note_reason(conn, fixture_of(conn)->break_reason);
    }
    stream_finish(conn->stream);
}

static void own_on_closed(void *owner)
{
    conn_free(owner);
}

static const struct stream_events own_events = {
    .on_connect = conn_on_connect,
    .on_data = own_on_data,
    .on_end = own_on_end,
    .on_closed = own_on_closed,
};

static enum status own_start(struct conn *conn)
{
    return stream_read_start(conn->stream);
}

static void own_prove(struct conn *conn, const struct tls_peer *peer)
{
    struct fixture *f = fixture_of(conn);

    f->proves++;
    f->proven = *peer;
}

static void own_check(struct conn *conn, uint64_t now_ms)
{
    (void)now_ms;
    fixture_of(conn)->checks++;
}

static void own_stop(struct conn *conn)
{
    fixture_of(conn)->stops++;
    stream_close(conn->stream);
}

static const struct conn_ops own_ops = {
    .size = sizeof(struct conn),
    .events = &own_events,
    .start = own_start,
    .prove = own_prove,
    .check = own_check,
    .stop = own_stop,
};

/* ------------------------------------------------------------------ the peer */

static void peer_note(struct peer *peer, enum status status, const char *detail)
{
    peer->status = status;
    (void)snprintf(peer->reason, sizeof(peer->reason), "%s", detail);
}

static void peer_on_connect(void *owner, enum status status, const char *detail)
{
    struct peer *peer = owner;

    peer->connects++;
    peer_note(peer, status, detail);
    if (status != STATUS_OK)
        stream_finish(peer->stream);
    else
        assert_int_equal(stream_send(peer->stream, peer->first, strlen(peer->first)), STATUS_OK);
}

static void peer_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct peer *peer = owner;

    assert_true(size <= sizeof(peer->received) - peer->size);
    memcpy(peer->received + peer->size, data, size);
    peer->size += size;
}

static void peer_on_end(void *owner, enum status status, const char *detail)
{
    struct peer *peer = owner;

    peer->ends++;
    peer_note(peer, status, detail);
    stream_close(peer->stream);
}

static void peer_on_closed(void *owner)
{
    ((struct peer *)owner)->stream = NULL;
}

static const struct stream_events peer_events = {
    .on_connect = peer_on_connect,
    .on_data = peer_on_data,
    .on_end = peer_on_end,
    .on_closed = peer_on_closed,
};

static struct tls_context *make_context(enum tls_side side, const struct tls_files *files)
{
    struct tls_context *context = NULL;
    struct errbuf err = {{0}};

    if (tls_context_create(side, files, &context, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return context;
}

/* ------------------------------------------------------------------ setup */

static void fake_ask(struct ledger *ledger, struct ledger_op *op, uint32_t agency, uint64_t offset)
{
    (void)agency;
    (void)offset;
    ((struct fixture *)ledger)->asked++;
    op->done(op);
}

static size_t fake_backlog(const struct ledger *ledger)
{
    (void)ledger;
    return 0;
}

static const struct ledger_news *fake_news(const struct ledger *ledger)
{
    return &((const struct fixture *)ledger)->news;
}

static const struct ledger_backend backend = {
    .ask = fake_ask, .backlog = fake_backlog, .news = fake_news};

static void on_gone(void *owner, struct in6_addr ip)
{
    (void)ip;
    ((struct fixture *)owner)->gones++;
}

/* Where the connections of a case count. */
static struct scoreboard_row row;

static uint64_t handshakes_failed(void)
{
    return atomic_load(&row.count[SCOREBOARD_HANDSHAKES_FAILED]);
}

static void begin_set(struct fixture *f, const struct conn_ops *ops, void *context)
{
    conn_set_init(&f->set, &(struct conn_set_config){.ops = ops,
                                                     .hub = f->hub,
                                                     .tls = f->tls,
                                                     .handshake_ms = LIMIT_MS,
                                                     .row = &row,
                                                     .context = context,
                                                     .on_gone = on_gone,
                                                     .owner = f});
}

static struct fixture *begin_any(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct tls_files files = test_certs_files(certs, "server");

    assert_non_null(f);
    memset(&row, 0, sizeof(row));
    f->ledger.backend = &backend;
    f->news.agencies = 20;
    f->ip = peer_ip_of_v4((struct in_addr){.s_addr = htonl(0x0a000001)});
    f->tls = make_context(TLS_SERVER, &files);
    loop_begin(&f->loop);
    assert_int_equal(stream_hub_create(&f->loop, &f->hub), STATUS_OK);
    *state = f;
    return f;
}

static int begin(void **state)
{
    struct fixture *f = begin_any(state);

    begin_set(f, &own_ops, NULL);
    return 0;
}

static int begin_lottery(void **state)
{
    struct fixture *f = begin_any(state);
    const struct service_config config = {
        .ledger = &f->ledger, .ops = &file_ops_system, .dir_fd = -1};

    assert_int_equal(service_create(&config, &f->service), STATUS_OK);
    lottery_conns_init(&f->lottery_conns,
                       &(struct lottery_conns_config){.loop = &f->loop,
                                                      .service = f->service,
                                                      .ledger = &f->ledger,
                                                      .handshake_ms = LIMIT_MS,
                                                      .frame_ms = LIMIT_MS,
                                                      .idle_ms = LIMIT_MS,
                                                      .buffered_max = 1024 * 1024});
    begin_set(f, &lottery_conn_ops, &f->lottery_conns);
    return 0;
}

static int begin_echo(void **state)
{
    struct fixture *f = begin_any(state);

    f->echo_conns.timeout_ms = LIMIT_MS;
    begin_set(f, &echo_conn_ops, &f->echo_conns);
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    if (f->peer.stream != NULL)
        stream_close(f->peer.stream);
    conn_set_close(&f->set);
    if (f->service != NULL)
        lottery_conns_close(&f->lottery_conns);
    stream_hub_close(f->hub);
    loop_end(&f->loop);
    assert_int_equal(f->gones, f->accepts);
    service_destroy(f->service);
    tls_context_destroy(f->tls);
    tls_context_destroy(f->peer.context);
    free(f);
    fake_clock_end();
    return 0;
}

/* A connection is accepted; returns the other end. */
static int accept_one(struct fixture *f)
{
    int fds[2];

    sockets_pair_tcp(fds, 0);
    f->accepts++;
    assert_int_equal(conn_accept(&f->set, fds[0], f->ip), STATUS_OK);
    return fds[1];
}

/* The same, and the peer begins its handshake; then it sends `first`. */
static void connect_with(struct fixture *f, const struct tls_files *files, const char *first)
{
    struct peer *peer = &f->peer;

    assert_null(peer->stream);
    tls_context_destroy(peer->context);
    *peer = (struct peer){.context = make_context(TLS_CLIENT, files), .first = first};
    assert_int_equal(
        stream_create_tls(f->hub, peer->context, NULL, &peer_events, peer, &peer->stream),
        STATUS_OK);
    f->peer_fd = accept_one(f);
    assert_int_equal(stream_open(peer->stream, f->peer_fd), STATUS_OK);
    assert_int_equal(stream_read_start(peer->stream), STATUS_OK);
}

static void connect_as(struct fixture *f, const char *name, const char *first)
{
    const struct tls_files files = test_certs_files(certs, name);

    connect_with(f, &files, first);
}

static void wait_gone(struct fixture *f)
{
    loop_until_count(&f->loop, &f->gones, f->accepts, "on_gone");
    while (f->peer.stream != NULL)
        loop_turn(&f->loop);
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;

    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

static void assert_once(const struct capture *capture, const char *part)
{
    if (count_of(capture->text, part) != 1)
        fail_msg("\"%s\" is not once in:\n%s", part, capture->text);
}

/* ------------------------------------------------------------------ cases */

/* Who is trusted is handed to the kind, once and before anything of what it sends. */
static void test_trusted(void **state)
{
    struct fixture *f = *state;

    connect_as(f, "agency-17", "hello");
    loop_until_count(&f->loop, &f->datas, 1, "data");
    assert_int_equal(f->proves, 1);
    assert_int_equal(f->proven.role, TLS_PEER_AGENCY);
    assert_int_equal(f->proven.agency, 17);
    stream_finish(f->peer.stream);
    wait_gone(f);
    assert_null(f->break_reason);
    f->proves = 0;
    connect_as(f, "server", "hello");
    loop_until_count(&f->loop, &f->datas, 2, "data");
    assert_int_equal(f->proven.role, TLS_PEER_SERVER);
    assert_int_equal(f->proven.agency, 0);
    assert_int_equal(handshakes_failed(), 0);
}

/* Who is not trusted gets nowhere, whatever it sends after its own part of the handshake. The log
 * says whom the certificate names and what is wrong, and so does the line about the end; the peer
 * is told. */
static void test_not_trusted(void **state)
{
    static const struct {
        const char *name;
        bool is_others;
        const char *certificate;
        const char *reason;
    } cases[] = {
        {"expired", false, "lottery:agency:3", "the peer's certificate has expired"},
        {"nameless", false, NULL, "the peer's certificate names no agency"},
        {"agency-17", true, "lottery:agency:17", "the peer's certificate is of another authority"},
    };
    struct fixture *f = *state;
    char expected[300];

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tls_files files =
            test_certs_files(cases[i].is_others ? others : certs, cases[i].name);
        struct capture capture;
        files.ca = test_certs_files(certs, "server").ca;
        capture_begin(&capture);
        connect_with(f, &files, "hello");
        wait_gone(f);
        capture_end(&capture);
        assert_once(&capture, "accept_connections | result: success | ip: 10.0.0.1\n");
        assert_once(&capture, "WARNING  action: tls_handshake | result: fail | ip: 10.0.0.1 | "
                              "certificate: ");
        if (cases[i].certificate != NULL) {
            (void)snprintf(expected, sizeof(expected), " | certificate: %s | reason: %s\n",
                           cases[i].certificate, cases[i].reason);
            assert_once(&capture, expected);
        }
        (void)snprintf(expected, sizeof(expected),
                       "close_connection | result: success | ip: 10.0.0.1 | reason: %s\n",
                       cases[i].reason);
        assert_once(&capture, expected);
        capture_free(&capture);
        assert_int_equal(f->peer.status, STATUS_UNTRUSTED);
        assert_non_null(strstr(f->peer.reason, "the peer refuses our certificate"));
    }
    assert_int_equal(f->proves + f->datas, 0);
    assert_int_equal(handshakes_failed(), COUNT(cases));
}

/* A peer that does not trust us says so, and shows no certificate. */
static void test_not_trusting(void **state)
{
    struct fixture *f = *state;
    struct tls_files files = test_certs_files(certs, "agency-17");
    struct capture capture;

    files.ca = test_certs_files(others, "server").ca;
    capture_begin(&capture);
    connect_with(f, &files, "hello");
    wait_gone(f);
    capture_end(&capture);
    assert_once(&capture, "action: tls_handshake | result: fail | ip: 10.0.0.1 | reason: the peer "
                          "refuses our certificate: ");
    capture_free(&capture);
    assert_int_equal(f->peer.status, STATUS_UNTRUSTED);
    assert_int_equal(f->proves, 0);
    assert_int_equal(handshakes_failed(), 1);
}

/* So is it with a peer that speaks something else, which gets an alert all the same. */
static void test_no_tls(void **state)
{
    struct fixture *f = *state;
    struct capture capture;
    uint8_t alert[64];
    size_t size = 0;
    bool has_ended = false;

    capture_begin(&capture);
    int other = accept_one(f);
    sockets_write(other, "\x00\x05\x00\x00\x00hello", 10);
    for (int i = 0; i < 1000 && !has_ended; i++) {
        loop_turn(&f->loop);
        size += sockets_read(other, alert + size, sizeof(alert) - size, &has_ended);
    }
    assert_int_equal(close(other), 0);
    wait_gone(f);
    capture_end(&capture);
    assert_once(&capture, "WARNING  action: tls_handshake | result: fail | ip: 10.0.0.1 | reason: "
                          "the peer does not speak TLS\n");
    capture_free(&capture);
    assert_true(has_ended && size >= 7);
    assert_int_equal(alert[0], 0x15);
    assert_int_equal(handshakes_failed(), 1);
}

/* And with one that begins well and goes on with anything. */
static void test_damaged(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    capture_begin(&capture);
    connect_as(f, "agency-17", "hello");
    loop_turn(&f->loop); /* its first message is under way */
    sockets_write(f->peer_fd, "\x17\x03\x03\x00\x15not what was encrypted", 26);
    wait_gone(f);
    capture_end(&capture);
    assert_once(&capture,
                "WARNING  action: tls_handshake | result: fail | ip: 10.0.0.1 | reason: ");
    capture_free(&capture);
    assert_int_equal(f->peer.status, STATUS_MALFORMED); /* it was told */
    assert_int_equal(f->proves, 0);
    assert_int_equal(handshakes_failed(), 1);
}

/* Who connects and goes, or goes in the middle, has not been refused. */
static void test_goes(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2; i++) {
        struct capture capture;
        capture_begin(&capture);
        int other = accept_one(f);
        if (i == 1)
            sockets_write(other, "\x16\x03\x01\x02\x00", 5);
        loop_turn(&f->loop);
        assert_int_equal(close(other), 0);
        wait_gone(f);
        capture_end(&capture);
        assert_int_equal(count_of(capture.text, "tls_handshake"), 0);
        assert_once(&capture, "close_connection | result: success | ip: 10.0.0.1 | reason: the "
                              "peer broke off the TLS handshake\n");
        capture_free(&capture);
    }
    assert_int_equal(f->proves, 0);
    assert_int_equal(handshakes_failed(), 0);
}

/* A handshake has its time from the accept on; bytes that come now and then give it no more. The
 * kind's own limits do not count meanwhile. */
static void test_time_limit(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    fake_clock_begin(1000000);
    f->set.checked_ms = fake_clock.now_ms;
    capture_begin(&capture);
    int other = accept_one(f);
    struct conn *conn = LIST_ITEM(f->set.conns.ring.next, struct conn, in_set);
    for (unsigned i = 0; i < 4; i++) {
        sockets_write(other, &"\x16\x03\x01\x02"[i], 1);
        for (unsigned k = 0; k < 20; k++)
            loop_turn(&f->loop);
        fake_clock.now_ms = 1000000 + LIMIT_MS - 4 + i;
        conn_set_check(&f->set, fake_clock.now_ms);
        assert_false(stream_is_closing(conn->stream));
    }
    fake_clock.now_ms++;
    wait_gone(f); /* the set's timer checks it */
    capture_end(&capture);
    assert_once(&capture, "reason: no TLS handshake in time\n");
    assert_int_equal(count_of(capture.text, "tls_handshake"), 0);
    capture_free(&capture);
    assert_int_equal(f->checks, 0);
    assert_int_equal(handshakes_failed(), 1);
    assert_int_equal(close(other), 0);
}

/* After the handshake the kind's own limits count, and only they. */
static void test_time_limit_is_over(void **state)
{
    struct fixture *f = *state;

    connect_as(f, "agency-17", "hello");
    loop_until_count(&f->loop, &f->datas, 1, "data");
    loop_until_count(&f->loop, &f->checks, 1, "a check");
    assert_int_equal(f->gones, 0);
}

/* A stop ends handshakes at once, and leaves the others to their kind. */
static void test_stop(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    capture_begin(&capture);
    int other = accept_one(f);
    connect_as(f, "agency-17", "hello");
    loop_until_count(&f->loop, &f->datas, 1, "data");
    conn_set_stop(&f->set);
    wait_gone(f);
    capture_end(&capture);
    assert_int_equal(f->stops, 1);
    assert_int_equal(handshakes_failed(), 0);
    assert_once(&capture, "reason: the server stops\n");
    capture_free(&capture);
    assert_int_equal(close(other), 0);
}

/* A connection that ends without close_notify was cut, and the log says so. */
static void test_cut(void **state)
{
    static const char reason[] = "the connection was cut: it ended without close_notify";
    struct fixture *f = *state;
    struct capture capture;

    capture_begin(&capture);
    connect_as(f, "agency-17", "hello");
    loop_until_count(&f->loop, &f->datas, 1, "data");
    stream_close(f->peer.stream);
    wait_gone(f);
    capture_end(&capture);
    assert_string_equal(f->break_reason, reason);
    assert_once(&capture, reason);
    assert_int_equal(count_of(capture.text, "tls_handshake"), 0);
    capture_free(&capture);
}

/* From our own machine, who is trusted and soon gone leaves no line; who is not does. */
static void test_health_check_is_silent(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    f->ip = peer_ip_of_v4((struct in_addr){.s_addr = htonl(INADDR_LOOPBACK)});
    capture_begin(&capture);
    connect_as(f, "server", "");
    loop_until_count(&f->loop, &f->proves, 1, "prove");
    stream_finish(f->peer.stream);
    wait_gone(f);
    capture_end(&capture);
    assert_string_equal(capture.text, "");
    capture_free(&capture);
    capture_begin(&capture);
    connect_as(f, "expired", "");
    wait_gone(f);
    capture_end(&capture);
    assert_once(&capture, "accept_connections | result: success | ip: 127.0.0.1\n");
    assert_once(&capture, "tls_handshake | result: fail | ip: 127.0.0.1 | ");
    assert_once(&capture, "close_connection");
    capture_free(&capture);
}

/* ------------------------------------------------------------------ the kinds of the server */

static bool has_whole_frame(void *context)
{
    const struct peer *peer = context;
    struct frame frame;

    return frame_decode((const uint8_t *)peer->received, peer->size, &frame) == FRAME_OK;
}

/* The peer sends a message, and the answer must be this one. */
static void send_message(struct fixture *f, uint8_t opcode, const ProtobufCMessage *message,
                         Lottery__V1__AckCode code, const char *detail)
{
    struct peer *peer = &f->peer;
    uint8_t bytes[FRAME_MAX_SIZE];
    struct frame frame;

    size_t size = wire_pack(opcode, message, bytes);
    assert_int_equal(stream_send(peer->stream, bytes, size), STATUS_OK);
    loop_until(&f->loop, has_whole_frame, peer, "an answer");
    assert_int_equal(frame_decode((const uint8_t *)peer->received, peer->size, &frame), FRAME_OK);
    Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame.body_size, frame.body);
    assert_non_null(ack);
    assert_int_equal(ack->code, code);
    assert_string_equal(ack->detail, detail);
    lottery__v1__ack__free_unpacked(ack, NULL);
    peer->size = 0;
}

/* It asks how many bets of an agency there are. */
static void ask(struct fixture *f, uint32_t agency, Lottery__V1__AckCode code, const char *detail)
{
    Lottery__V1__NewBets question;

    lottery__v1__new_bets__init(&question);
    question.agency_id = agency;
    send_message(f, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &question.base, code, detail);
}

/* The lottery takes of a connection what its certificate is for, and of the server's own
 * certificate questions. */
static void test_lottery(void **state)
{
    struct fixture *f = *state;

    connect_as(f, "agency-17", "");
    ask(f, 5, CODE(UNKNOWN_AGENCY),
        "agency 5 is not this connection's: its certificate is for agency 17");
    assert_int_equal(f->asked, 0);
    ask(f, 17, CODE(OK), "");
    assert_int_equal(f->asked, 1);
    stream_finish(f->peer.stream);
    wait_gone(f);
    connect_as(f, "server", "");
    ask(f, 1, CODE(OK), "");
    assert_int_equal(f->asked, 2);
    Lottery__V1__Finished finished;
    lottery__v1__finished__init(&finished);
    finished.agency_id = 1;
    send_message(f, LOTTERY__V1__OPCODE__OPCODE_FINISHED, &finished.base, CODE(UNKNOWN_AGENCY),
                 "this connection's certificate is the server's own: it may only ask");
}

/* The line about its end has the reason where without TLS it would be "the connection broke". */
static void test_lottery_is_cut(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    capture_begin(&capture);
    connect_as(f, "agency-17", "");
    ask(f, 17, CODE(OK), "");
    stream_close(f->peer.stream);
    wait_gone(f);
    capture_end(&capture);
    assert_once(&capture, "close_connection | result: success | ip: 10.0.0.1 | reason: the "
                          "connection was cut: it ended without close_notify\n");
    capture_free(&capture);
}

/* Bytes that are no TLS, after the handshake: the peer gets an alert before the end. */
static void damage(struct fixture *f, struct capture *capture)
{
    capture_begin(capture);
    sockets_write(f->peer_fd, "\x17\x03\x03\x00\x15not what was encrypted", 26);
    wait_gone(f);
    capture_end(capture);
    assert_once(capture, "close_connection | result: success | ip: 10.0.0.1 | reason: ");
    assert_int_equal(count_of(capture->text, "tls_handshake"), 0);
    assert_int_equal(f->peer.ends, 1);
    assert_int_equal(f->peer.status, STATUS_MALFORMED);
}

static void test_lottery_is_damaged(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    connect_as(f, "agency-17", "");
    ask(f, 17, CODE(OK), "");
    damage(f, &capture);
    assert_int_equal(count_of(capture.text, "the connection broke"), 0);
    capture_free(&capture);
}

/* Time that the handshake took is none in which answers were not read. */
static void test_lottery_after_a_long_handshake(void **state)
{
    struct fixture *f = *state;
    struct conn *conn;

    fake_clock_begin(1000000);
    fake_clock.wall_s = time(NULL);
    f->set.checked_ms = fake_clock.now_ms;
    connect_as(f, "agency-17", "");
    conn = LIST_ITEM(f->set.conns.ring.next, struct conn, in_set);
    fake_clock.now_ms += LIMIT_MS - 1;
    loop_until_count(&f->loop, &f->peer.connects, 1, "the handshake");
    while (conn->is_in_handshake)
        loop_turn(&f->loop);
    assert_int_equal(stream_send(conn->stream, "answer", 6), STATUS_OK); /* not taken yet */
    f->set.config.ops->check(conn, fake_clock.now_ms + 1);
    assert_false(stream_is_closing(conn->stream));
}

/* Echo works over TLS for anybody who is trusted; a line that was cut is not answered. */
static void test_echo(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    connect_as(f, "agency-17", "hello\n");
    wait_gone(f);
    assert_int_equal(f->peer.size, 6);
    assert_memory_equal(f->peer.received, "hello\n", 6);
    assert_int_equal(f->peer.status, STATUS_OK);
    capture_begin(&capture);
    connect_as(f, "agency-17", "hel");
    loop_until_count(&f->loop, &f->peer.connects, 1, "the handshake");
    for (int i = 0; i < 20; i++)
        loop_turn(&f->loop);
    stream_close(f->peer.stream);
    wait_gone(f);
    capture_end(&capture);
    assert_once(&capture, "receive_message | result: fail | ip: 10.0.0.1 | reason: the connection "
                          "was cut: it ended without close_notify\n");
    capture_free(&capture);
    assert_int_equal(f->peer.size, 0);
    assert_int_equal(atomic_load(&row.count[SCOREBOARD_RECEIVED_BYTES]), 6 + 3);
    assert_int_equal(atomic_load(&row.count[SCOREBOARD_SENT_BYTES]), 6);
}

static void test_echo_is_damaged(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    connect_as(f, "agency-17", "hel");
    loop_until_count(&f->loop, &f->peer.connects, 1, "the handshake");
    for (int i = 0; i < 20; i++)
        loop_turn(&f->loop);
    damage(f, &capture);
    assert_once(&capture, "receive_message | result: fail | ip: 10.0.0.1 | reason: ");
    capture_free(&capture);
}

/* A peer that ends its side without a line, as the health check does, sees an orderly end. */
static void test_echo_without_a_line(void **state)
{
    struct fixture *f = *state;

    connect_as(f, "server", "");
    loop_until_count(&f->loop, &f->peer.connects, 1, "the handshake");
    stream_shutdown(f->peer.stream);
    wait_gone(f);
    assert_int_equal(f->peer.ends, 1);
    assert_int_equal(f->peer.status, STATUS_OK);
}

static int begin_all(void **state)
{
    static const struct test_cert expired = {
        .names = {"URI:lottery:agency:3"}, .from_s = -2 * DAY, .end_s = -DAY};
    static const struct test_cert nameless = {.names = {"DNS:agency"}};

    (void)state;
    log_set_level(LOG_INFO);
    certs = test_certs_create();
    others = test_certs_create();
    test_certs_issue(certs, "expired", &expired);
    test_certs_issue(certs, "nameless", &nameless);
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    test_certs_destroy(certs);
    test_certs_destroy(others);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define LOTTERY_CASE(name) cmocka_unit_test_setup_teardown(name, begin_lottery, end)
#define ECHO_CASE(name) cmocka_unit_test_setup_teardown(name, begin_echo, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_trusted),
        CASE(test_not_trusted),
        CASE(test_not_trusting),
        CASE(test_no_tls),
        CASE(test_damaged),
        CASE(test_goes),
        CASE(test_time_limit),
        CASE(test_time_limit_is_over),
        CASE(test_stop),
        CASE(test_cut),
        CASE(test_health_check_is_silent),
        LOTTERY_CASE(test_lottery),
        LOTTERY_CASE(test_lottery_is_cut),
        LOTTERY_CASE(test_lottery_is_damaged),
        LOTTERY_CASE(test_lottery_after_a_long_handshake),
        ECHO_CASE(test_echo),
        ECHO_CASE(test_echo_is_damaged),
        ECHO_CASE(test_echo_without_a_line),
    };

    return cmocka_run_group_tests_name("conn_handshake", tests, begin_all, end_all);
}
