/* The dialer over TLS: whom it trusts, and what becomes of an attempt when it does not.
 *
 * The servers are sessions of TLS that the test drives by hand over the sockets that it accepts, so
 * that they can also stop in the middle, or end as they should not. The clock is a fake one; pauses
 * are real. Names are looked up in a table of the test's own: getaddrinfo() is defined here.
 */
#include "cmocka_all.h"
#include "dialer.h"
#include "fake_clock.h"
#include "loop.h"
#include "test_certs.h"
#include "test_sockets.h"
#include "tls_session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 3000
#define PEERS_MAX 64 /* connections in one test */

/* What a server does with a connection. */
enum behaviour {
    SPEAKS, /* TLS, as it should */
    MUTE,   /* takes the connection, and nothing more */
    PLAIN,  /* answers as a server without TLS does */
    DEAF    /* speaks TLS until it has shown its certificate, then does not read any more */
};

struct peer {
    int fd; /* -1: closed */
    enum behaviour behaviour;
    struct tls_session *session;
    enum tls_result handshake; /* of the handshake, as far as it is */
    enum tls_result end;       /* of reading after it */
    char got[64];              /* what the dialer has sent */
    size_t got_size;
    bool has_spoken;
};

struct server {
    int listener; /* -1: none */
    enum behaviour behaviour;
    const struct tls_context *context;
};

struct fixture {
    uv_loop_t loop;
    struct stream_hub *hub;
    struct dialer dialer;
    struct test_certs *certs;
    struct tls_context *agency; /* what the dialer has */
    struct tls_context *server; /* what the servers have */
    struct tls_context *former; /* what they had before; their sessions may last */
    struct server servers[2];   /* of 127.0.0.1 and 127.0.0.2, at the same port */
    in_port_t port;             /* in network order */
    struct peer peers[PEERS_MAX];
    size_t peer_count;
    unsigned opens;
    unsigned datas;
    unsigned closes;
    unsigned give_ups;
    unsigned retries;
    unsigned failures;
    uint32_t ceiling_ms; /* of the pauses, at the last retry */
    bool is_connected;   /* of the last on_give_up */
    enum status close_status;
    char detail[128];  /* of the last close, or giving up */
    char failed[1024]; /* "address reason" of each on_failed, one a line */
    char got[64];      /* what the dialer has received */
    size_t got_size;
};

/* Adds an address of 127.0.0.0/8 to the front of a list. */
static struct addrinfo *address_in_front(uint32_t host, const char *port, struct addrinfo *next)
{
    struct addrinfo *entry = calloc(1, sizeof(*entry) + sizeof(struct sockaddr_in));
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)(entry + 1);

    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)atoi(port)),
                                    .sin_addr.s_addr = htonl(0x7f000000 + host)};
    *entry = (struct addrinfo){.ai_family = AF_INET,
                               .ai_addrlen = sizeof(*address),
                               .ai_addr = (struct sockaddr *)address,
                               .ai_next = next};
    return entry;
}

/* Takes the place of the C library's: "localhost" has two addresses, and "other.test" one. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **out)
{
    assert_int_equal(hints->ai_family, AF_UNSPEC);
    *out = strcmp(host, "localhost") == 0 ? address_in_front(2, port, NULL) : NULL;
    *out = address_in_front(1, port, *out);
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

static void on_open(void *owner)
{
    struct fixture *f = owner;

    f->opens++;
    dialer_expect(&f->dialer, PATIENCE_ANSWER); /* as every mode does that asks something */
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct fixture *f = owner;

    assert_true(size <= sizeof(f->got) - f->got_size);
    memcpy(f->got + f->got_size, data, size);
    f->got_size += size;
    f->datas++;
}

static void on_closed(void *owner, enum status status, const char *detail)
{
    struct fixture *f = owner;

    f->closes++;
    f->close_status = status;
    (void)snprintf(f->detail, sizeof(f->detail), "%s", detail);
    if (status != STATUS_OK)
        dialer_connect_later(&f->dialer);
}

static void on_give_up(void *owner, bool is_connected, const char *reason)
{
    struct fixture *f = owner;

    f->give_ups++;
    f->is_connected = is_connected;
    (void)snprintf(f->detail, sizeof(f->detail), "%s", reason);
}

