/* TLS streams over real sockets. One end is a stream, the other a socket with a session of TLS that
 * the test drives by hand; the session has tests of its own (test_tls_session.c).
 *
 * Nothing sleeps: every step waits, with a limit, for the condition that it needs.
 */
#include "alloc_fault.h"
#include "cmocka_all.h"
#include "loop.h"
#include "stream.h"
#include "stream_impl.h"
#include "test_certs.h"
#include "test_sockets.h"
#include "tls_session.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SMALL_BUFFER 4096
#define MUCH ((size_t)1024 * 1024)
#define CROWD (3 * HANDSHAKES_PER_TURN)

/* A stream and what happened to it. */
struct side {
    struct stream *stream;
    struct buffer got;
    unsigned connects;
    unsigned datas;
    unsigned ends;
    unsigned drains;
    unsigned closes;
    enum status connect_status;
    enum status end_status;
    char detail[96]; /* of the last event that has one */
    size_t limit;    /* bytes that it takes at once; 0: none now */
    size_t most;     /* that it was given at once */
    void (*on_connect)(struct side *side);
    void (*on_data)(struct side *side);
    void (*on_end)(struct side *side);
};

/* The other end. */
struct peer {
    int fd; /* -1 = closed */
    struct tls_session *tls;
    struct buffer got;
    struct buffer unsent;
    bool is_agreed;  /* the handshake is over */
    bool has_ended;  /* close_notify has come */
    bool has_failed; /* tls_session_reason() says why */
    bool is_eof;     /* of the socket */
};

struct fixture {
    uv_loop_t loop;
    struct stream_hub *hub;
    struct side side;
    struct peer peer;
    struct side others[CROWD];
    struct peer crowd[CROWD];
    size_t wanted; /* what peer_has_all() waits for */
};

/* Made once. */
static struct tls_context *server;
static struct tls_context *client;   /* an agency's */
static struct tls_context *stranger; /* of another authority */

static void on_connect(void *owner, enum status status, const char *detail)
{
    struct side *side = owner;

    assert_int_equal(side->connects + side->datas + side->ends + side->closes, 0);
    side->connects++;
    side->connect_status = status;
    (void)snprintf(side->detail, sizeof(side->detail), "%s", detail);
    if (side->on_connect != NULL)
        side->on_connect(side);
}

static size_t on_read(void *owner)
{
    const struct side *side = owner;

    assert_int_equal(side->connects, 1);
    return side->limit;
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct side *side = owner;

    assert_int_equal(side->connects, 1);
    assert_int_equal(side->ends + side->closes, 0);
    assert_true(size > 0 && size <= side->limit);
    assert_int_equal(buffer_append(&side->got, data, size), STATUS_OK);
    if (size > side->most)
        side->most = size;
    side->datas++;
    if (side->on_data != NULL)
        side->on_data(side);
}

static void on_end(void *owner, enum status status, const char *detail)
{
    struct side *side = owner;

    assert_int_equal(side->connects, 1);
    assert_int_equal(side->ends + side->closes, 0);
    side->ends++;
    side->end_status = status;
    (void)snprintf(side->detail, sizeof(side->detail), "%s", detail);
    if (side->on_end != NULL)
        side->on_end(side);
}

static void on_drain(void *owner)
{
    struct side *side = owner;

    assert_int_equal(stream_backlog(side->stream), 0);
    side->drains++;
}

static void on_closed(void *owner)
{
    struct side *side = owner;

    side->closes++;
    side->stream = NULL;
}

static const struct stream_events events = {.on_connect = on_connect,
                                            .on_read = on_read,
                                            .on_data = on_data,
                                            .on_end = on_end,
                                            .on_drain = on_drain,
                                            .on_closed = on_closed};

/* ------------------------------------------------------------------------------ the other end */

static void peer_begin(struct peer *peer, int fd, const struct tls_context *context)
{
    *peer = (struct peer){.fd = fd};
    if (context != NULL)
        assert_int_equal(tls_session_create(context, NULL, &peer->tls), STATUS_OK);
}

static void peer_close(struct peer *peer)
{
    if (peer->fd >= 0)
        assert_int_equal(close(peer->fd), 0);
    peer->fd = -1;
    tls_session_destroy(peer->tls);
    peer->tls = NULL;
    buffer_fini(&peer->got);
    buffer_fini(&peer->unsent);
}