static void on_failed(void *owner, const char *reason)
{
    struct fixture *f = owner;
    size_t used = strlen(f->failed);

    f->failures++;
    (void)snprintf(f->failed + used, sizeof(f->failed) - used, "%s %s\n",
                   dialer_address(&f->dialer), reason);
}

static void on_retry(void *owner, const char *reason)
{
    struct fixture *f = owner;

    (void)reason;
    f->retries++;
    f->ceiling_ms = f->dialer.backoff.ceiling_ms;
}

static const struct dialer_events events = {
    .on_failed = on_failed,
    .on_retry = on_retry,
    .on_open = on_open,
    .on_data = on_data,
    .on_closed = on_closed,
    .on_give_up = on_give_up,
};

static struct tls_context *open_context(enum tls_side side, struct test_certs *certs,
                                        const char *name)
{
    const struct tls_files files = test_certs_files(certs, name);
    struct tls_context *context = NULL;
    struct errbuf err = {{0}};

    if (tls_context_create(side, &files, &context, &err) != STATUS_OK)
        fail_msg("%s: %s", name, err.text);
    return context;
}

/* Gives the servers a certificate of this kind. */
static void issue_server(struct fixture *f, const struct test_cert *cert)
{
    test_certs_issue(f->certs, "special", cert);
    tls_context_destroy(f->server);
    f->server = open_context(TLS_SERVER, f->certs, "special");
}

/* Listens on both addresses at one port; the first listener has chosen it. */
static int listen_at(const char *ip, in_port_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = *port};
    socklen_t size = sizeof(address);
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, ip, &address.sin_addr), 1);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, PEERS_MAX), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = address.sin_port;
    return fd;
}

/* The dialer's list is `count` times this host, with the servers' port. */
static void init_dialer(struct fixture *f, const char *host, unsigned count,
                        struct dialer_config config)
{
    char list[512] = "";

    for (unsigned i = 0; i < count; i++)
        (void)snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s:%u",
                       i > 0 ? "," : "", host, ntohs(f->port));
    config.hub = f->hub;
    config.addresses = list;
    config.events = &events;
    config.owner = f;
    config.tls = f->agency;
    dialer_init(&f->dialer, &config);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    fake_clock_begin(1000000);
    loop_begin(&f->loop);
    assert_int_equal(stream_hub_create(&f->loop, &f->hub), STATUS_OK);
    f->certs = test_certs_create();
    f->agency = open_context(TLS_CLIENT, f->certs, "agency-17");
    f->server = open_context(TLS_SERVER, f->certs, "server");
    f->servers[0].listener = listen_at("127.0.0.1", &f->port);
    f->servers[1].listener = listen_at("127.0.0.2", &f->port);
    *state = f;
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        assert_int_equal(close(*fd), 0);
    *fd = -1;
}

/* Closes the dialer in whatever state the case has left it: the loop has no open handles then, also
 * where peers are still being told why they are not trusted. */
static int end(void **state)
{
    struct fixture *f = *state;

    dialer_close(&f->dialer);
    stream_hub_close(f->hub);
    loop_end(&f->loop);
    for (size_t i = 0; i < f->peer_count; i++) {
        tls_session_destroy(f->peers[i].session);
        close_fd(&f->peers[i].fd);
    }
    close_fd(&f->servers[0].listener);
    close_fd(&f->servers[1].listener);
    tls_context_destroy(f->agency);
    tls_context_destroy(f->server);
    tls_context_destroy(f->former);
    test_certs_destroy(f->certs);
    free(f);
    fake_clock_end();
    return 0;
}