static void peer_read_plain(struct peer *peer)
{
    uint8_t plain[1000];
    size_t size = 0;
    enum tls_result result;

    do {
        result = tls_session_read(peer->tls, plain, sizeof(plain), &size);
        assert_int_equal(buffer_append(&peer->got, plain, size), STATUS_OK);
    } while (result == TLS_OK);
    peer->has_ended |= result == TLS_ENDED;
    peer->has_failed |= result == TLS_FAILED;
}

static void peer_go_on(struct peer *peer)
{
    if (!peer->is_agreed && !peer->has_failed) {
        enum tls_result result = tls_session_handshake(peer->tls);
        peer->is_agreed = result == TLS_OK;
        peer->has_failed = result == TLS_FAILED;
    }
    if (peer->is_agreed && !peer->has_failed)
        peer_read_plain(peer);
    assert_int_equal(tls_session_take(peer->tls, &peer->unsent), STATUS_OK);
}

/* Writes what the socket takes. */
static void peer_write(struct peer *peer)
{
    if (peer->unsent.size == 0)
        return;
    ssize_t count = send(peer->fd, peer->unsent.data, peer->unsent.size, MSG_NOSIGNAL);
    if (count <= 0)
        return;
    peer->unsent.size -= (size_t)count;
    memmove(peer->unsent.data, peer->unsent.data + count, peer->unsent.size);
}

/* Reads what has come, says what there is to say. */
static void peer_turn(struct peer *peer)
{
    uint8_t piece[4096];
    bool has_ended = false;

    if (peer->fd < 0)
        return;
    size_t size = sockets_read(peer->fd, piece, sizeof(piece), &has_ended);
    peer->is_eof |= has_ended;
    assert_int_equal(tls_session_feed(peer->tls, piece, size), STATUS_OK);
    peer_go_on(peer);
    peer_write(peer);
}

static void peer_send(struct peer *peer, const void *data, size_t size)
{
    assert_int_equal(tls_session_write(peer->tls, data, size), STATUS_OK);
    assert_int_equal(tls_session_take(peer->tls, &peer->unsent), STATUS_OK);
    peer_write(peer);
}

/* Ends the peer's side as it should. */
static void peer_end(struct peer *peer)
{
    tls_session_end(peer->tls);
    assert_int_equal(tls_session_take(peer->tls, &peer->unsent), STATUS_OK);
    peer_write(peer);
}

/* -------------------------------------------------------------------------------------- set-up */

static struct tls_context *make_context(enum tls_side side, struct tls_files files)
{
    struct tls_context *context = NULL;
    struct errbuf err;

    if (tls_context_create(side, &files, &context, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return context;
}

static int make_certificates(void **state)
{
    struct test_certs *certs = test_certs_create();
    struct test_certs *others = test_certs_create();
    struct tls_files files = test_certs_files(others, "agency-17");

    (void)state;
    server = make_context(TLS_SERVER, test_certs_files(certs, "server"));
    client = make_context(TLS_CLIENT, test_certs_files(certs, "agency-17"));
    files.ca = test_certs_path(certs, "ca.crt");
    stranger = make_context(TLS_CLIENT, files);
    test_certs_destroy(certs);
    test_certs_destroy(others);
    return 0;
}

static int forget_certificates(void **state)
{
    (void)state;
    tls_context_destroy(server);
    tls_context_destroy(client);
    tls_context_destroy(stranger);
    return 0;
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    loop_begin(&f->loop);
    assert_int_equal(stream_hub_create(&f->loop, &f->hub), STATUS_OK);
    f->peer.fd = -1;
    for (int i = 0; i < CROWD; i++)
        f->crowd[i].fd = -1;
    *state = f;
    return 0;
}

static void end_side(struct side *side)
{
    if (side->stream != NULL)
        stream_close(side->stream);
}

static int end(void **state)
{
    struct fixture *f = *state;

    end_side(&f->side);
    peer_close(&f->peer);
    for (int i = 0; i < CROWD; i++) {
        end_side(&f->others[i]);
        peer_close(&f->crowd[i]);
    }
    stream_hub_close(f->hub);
    loop_end(&f->loop);
    for (int i = 0; i < CROWD; i++)
        buffer_fini(&f->others[i].got);
    buffer_fini(&f->side.got);
    free(f);
    return 0;
}

/* Opens a server's stream on one end of a fresh pair. */
static void open_pair(struct fixture *f, struct side *side, struct peer *peer,
                      const struct tls_context *peers, int buffer)
{
    const int one = 1; /* each byte leaves at once */
    int fds[2];

    sockets_pair_tcp(fds, buffer);
    assert_int_equal(setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
    side->limit = STREAM_READ_SIZE;
    assert_int_equal(stream_create_tls(f->hub, server, NULL, &events, side, &side->stream),
                     STATUS_OK);
    assert_int_equal(stream_open(side->stream, fds[0]), STATUS_OK);
    peer_begin(peer, fds[1], peers);
}

static bool is_connected(void *context)
{
    struct fixture *f = context;

    peer_turn(&f->peer);
    return f->side.connects > 0;
}

/* The same, with the handshake. */
static void open_agreed(struct fixture *f, int buffer)
{
    open_pair(f, &f->side, &f->peer, client, buffer);
    loop_until(&f->loop, is_connected, f, "the handshake");
    assert_int_equal(f->side.connect_status, STATUS_OK);
    assert_true(f->peer.is_agreed);
}

static bool side_has_all(void *context)
{
    struct fixture *f = context;

    peer_turn(&f->peer);
    return f->side.got.size >= f->wanted;
}

static bool peer_has_all(void *context)
{
    struct fixture *f = context;

    peer_turn(&f->peer);
    return f->peer.got.size >= f->wanted;
}

static bool peer_is_done(void *context)
{
    struct fixture *f = context;

    peer_turn(&f->peer);
    return f->peer.has_ended || f->peer.has_failed || f->peer.is_eof;
}

static bool has_ended(void *context)
{
    struct fixture *f = context;

    peer_turn(&f->peer);
    return f->side.ends > 0;
}

static void some_turns(struct fixture *f)
{
    for (int i = 0; i < 20; i++) {
        peer_turn(&f->peer);
        loop_turn(&f->loop);
    }
}

static uint8_t *pattern(size_t size)
{
    uint8_t *bytes = malloc(size);

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 131 + (i >> 8) * 7 + (i >> 16));
    return bytes;
}

static void send_ok(struct side *side, const void *data, size_t size)
{
    assert_int_equal(stream_send(side->stream, data, size), STATUS_OK);
}

/* ------------------------------------------------------------------------------- the handshake */

static void test_exchange(void **state)
{
    struct fixture *f = *state;

    open_agreed(f, 0);
    const struct tls_peer *proved = stream_peer(f->side.stream);
    assert_non_null(proved);
    assert_int_equal(proved->role, TLS_PEER_AGENCY);
    assert_int_equal(proved->agency, 17);
    assert_string_equal(stream_peer_name(f->side.stream), "lottery:agency:17");
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    peer_send(&f->peer, "question", 8);
    f->wanted = 8;
    loop_until(&f->loop, side_has_all, f, "the question");
    assert_memory_equal(f->side.got.data, "question", 8);
    send_ok(&f->side, "answer", 6);
    f->wanted = 6;
    loop_until(&f->loop, peer_has_all, f, "the answer");
    assert_memory_equal(f->peer.got.data, "answer", 6);
    assert_true(f->side.drains > 0);
}

/* The owner gets nothing before it asks, also what came together with the handshake. */
static void test_reads_when_asked(void **state)
{
    struct fixture *f = *state;

    open_pair(f, &f->side, &f->peer, client, 0);
    while (!f->peer.is_agreed) {
        peer_turn(&f->peer);
        if (f->peer.is_agreed) /* in the same segment as the end of the handshake, mostly */
            peer_send(&f->peer, "early", 5);
        loop_turn(&f->loop);
    }
    loop_until(&f->loop, is_connected, f, "the handshake");
    some_turns(f);
    assert_int_equal(f->side.datas, 0);
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    f->wanted = 5;
    loop_until(&f->loop, side_has_all, f, "what came early");
    assert_memory_equal(f->side.got.data, "early", 5);
}

/* Nor does it have to ask again, if it has asked before the handshake. */
static void test_reads_from_the_start(void **state)
{
    struct fixture *f = *state;

    open_pair(f, &f->side, &f->peer, client, 0);
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    loop_until(&f->loop, is_connected, f, "the handshake");
    some_turns(f);
    peer_send(&f->peer, "question", 8);
    f->wanted = 8;
    loop_until(&f->loop, side_has_all, f, "the question");
}

/* What is sent before the handshake is over waits for it. */
static void test_send_in_the_handshake(void **state)
{
    struct fixture *f = *state;

    open_pair(f, &f->side, &f->peer, client, 0);
    send_ok(&f->side, "hello", 5);
    assert_int_equal(stream_backlog(f->side.stream), 5);
    f->wanted = 5;
    loop_until(&f->loop, peer_has_all, f, "what was sent before");
    assert_memory_equal(f->peer.got.data, "hello", 5);
}

/* The other way round: the stream is the client, from stream_connect on. */
static void test_connect(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address;
    const char *detail = NULL;
    int listener = sockets_listen(&address);

    f->side.limit = STREAM_READ_SIZE;
    assert_int_equal(
        stream_create_tls(f->hub, client, "localhost", &events, &f->side, &f->side.stream),
        STATUS_OK);
    assert_int_equal(stream_connect(f->side.stream, (struct sockaddr *)&address, &detail),
                     STATUS_OK);
    send_ok(&f->side, "bets", 4);
    int fd = -1;
    while (fd < 0) {
        loop_turn(&f->loop);
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    peer_begin(&f->peer, fd, server);
    f->wanted = 4;
    loop_until(&f->loop, peer_has_all, f, "the bets");
    assert_int_equal(f->side.connects, 1);
    assert_int_equal(f->side.connect_status, STATUS_OK);
    assert_memory_equal(f->peer.got.data, "bets", 4);
    assert_int_equal(close(listener), 0);
}

static void finish(struct side *side)
{
    stream_finish(side->stream);
}

/* Both sides say why, although the peer has sent more before it knows. */
static void test_stranger(void **state)
{
    struct fixture *f = *state;

    open_pair(f, &f->side, &f->peer, stranger, 0);
    f->side.on_connect = finish;
    while (!f->peer.is_agreed) {
        peer_turn(&f->peer);
        loop_turn(&f->loop);
    }
    peer_send(&f->peer, "bets", 4);
    loop_until(&f->loop, is_connected, f, "the refusal");
    assert_int_equal(f->side.connect_status, STATUS_UNTRUSTED);
    assert_string_equal(f->side.detail, "the peer's certificate is of another authority");
    loop_until(&f->loop, peer_is_done, f, "the alert");
    assert_true(f->peer.has_failed);
    assert_non_null(strstr(tls_session_reason(f->peer.tls), "refuses our certificate"));
    loop_until_count(&f->loop, &f->side.closes, 1, "the close");
    assert_int_equal(f->side.datas + f->side.ends, 0);
}

static void test_no_tls(void **state)
{
    struct fixture *f = *state;

    open_pair(f, &f->side, &f->peer, NULL, 0);
    sockets_write(f->peer.fd, "GET / HTTP/1.1\r\n\r\n", 18);
    f->side.on_connect = finish;
    loop_until_count(&f->loop, &f->side.connects, 1, "the refusal");
    assert_int_equal(f->side.connect_status, STATUS_UNTRUSTED);
    assert_string_equal(f->side.detail, "the peer does not speak TLS");
}

static void close_side(struct side *side)
{
    stream_close(side->stream);
}

/* The peer goes before the handshake is over: that is no question of trust. */
static void test_broken_off(void **state)
{
    struct fixture *f = *state;

    for (int with_reset = 0; with_reset < 2; with_reset++) {
        f->side = (struct side){.on_connect = close_side};
        open_pair(f, &f->side, &f->peer, client, 0);
        peer_turn(&f->peer);
        if (with_reset) {
            sockets_reset(f->peer.fd);
            f->peer.fd = -1;
        }
        peer_close(&f->peer);
        loop_until_count(&f->loop, &f->side.closes, 1, "the end");
        assert_int_equal(f->side.connects, 1);
        assert_int_equal(f->side.connect_status, STATUS_IO);
        assert_int_equal(f->side.ends, 0);
    }
    f->side = (struct side){0};
}

static bool crowd_is_connected(void *context)
{
    struct fixture *f = context;

    for (int i = 0; i < CROWD; i++) {
        peer_turn(&f->crowd[i]);
        if (f->others[i].connects == 0)
            return false;
    }
    return true;
}

/* Many begin at once: only a few are gone on with in a turn, and one that is open is read from in
 * each; in the end all are connected. */
static void test_crowd(void **state)
{
    struct fixture *f = *state;

    open_agreed(f, 0);
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    some_turns(f);
    for (int i = 0; i < CROWD; i++) {
        open_pair(f, &f->others[i], &f->crowd[i], client, 0);
        peer_turn(&f->crowd[i]);
    }
    unsigned turns = 0;
    unsigned answered = 0;
    for (; answered < CROWD; turns++) {
        unsigned datas = f->side.datas;
        peer_send(&f->peer, "x", 1);
        loop_turn(&f->loop);
        assert_true(f->side.datas > datas);
        assert_true(f->hub->handshakes <= HANDSHAKES_PER_TURN);
        answered = 0;
        for (int i = 0; i < CROWD; i++)
            answered += f->others[i].stream->read_turn > 0;
    }
    assert_true(turns >= CROWD / HANDSHAKES_PER_TURN);
    loop_until(&f->loop, crowd_is_connected, f, "all handshakes");
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(f->others[i].connect_status, STATUS_OK);
}

static unsigned count_waiting(const struct fixture *f)
{
    unsigned waiting = 0;

    for (int i = 0; i < CROWD; i++) {
        const struct stream *stream = f->others[i].stream;
        if (stream == NULL || !list_is_linked(&stream->in_waiting))
            continue;
        assert_false(uv_is_active(&stream->handle.any));
        waiting++;
    }
    return waiting;
}

/* A handshake that waits for its turn is not polled meanwhile, but its end is noticed then. */
static void test_crowd_waits(void **state)
{
    struct fixture *f = *state;
    unsigned turns = 1;

    for (int i = 0; i < CROWD; i++) {
        open_pair(f, &f->others[i], &f->crowd[i], client, 0);
        sockets_write(f->crowd[i].fd, "\x16", 1);
    }
    loop_turn(&f->loop);
    assert_int_equal(count_waiting(f), CROWD - HANDSHAKES_PER_TURN);
    sockets_reset(f->crowd[CROWD - 1].fd);
    f->crowd[CROWD - 1].fd = -1;
    for (int i = 0, closed = 0; i < CROWD && closed == 0; i++) {
        if (!list_is_linked(&f->others[i].stream->in_waiting))
            continue;
        stream_close(f->others[i].stream);
        closed++;
    }
    for (; count_waiting(f) > 0; turns++) {
        loop_turn(&f->loop);
        assert_true(f->hub->handshakes <= HANDSHAKES_PER_TURN);
    }
    assert_int_equal(turns, CROWD / HANDSHAKES_PER_TURN);
    loop_until_count(&f->loop, &f->others[CROWD - 1].connects, 1, "the reset");
    assert_int_equal(f->others[CROWD - 1].connect_status, STATUS_IO);
}

/* ---------------------------------------------------------------------------------- the bytes */

/* Much goes both ways, and the owner is never given more than it takes at once. */
static void test_much(void **state)
{
    struct fixture *f = *state;
    static const size_t limits[] = {STREAM_READ_SIZE, 8192, 100};
    uint8_t *bytes = pattern(MUCH);

    open_agreed(f, SMALL_BUFFER);
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        size_t size = limits[i] < 1000 ? MUCH / 32 : MUCH;
        f->side.limit = limits[i];
        f->side.most = 0;
        f->side.got.size = 0;
        peer_send(&f->peer, bytes, size);
        f->wanted = size;
        loop_until(&f->loop, side_has_all, f, "all bytes");
        assert_int_equal(f->side.got.size, size);
        assert_memory_equal(f->side.got.data, bytes, size);
        assert_true(f->side.most <= limits[i]);
    }
    send_ok(&f->side, bytes, MUCH);
    f->wanted = MUCH;
    loop_until(&f->loop, peer_has_all, f, "all bytes");
    assert_int_equal(f->peer.got.size, MUCH);
    assert_memory_equal(f->peer.got.data, bytes, MUCH);
    free(bytes);
}

static void stop_reading(struct side *side)
{
    stream_read_stop(side->stream);
}

/* The owner stops with more in the session than it took: that stays there, then all else comes. */
static void test_stop_and_start(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(10000);

    open_agreed(f, 0);
    f->side.limit = 1000;
    f->side.on_data = stop_reading;
    peer_send(&f->peer, bytes, 10000);
    for (unsigned i = 1; i <= 10; i++) {
        assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
        loop_until_count(&f->loop, &f->side.datas, i, "a piece");
        some_turns(f);
        assert_int_equal(f->side.datas, i);
    }
    assert_int_equal(f->side.got.size, 10000);
    assert_memory_equal(f->side.got.data, bytes, 10000);
    free(bytes);
}

/* The owner wants no bytes when asked: reading goes on when it starts again. */
static void test_unwilling(void **state)
{
    struct fixture *f = *state;

    open_agreed(f, 0);
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    f->side.limit = 0;
    peer_send(&f->peer, "later", 5);
    some_turns(f);
    assert_int_equal(f->side.datas, 0);
    f->side.limit = STREAM_READ_SIZE;
    some_turns(f);
    assert_int_equal(f->side.datas, 0);
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    f->wanted = 5;
    loop_until(&f->loop, side_has_all, f, "the bytes");
}

static bool is_closed(void *context)
{
    struct fixture *f = context;

    peer_turn(&f->peer);
    if (f->peer.has_ended && f->peer.fd >= 0)
        (void)shutdown(f->peer.fd, SHUT_WR);
    return f->side.closes > 0;
}

/* One byte at a time, although records are whole before any of them can be passed on. */
static void test_byte_by_byte(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(300);

    open_agreed(f, 0);
    f->side.limit = 1;
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    for (size_t sent = 0; sent < 300; sent += 100)
        peer_send(&f->peer, bytes + sent, 100);
    peer_end(&f->peer);
    loop_until(&f->loop, has_ended, f, "the end");
    assert_int_equal(f->side.got.size, 300);
    assert_memory_equal(f->side.got.data, bytes, 300);
    assert_int_equal(f->side.end_status, STATUS_OK);
    free(bytes);
}

static bool nothing_moves(void *context)
{
    struct fixture *f = context;
    size_t before = f->wanted;

    f->wanted = stream_backlog(f->side.stream);
    return before == f->wanted;
}

/* The peer stops reading in the middle of much: that waits, and costs nothing; what the peer sends
 * meanwhile comes. */
static void test_peer_does_not_read(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(10 * MUCH);

    open_agreed(f, 0);
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    send_ok(&f->side, bytes, 10 * MUCH);
    loop_until(&f->loop, nothing_moves, f, "the kernel's buffers to be full");
    assert_true(stream_backlog(f->side.stream) > 0);
    const uint64_t turn = f->hub->turn;
    for (int i = 0; i < 20; i++)
        loop_turn(&f->loop);
    assert_false(uv_is_active((uv_handle_t *)&f->hub->idle));
    assert_in_range(f->hub->turn - turn, 20, 20 + 1);
    peer_send(&f->peer, "question", 8);
    loop_until_count(&f->loop, &f->side.datas, 1, "the question");
    stream_finish(f->side.stream);
    f->wanted = 10 * MUCH;
    loop_until(&f->loop, peer_has_all, f, "all bytes");
    loop_until(&f->loop, is_closed, f, "the close");
    assert_int_equal(f->peer.got.size, 10 * MUCH);
    assert_memory_equal(f->peer.got.data, bytes, 10 * MUCH);
    assert_true(f->peer.has_ended);
    free(bytes);
}

/* Finishing from the callbacks that have just passed something on: close_notify, then the close. */
static void test_finish_in_callbacks(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        f->side = (struct side){.on_connect = i == 0 ? finish : NULL,
                                .on_data = i == 1 ? finish : NULL,
                                .on_end = i == 2 ? finish : NULL};
        open_agreed(f, 0);
        f->side.limit = 1; /* so that there is more */
        if (i > 0)
            assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
        peer_send(&f->peer, "last", 4);
        peer_end(&f->peer);
        loop_until(&f->loop, is_closed, f, "the close");
        assert_true(f->peer.has_ended);
        assert_int_equal(f->side.datas, i == 0 ? 0 : i == 1 ? 1 : 4);
        peer_close(&f->peer);
        buffer_fini(&f->side.got);
    }
    f->side = (struct side){0};
}

/* ---------------------------------------------------------------------------------- the end */

/* The peer ends with close_notify, right after its last bytes: the owner gets these first. */
static void test_peer_ends(void **state)
{
    struct fixture *f = *state;

    open_agreed(f, 0);
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    peer_send(&f->peer, "last", 4);
    peer_end(&f->peer);
    loop_until(&f->loop, has_ended, f, "the end");
    assert_int_equal(f->side.got.size, 4);
    assert_int_equal(f->side.end_status, STATUS_OK);
    send_ok(&f->side, "answer", 6); /* our side is still open */
    f->wanted = 6;
    loop_until(&f->loop, peer_has_all, f, "the answer");
}

/* The socket ends without it: that is a cut, wherever it comes. */
static void test_cut(void **state)
{
    struct fixture *f = *state;

    for (int with_data = 0; with_data < 2; with_data++) {
        f->side = (struct side){.on_end = close_side};
        open_agreed(f, 0);
        assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
        if (with_data)
            peer_send(&f->peer, "last", 4);
        peer_close(&f->peer);
        loop_until_count(&f->loop, &f->side.closes, 1, "the end");
        assert_int_equal(f->side.got.size, with_data ? 4 : 0);
        assert_int_equal(f->side.end_status, STATUS_IO);
        assert_string_equal(f->side.detail,
                            "the connection was cut: it ended without close_notify");
        buffer_fini(&f->side.got);
    }
    f->side = (struct side){0};
}

/* Bytes that are no TLS, or were changed on the way, end the conversation. */
static void test_garbage(void **state)
{
    struct fixture *f = *state;

    open_agreed(f, 0);
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    some_turns(f);
    sockets_write(f->peer.fd, "garbage garbage garbage", 23);
    f->side.on_end = finish;
    loop_until(&f->loop, has_ended, f, "the end");
    assert_int_equal(f->side.end_status, STATUS_MALFORMED);
    assert_string_equal(f->side.detail, "bytes were changed on the way");
    assert_int_equal(f->side.datas, 0);
    loop_until(&f->loop, peer_is_done, f, "the alert");
    assert_true(f->peer.has_failed);
}

/* All that was collected arrives, then close_notify. */
static void test_finish(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(MUCH);

    open_agreed(f, SMALL_BUFFER);
    send_ok(&f->side, bytes, MUCH);
    stream_finish(f->side.stream);
    loop_until(&f->loop, is_closed, f, "the close");
    assert_int_equal(f->peer.got.size, MUCH);
    assert_memory_equal(f->peer.got.data, bytes, MUCH);
    assert_true(f->peer.has_ended);
    assert_int_equal(f->side.ends, 0);
    free(bytes);
}

/* Half-close: the peer learns of the end, and what it still says arrives. */
static void test_shutdown(void **state)
{
    struct fixture *f = *state;

    open_agreed(f, 0);
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    some_turns(f);
    stream_shutdown(f->side.stream);
    loop_until(&f->loop, peer_is_done, f, "the end of our side");
    assert_true(f->peer.has_ended);
    peer_send(&f->peer, "winners", 7);
    peer_end(&f->peer);
    loop_until(&f->loop, has_ended, f, "the end of the peer's");
    assert_int_equal(f->side.end_status, STATUS_OK);
    assert_memory_equal(f->side.got.data, "winners", 7);
}

/* The same, but the whole end of the peer comes at once. When both sides are shut down, libuv
 * reports the end of the socket together with the last bytes. */
static void test_shutdown_and_all_at_once(void **state)
{
    struct fixture *f = *state;

    open_agreed(f, 0);
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    some_turns(f);
    stream_shutdown(f->side.stream);
    loop_until(&f->loop, peer_is_done, f, "the end of our side");
    some_turns(f);
    peer_send(&f->peer, "winners", 7);
    peer_end(&f->peer);
    peer_close(&f->peer);
    loop_until_count(&f->loop, &f->side.ends, 1, "the end of the peer's");
    assert_int_equal(f->side.got.size, 7);
    assert_string_equal(f->side.detail, "");
    assert_int_equal(f->side.end_status, STATUS_OK);
}

/* A reset after the last bytes: they are passed on, however slowly the owner takes them. */
static void test_reset_after_bytes(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(1000);

    open_agreed(f, 0);
    f->side.limit = 1000;
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    some_turns(f);
    peer_send(&f->peer, bytes, 1000);
    peer_end(&f->peer);
    sockets_reset(f->peer.fd);
    f->peer.fd = -1;
    loop_until_count(&f->loop, &f->side.ends, 1, "the end");
    assert_int_equal(f->side.got.size, 1000);
    assert_int_equal(f->side.end_status, STATUS_OK);
    some_turns(f);
    free(bytes);
}

/* A write that fails ends the stream; what was read before, and not passed on, is dropped: nothing
 * comes after on_end, although the owner does not close. */
static void test_nothing_after_the_end(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = pattern(1000);

    open_agreed(f, 0);
    f->side.limit = 100;
    f->side.on_data = stop_reading;
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    peer_send(&f->peer, bytes, 1000);
    loop_until_count(&f->loop, &f->side.datas, 1, "a piece");
    sockets_reset(f->peer.fd);
    f->peer.fd = -1;
    send_ok(&f->side, "answer", 6);
    f->side.on_data = NULL;
    f->side.limit = 1;
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    loop_until_count(&f->loop, &f->side.ends, 1, "the end");
    some_turns(f);
    free(bytes);
}

/* The alert about damaged bytes arrives, also if the peer had sent more: closing with unread input
 * would reset the connection. */
static void test_alert_is_not_lost(void **state)
{
    struct fixture *f = *state;

    open_agreed(f, 0);
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    some_turns(f);
    f->side.limit = 23;
    f->side.on_end = finish;
    sockets_write(f->peer.fd, "garbage garbage garbage", 23);
    sockets_write(f->peer.fd, "and more of it", 14);
    loop_until(&f->loop, has_ended, f, "the end");
    loop_until(&f->loop, peer_is_done, f, "the alert");
    assert_true(f->peer.has_failed);
    some_turns(f);
    assert_int_equal(f->side.closes, 0);
    peer_close(&f->peer);
    loop_until_count(&f->loop, &f->side.closes, 1, "the close");
}

/* The session fails while the owner does not read, and sends: the reason is the session's. */
static void test_failed_while_stopped(void **state)
{
    struct fixture *f = *state;

    open_agreed(f, 0);
    f->side.on_data = stop_reading;
    assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
    some_turns(f);
    peer_send(&f->peer, "last", 4);
    sockets_write(f->peer.fd, "garbage garbage garbage", 23);
    loop_until_count(&f->loop, &f->side.datas, 1, "the bytes");
    some_turns(f);
    f->side.on_end = finish;
    send_ok(&f->side, "answer", 6);
    loop_until_count(&f->loop, &f->side.ends, 1, "the end");
    assert_string_equal(f->side.detail, "bytes were changed on the way");
    loop_until(&f->loop, peer_is_done, f, "the alert");
    assert_true(f->peer.has_failed);
}

/* Closing from any callback is safe. */
static void test_close_in_callbacks(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        f->side = (struct side){.on_connect = i == 0 ? close_side : NULL,
                                .on_data = i == 1 ? close_side : NULL,
                                .on_end = i == 2 ? close_side : NULL};
        open_agreed(f, 0);
        if (i > 0)
            assert_int_equal(stream_read_start(f->side.stream), STATUS_OK);
        peer_send(&f->peer, "last", 4);
        peer_end(&f->peer);
        loop_until(&f->loop, is_closed, f, "the close");
        assert_int_equal(f->side.datas, i > 0);
        assert_int_equal(f->side.ends, i > 1);
        peer_close(&f->peer);
        buffer_fini(&f->side.got);
    }
    f->side = (struct side){0};
}