static void accept_peers(struct fixture *f, const struct server *server)
{
    int fd;

    while ((fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        assert_true(f->peer_count < PEERS_MAX);
        struct peer *peer = &f->peers[f->peer_count++];
        *peer = (struct peer){.fd = fd, .behaviour = server->behaviour};
        peer->handshake = TLS_NEED_MORE;
        peer->end = TLS_NEED_MORE;
        assert_int_equal(tls_session_create(f->server, NULL, &peer->session), STATUS_OK);
    }
    assert_true(errno == EAGAIN);
}

static void write_output(struct peer *peer)
{
    struct buffer out = {0};

    assert_int_equal(tls_session_take(peer->session, &out), STATUS_OK);
    if (out.size > 0)
        sockets_write(peer->fd, out.data, out.size);
    peer->has_spoken |= out.size > 0;
    buffer_fini(&out);
}

static void go_on_with_tls(struct peer *peer)
{
    size_t size = 0;

    if (peer->handshake == TLS_NEED_MORE)
        peer->handshake = tls_session_handshake(peer->session);
    if (peer->handshake == TLS_OK && peer->end == TLS_NEED_MORE) {
        peer->end = tls_session_read(peer->session, (uint8_t *)peer->got + peer->got_size,
                                     sizeof(peer->got) - peer->got_size, &size);
        peer->got_size += size;
    }
    write_output(peer);
    if (peer->handshake == TLS_FAILED)
        close_fd(&peer->fd);
}

static void serve_peer(struct peer *peer)
{
    uint8_t bytes[4096];
    bool has_ended = false;

    if (peer->fd < 0 || peer->behaviour == MUTE || (peer->behaviour == DEAF && peer->has_spoken))
        return;
    size_t size = sockets_read(peer->fd, bytes, sizeof(bytes), &has_ended);
    if (has_ended && size == 0) {
        close_fd(&peer->fd);
    } else if (size > 0 && peer->behaviour == PLAIN) {
        sockets_write(peer->fd, "\1\4\0\0\0\x08\7\x10\1", 9); /* an Ack */
    } else if (size > 0) {
        assert_int_equal(tls_session_feed(peer->session, bytes, size), STATUS_OK);
        go_on_with_tls(peer);
    }
}

/* What a test waits for; the servers are at work meanwhile. */
struct wanted {
    struct fixture *f;
    const unsigned *counter;
    unsigned min;
};

static bool has_come(void *context)
{
    const struct wanted *wanted = context;
    struct fixture *f = wanted->f;

    for (size_t i = 0; i < 2; i++)
        accept_peers(f, &f->servers[i]);
    for (size_t i = 0; i < f->peer_count; i++)
        serve_peer(&f->peers[i]);
    return *wanted->counter >= wanted->min;
}

static void wait_for(struct fixture *f, const unsigned *counter, unsigned min, const char *what)
{
    struct wanted wanted = {f, counter, min};

    loop_until(&f->loop, has_come, &wanted, what);
}

static void assert_failed(const struct fixture *f, const char *expected)
{
    assert_string_equal(f->failed, expected);
    assert_int_equal(f->opens + f->give_ups, 0);
}

/* The last peer of the servers, when it has seen what the dialer sends last. */
static struct peer *last_peer(struct fixture *f)
{
    assert_true(f->peer_count > 0);
    return &f->peers[f->peer_count - 1];
}

static bool is_last_peer_done(void *context)
{
    struct fixture *f = context;
    unsigned none = 0;
    struct wanted wanted = {f, &none, 0};

    (void)has_come(&wanted);
    const struct peer *peer = last_peer(f);
    return peer->handshake == TLS_FAILED || peer->end != TLS_NEED_MORE || peer->fd < 0;
}

static bool has_peer_got(void *context)
{
    struct fixture *f = context;
    unsigned none = 0;
    struct wanted wanted = {f, &none, 0};

    (void)has_come(&wanted);
    return last_peer(f)->got_size >= 5;
}

/* Both sides are proven, and bytes go both ways. */
static void test_trusted(void **state)
{
    struct fixture *f = *state;

    init_dialer(f, "127.0.0.1", 1, (struct dialer_config){.patience_ms = PATIENCE_MS});
    dialer_connect(&f->dialer);
    wait_for(f, &f->opens, 1, "on_open");
    dialer_send(&f->dialer, "hello", 5);
    loop_until(&f->loop, has_peer_got, f, "what was sent");
    struct peer *peer = last_peer(f);
    assert_memory_equal(peer->got, "hello", 5);
    assert_int_equal(tls_session_peer(peer->session)->agency, 17);
    assert_int_equal(tls_session_write(peer->session, "there", 5), STATUS_OK);
    write_output(peer);
    wait_for(f, &f->datas, 1, "on_data");
    assert_int_equal(f->got_size, 5);
    assert_memory_equal(f->got, "there", 5);
    dialer_finish(&f->dialer);
    loop_until(&f->loop, is_last_peer_done, f, "the dialer's end");
    assert_int_equal(peer->end, TLS_ENDED);
    close_fd(&peer->fd);
    wait_for(f, &f->closes, 1, "on_closed");
    assert_int_equal(f->close_status, STATUS_OK);
    assert_int_equal(f->failures, 0);
}

/* After our end, an end with close_notify is the peer's; without it the connection was cut,
 * whatever the socket says. */
static void test_end_after_ours(void **state)
{
    struct fixture *f = *state;

    init_dialer(f, "127.0.0.1", 1, (struct dialer_config){.patience_ms = PATIENCE_MS});
    for (unsigned i = 1; i <= 2; i++) {
        dialer_connect(&f->dialer);
        wait_for(f, &f->opens, i, "on_open");
        dialer_shutdown(&f->dialer);
        loop_until(&f->loop, is_last_peer_done, f, "the dialer's end");
        struct peer *peer = last_peer(f);
        assert_int_equal(peer->end, TLS_ENDED);
        if (i == 1) {
            tls_session_end(peer->session);
            write_output(peer);
        }
        close_fd(&peer->fd);
        wait_for(f, &f->closes, i, "on_closed");
        assert_int_equal(f->close_status, i == 1 ? STATUS_OK : STATUS_IO);
    }
    assert_string_equal(f->detail, "the connection was cut: it ended without close_notify");
}

/* The certificate is for another name than the one that the owner gave: no connection, and the peer
 * is told. */
static void test_wrong_name(void **state)
{
    struct fixture *f = *state;

    init_dialer(
        f, "127.0.0.1", 1,
        (struct dialer_config){.patience_ms = PATIENCE_MS, .tls_server_name = "central.test"});
    dialer_connect(&f->dialer);
    wait_for(f, &f->retries, 1, "on_retry");
    loop_until(&f->loop, is_last_peer_done, f, "the alert");
    assert_failed(f, "127.0.0.1 the peer's certificate is not for the name of this server\n");
    assert_int_equal(last_peer(f)->handshake, TLS_FAILED);
    assert_non_null(
        strstr(tls_session_reason(last_peer(f)->session), "the peer refuses our certificate"));
    assert_false(dialer_has_connection(&f->dialer));
}

/* The same certificate is fine for the name that it has, whatever the host is called. */
static void test_name_of_the_settings(void **state)
{
    struct fixture *f = *state;

    init_dialer(f, "other.test", 1,
                (struct dialer_config){.patience_ms = PATIENCE_MS, .tls_server_name = "localhost"});
    dialer_connect(&f->dialer);
    wait_for(f, &f->opens, 1, "on_open");
    assert_int_equal(f->failures, 0);
}

/* Without a name of its own, each entry has to prove its host. */
static void test_each_entry_has_its_name(void **state)
{
    struct fixture *f = *state;
    char list[64];

    (void)snprintf(list, sizeof(list), "other.test:%u,127.0.0.2:%u,localhost:%u", ntohs(f->port),
                   ntohs(f->port), ntohs(f->port));
    dialer_init(&f->dialer, &(struct dialer_config){.hub = f->hub,
                                                    .addresses = list,
                                                    .patience_ms = PATIENCE_MS,
                                                    .events = &events,
                                                    .owner = f,
                                                    .tls = f->agency});
    dialer_connect(&f->dialer);
    wait_for(f, &f->opens, 1, "on_open");
    assert_string_equal(f->failed,
                        "127.0.0.1 the peer's certificate is not for the name of this server\n"
                        "127.0.0.2 the peer's certificate is not for the name of this server\n");
    assert_string_equal(dialer_host(&f->dialer), "localhost");
}

/* Who asks for no name is content with the authority, but not without it. */
static void test_any_name(void **state)
{
    struct fixture *f = *state;
    struct test_certs *others = test_certs_create();

    init_dialer(f, "other.test", 1,
                (struct dialer_config){.patience_ms = PATIENCE_MS, .tls_any_name = true});
    dialer_connect(&f->dialer);
    wait_for(f, &f->opens, 1, "on_open");
    assert_int_equal(f->failures, 0);
    dialer_drop(&f->dialer, STATUS_IO, "test");
    f->former = f->server;
    f->server = open_context(TLS_SERVER, others, "server");
    wait_for(f, &f->retries, 1, "on_retry");
    assert_string_equal(f->failed, "127.0.0.1 the peer's certificate is of another authority\n");
    test_certs_destroy(others);
}

/* An expired certificate of the server: tried again and again with growing pauses, until patience
 * is over. */
static void test_expired_server(void **state)
{
    struct fixture *f = *state;

    issue_server(f, &(struct test_cert){.names = {"IP:127.0.0.1", "URI:lottery:server"},
                                        .from_s = -2 * TEST_CERTS_HOUR,
                                        .end_s = -TEST_CERTS_HOUR});
    init_dialer(f, "127.0.0.1", 1, (struct dialer_config){.patience_ms = PATIENCE_MS});
    dialer_connect(&f->dialer);
    wait_for(f, &f->retries, 1, "on_retry");
    uint32_t ceiling_ms = f->ceiling_ms;
    wait_for(f, &f->retries, 2, "on_retry");
    assert_true(f->ceiling_ms > ceiling_ms);
    fake_clock.step_ms = PATIENCE_MS / 10;
    wait_for(f, &f->give_ups, 1, "on_give_up");
    assert_string_equal(f->detail, "the peer's certificate has expired");
    assert_false(f->is_connected);
    assert_int_equal(f->opens, 0);
}

/* The server does not trust us. We learn it after the handshake; it counts as a failed attempt: the
 * pauses grow, and the reason is still known when patience ends within the next handshake. */
static void test_refused_client(void **state)
{
    struct fixture *f = *state;

    test_certs_issue(f->certs, "special",
                     &(struct test_cert){.names = {"URI:lottery:agency:17"},
                                         .use = "clientAuth",
                                         .from_s = -2 * TEST_CERTS_HOUR,
                                         .end_s = -TEST_CERTS_HOUR});
    tls_context_destroy(f->agency);
    f->agency = open_context(TLS_CLIENT, f->certs, "special");
    init_dialer(f, "127.0.0.1", 1, (struct dialer_config){.patience_ms = PATIENCE_MS});
    dialer_connect(&f->dialer);
    for (unsigned i = 1; i <= 2; i++) {
        wait_for(f, &f->closes, i, "on_closed");
        assert_int_equal(f->close_status, STATUS_UNTRUSTED);
        assert_string_equal(f->detail, "the peer refuses our certificate: it has expired");
        assert_true(f->dialer.backoff.ceiling_ms >= (UINT32_C(100) << i));
    }
    f->servers[0].behaviour = MUTE;
    fake_clock.step_ms = PATIENCE_MS / 10;
    wait_for(f, &f->give_ups, 1, "on_give_up");
    assert_string_equal(f->detail, "the peer refuses our certificate: it has expired");
    assert_false(f->is_connected);
    assert_int_equal(f->failures, 0);
}

/* Patience ends while a connection is open whose certificate is about to be refused, too. */
static void test_refusal_is_not_forgotten(void **state)
{
    struct fixture *f = *state;

    init_dialer(f, "127.0.0.1", 1, (struct dialer_config){.patience_ms = PATIENCE_MS});
    dialer_connect(&f->dialer);
    wait_for(f, &f->opens, 1, "on_open");
    dialer_drop(&f->dialer, STATUS_UNTRUSTED, "refused");
    wait_for(f, &f->opens, 2, "on_open");
    fake_clock.step_ms = PATIENCE_MS / 10;
    wait_for(f, &f->give_ups, 1, "on_give_up");
    assert_string_equal(f->detail, "refused");
    assert_false(f->is_connected);
}

/* A server without TLS is recognized. */
static void test_plain_server(void **state)
{
    struct fixture *f = *state;

    f->servers[0].behaviour = PLAIN;
    init_dialer(f, "127.0.0.1", 1, (struct dialer_config){.patience_ms = PATIENCE_MS});
    dialer_connect(&f->dialer);
    wait_for(f, &f->retries, 1, "on_retry");
    assert_failed(f, "127.0.0.1 the peer does not speak TLS\n");
}

/* A handshake that does not end belongs to its attempt, which has a limit. */
static void test_mute_server(void **state)
{
    struct fixture *f = *state;

    f->servers[0].behaviour = MUTE;
    init_dialer(f, "127.0.0.1", 1, (struct dialer_config){.patience_ms = 0});
    dialer_connect(&f->dialer);
    f->dialer.attempt_ms = 9000; /* of the ten seconds that it has */
    fake_clock.step_ms = 1000;
    wait_for(f, &f->retries, 1, "on_retry");
    assert_failed(f, "127.0.0.1 no answer to the attempt to connect\n");
    assert_int_equal(f->dialer.state, DIALER_WAITING);
}

/* A name with two addresses, of which the first takes the connection but not the handshake: the
 * second one wins. */
static void test_mute_address(void **state)
{
    struct fixture *f = *state;

    f->servers[0].behaviour = MUTE;
    init_dialer(f, "localhost", 1, (struct dialer_config){.patience_ms = PATIENCE_MS});
    dialer_connect(&f->dialer);
    wait_for(f, &f->opens, 1, "on_open");
    assert_string_equal(dialer_address(&f->dialer), "127.0.0.2");
    assert_int_equal(f->failures + f->retries, 0);
}

/* A name with two addresses, at the first of which nobody speaks TLS: the second one is tried at
 * once. */
static void test_plain_address(void **state)
{
    struct fixture *f = *state;

    f->servers[0].behaviour = PLAIN;
    init_dialer(f, "localhost", 1, (struct dialer_config){.patience_ms = PATIENCE_MS});
    dialer_connect(&f->dialer);
    wait_for(f, &f->opens, 1, "on_open");
    assert_string_equal(dialer_address(&f->dialer), "127.0.0.2");
    assert_string_equal(f->failed, "127.0.0.1 the peer does not speak TLS\n");
}

static unsigned count_ending(const struct fixture *f)
{
    unsigned count = 0;

    LIST_FOR_EACH (node, &f->dialer.race.ending)
        count++;
    return count;
}

/* Peers that are not trusted and do not hear why: only so many of them are kept, and they are
 * closed with the dialer. */
static void test_deaf_servers(void **state)
{
    struct fixture *f = *state;

    f->servers[0].behaviour = DEAF;
    init_dialer(
        f, "127.0.0.1", DIALER_TARGETS_MAX,
        (struct dialer_config){.patience_ms = PATIENCE_MS, .tls_server_name = "central.test"});
    dialer_connect(&f->dialer);
    wait_for(f, &f->retries, 1, "on_retry");
    assert_in_range(count_ending(f), 1, RACE_ENDING_MAX);
    wait_for(f, &f->retries, 3, "on_retry");
    assert_in_range(count_ending(f), 1, RACE_ENDING_MAX);
    assert_int_equal(f->failures, 3 * DIALER_TARGETS_MAX);
}

/* Closing while a handshake goes on; end() checks the rest. */
static void test_close_in_handshake(void **state)
{
    struct fixture *f = *state;
    const unsigned *count = &f->opens;

    f->servers[0].behaviour = MUTE;
    init_dialer(f, "127.0.0.1", 1, (struct dialer_config){.patience_ms = PATIENCE_MS});
    dialer_connect(&f->dialer);
    for (int i = 0; i < 10; i++)
        wait_for(f, count, 0, "a turn");
    assert_int_equal(f->dialer.state, DIALER_CONNECTING);
    assert_int_equal(f->peer_count, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_trusted),
        CASE(test_end_after_ours),
        CASE(test_wrong_name),
        CASE(test_name_of_the_settings),
        CASE(test_each_entry_has_its_name),
        CASE(test_any_name),
        CASE(test_expired_server),
        CASE(test_refused_client),
        CASE(test_refusal_is_not_forgotten),
        CASE(test_plain_server),
        CASE(test_mute_server),
        CASE(test_mute_address),
        CASE(test_plain_address),
        CASE(test_deaf_servers),
        CASE(test_close_in_handshake),
    };

    return cmocka_run_group_tests_name("dialer_tls", tests, NULL, NULL);
}