/* A stream that cannot be made leaves nothing to close, and a hub without it as it was. */
static void test_create_without_memory(void **state)
{
    struct fixture *f = *state;
    bool has_failed = true;

    for (unsigned i = 0; has_failed; i++) {
        alloc_fault_after(i);
        enum status status =
            stream_create_tls(f->hub, server, NULL, &events, &f->side, &f->side.stream);
        has_failed = alloc_fault_end();
        assert_int_equal(status, has_failed ? STATUS_NOMEM : STATUS_OK);
        assert_true(i < 20);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_exchange),
        CASE(test_reads_when_asked),
        CASE(test_reads_from_the_start),
        CASE(test_send_in_the_handshake),
        CASE(test_connect),
        CASE(test_stranger),
        CASE(test_no_tls),
        CASE(test_broken_off),
        CASE(test_crowd),
        CASE(test_crowd_waits),
        CASE(test_much),
        CASE(test_stop_and_start),
        CASE(test_unwilling),
        CASE(test_byte_by_byte),
        CASE(test_peer_does_not_read),
        CASE(test_finish_in_callbacks),
        CASE(test_peer_ends),
        CASE(test_cut),
        CASE(test_garbage),
        CASE(test_finish),
        CASE(test_shutdown),
        CASE(test_shutdown_and_all_at_once),
        CASE(test_reset_after_bytes),
        CASE(test_nothing_after_the_end),
        CASE(test_alert_is_not_lost),
        CASE(test_failed_while_stopped),
        CASE(test_close_in_callbacks),
        CASE(test_create_without_memory),
    };

    return cmocka_run_group_tests(tests, make_certificates, forget_certificates);
}
