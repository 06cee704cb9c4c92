/* HTTP over real sockets: limits of time and number, and the end. The clock is a fake one. */
#include "cmocka_all.h"
#include "fake_clock.h"
#include "http.h"
#include "loop.h"
#include "test_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_MS 100000
#define BIG ((size_t)16 * 1024 * 1024) /* more than the buffers of a connection take */
#define PEERS (HTTP_CONNS_MAX + 8)
#define REQUEST "GET /small HTTP/1.1\r\nHost: x\r\n\r\n"
#define BIG_REQUEST "GET /big HTTP/1.1\r\nHost: x\r\n\r\n"

/* One of the test's own connections. */
struct peer {
    int fd;          /* -1: none */
    char text[4096]; /* the beginning of what it got */
    size_t size;     /* all that it got */
    bool has_ended;
};

struct fixture {
    uv_loop_t loop;
    int listen_fd;
    struct sockaddr_in address;
    struct http http;
    bool is_stopped;
    unsigned answers;
    struct request last; /* its texts are not there any more */
    char method[16];
    char path[32];
    struct peer peers[PEERS];
};

static void on_request(void *owner, const struct request *request, struct answer *out)
{
    struct fixture *f = owner;

    f->answers++;
    f->last = *request;
    (void)snprintf(f->method, sizeof(f->method), "%s", request->method);
    (void)snprintf(f->path, sizeof(f->path), "%s", request->path);
    *out = (struct answer){.code = 200, .type = "text/plain", .fixed = {"hello\n", 6}};
    if (strcmp(request->path, "/big") != 0)
        return;
    out->fixed = (struct text){NULL, 0};
    assert_int_equal(buffer_reserve(&out->body, BIG), STATUS_OK);
    memset(out->body.data, 'b', BIG);
    out->body.size = BIG;
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    fake_clock_begin(START_MS);
    loop_begin(&f->loop);
    f->listen_fd = sockets_listen(&f->address);
    assert_int_equal(fcntl(f->listen_fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(listen(f->listen_fd, PEERS), 0);
    for (size_t i = 0; i < PEERS; i++)
        f->peers[i].fd = -1;
    const struct http_config config = {&f->loop, f->listen_fd, on_request, f};
    assert_int_equal(http_start(&f->http, &config), STATUS_OK);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    if (!f->is_stopped)
        http_stop(&f->http);
    fake_clock.now_ms += 1000; /* nobody waits for answers that are under way */
    loop_end(&f->loop);
    for (size_t i = 0; i < PEERS; i++) {
        if (f->peers[i].fd >= 0)
            assert_int_equal(close(f->peers[i].fd), 0);
    }
    assert_int_equal(close(f->listen_fd), 0);
    fake_clock_end();
    free(f);
    return 0;
}

static struct peer *connect_peer(struct fixture *f)
{
    struct peer *peer = f->peers;

    while (peer->fd >= 0)
        peer++;
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer->fd >= 0);
    assert_int_equal(connect(peer->fd, (const struct sockaddr *)&f->address, sizeof(f->address)),
                     0);
    assert_int_equal(fcntl(peer->fd, F_SETFL, O_NONBLOCK), 0);
    return peer;
}

static void say(const struct peer *peer, const char *text)
{
    sockets_write(peer->fd, text, strlen(text));
}

/* Reads what is there. */
static void hear(struct peer *peer)
{
    char bytes[65536];

    while (!peer->has_ended) {
        size_t size = sockets_read(peer->fd, bytes, sizeof(bytes), &peer->has_ended);
        size_t room = sizeof(peer->text) - 1;
        if (size == 0)
            return;
        if (peer->size < room)
            memcpy(peer->text + peer->size, bytes,
                   size < room - peer->size ? size : room - peer->size);
        peer->size += size;
    }
}

static bool has_answer(void *context)
{
    struct peer *peer = context;

    hear(peer);
    return strstr(peer->text, "\r\n\r\nhello\n") != NULL;
}

static bool has_ended(void *context)
{
    struct peer *peer = context;

    hear(peer);
    return peer->has_ended;
}

static bool has_begun_to_hear(void *context)
{
    struct peer *peer = context;
    char byte;

    return recv(peer->fd, &byte, 1, MSG_PEEK) == 1;
}

/* Sends a request and takes its answer, which has to be there whatever came before. */
static void exchange(struct fixture *f, struct peer *peer)
{
    memset(peer->text, 0, sizeof(peer->text));
    peer->size = 0;
    say(peer, REQUEST);
    loop_until(&f->loop, has_answer, peer, "an answer");
    assert_memory_equal(peer->text, "HTTP/1.1 200 OK\r\n", 17);
}

struct count {
    const struct fixture *f;
    size_t conns;
};

static bool has_count(void *context)
{
    const struct count *count = context;

    return count->f->http.conns.count == count->conns;
}

static void wait_for_count(struct fixture *f, size_t conns)
{
    struct count count = {f, conns};

    loop_until(&f->loop, has_count, &count, "connections");
}

/* Moves the clock, and gives the connections that are late then their end. */
static void pass(struct fixture *f, uint64_t ms)
{
    fake_clock.now_ms += ms;
    f->http.sweep.timer_cb(&f->http.sweep);
    for (int i = 0; i < 3; i++)
        loop_turn(&f->loop);
}

/* Many requests on one connection, and then one on another. */
static void test_requests(void **state)
{
    struct fixture *f = *state;
    struct peer *peer = connect_peer(f);

    for (unsigned i = 1; i <= 20; i++) {
        exchange(f, peer);
        assert_int_equal(f->answers, i);
    }
    assert_string_equal(f->method, "GET");
    assert_string_equal(f->path, "/small");
    assert_true(f->last.has_host);
    assert_false(f->last.has_body);
    assert_non_null(strstr(peer->text, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(peer->text, "\r\nX-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(peer->text, "\r\nCache-Control: no-store\r\n"));
    assert_null(strstr(peer->text, "Server:"));
    exchange(f, connect_peer(f));
}

/* Whoever sends many at once has no more than his turn. */
static void test_fair_turns(void **state)
{
    struct fixture *f = *state;
    const struct peer *many = connect_peer(f);

    wait_for_count(f, 1);
    for (unsigned i = 0; i < 1000; i++)
        say(many, REQUEST);
    exchange(f, connect_peer(f));
    assert_true(f->answers < 500);
}

/* What a request says of itself. */
static void test_heads(void **state)
{
    static const struct {
        const char *head;
        bool has_host;
        bool has_body;
    } cases[] = {
        {"GET /small?a=b HTTP/1.1\r\nhost: x\r\n\r\n", true, false},
        {"GET /small HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", true, false},
        {"GET /small HTTP/1.0\r\n\r\n", true, false},
        {"GET /small HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde", true, true},
        {"GET /small HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", true, true},
        {"GET /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", true, true},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peer *peer = connect_peer(f);
        say(peer, cases[i].head);
        loop_until(&f->loop, has_answer, peer, cases[i].head);
        assert_string_equal(f->path, "/small");
        assert_int_equal(f->last.has_host, cases[i].has_host);
        assert_int_equal(f->last.has_body, cases[i].has_body);
        if (cases[i].has_body)
            loop_until(&f->loop, has_ended, peer, "the end");
    }
}

/* A head that comes byte by byte has the time of one that does not come. */
static void test_slow_head(void **state)
{
    struct fixture *f = *state;
    struct peer *drips = connect_peer(f);
    struct peer *says_nothing = connect_peer(f);

    wait_for_count(f, 2);
    for (int i = 0; i < 9; i++) {
        sockets_write(drips->fd, &REQUEST[i], 1);
        pass(f, HTTP_HEAD_MS / 10);
        assert_int_equal(f->http.conns.count, 2);
    }
    pass(f, HTTP_HEAD_MS / 10 - 1);
    assert_int_equal(f->http.conns.count, 2);
    pass(f, 1);
    loop_until(&f->loop, has_ended, drips, "the end of who drips");
    loop_until(&f->loop, has_ended, says_nothing, "the end of who is silent");
    assert_int_equal(f->answers, 0);
    assert_int_equal(f->http.conns.count, 0);
}

/* After an answer it may be silent, for longer; a slow next head has no more time than that. */
static void test_idle(void **state)
{
    struct fixture *f = *state;
    struct peer *peer = connect_peer(f);

    exchange(f, peer);
    pass(f, HTTP_IDLE_MS - 1);
    exchange(f, peer);
    pass(f, HTTP_IDLE_MS - 1);
    sockets_write(peer->fd, REQUEST, 5);
    loop_turn(&f->loop);
    assert_false(has_ended(peer));
    pass(f, 1);
    loop_until(&f->loop, has_ended, peer, "the end");
}

/* An answer that nobody reads, or that is read a little at a time. */
static void test_slow_reader(void **state)
{
    struct fixture *f = *state;
    struct peer *peer = connect_peer(f);
    char bytes[1000];

    say(peer, BIG_REQUEST);
    loop_until(&f->loop, has_begun_to_hear, peer, "the beginning");
    for (int i = 0; i < 9; i++) {
        pass(f, HTTP_ANSWER_MS / 10);
        assert_int_equal(recv(peer->fd, bytes, sizeof(bytes), 0), sizeof(bytes));
        assert_int_equal(f->http.conns.count, 1);
    }
    pass(f, HTTP_ANSWER_MS / 10);
    assert_int_equal(f->http.conns.count, 0);
    loop_until(&f->loop, has_ended, peer, "the end");
    assert_true(peer->size < BIG);
}

/* However many wait, who asks gets an answer: those that have waited longest make room. */
static void test_more_than_there_may_be(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
        (void)connect_peer(f);
        wait_for_count(f, i + 1);
        fake_clock.now_ms++;
    }
    exchange(f, &f->peers[0]); /* now it is the youngest */
    fake_clock.now_ms++;
    for (size_t i = 1; i <= 5; i++) {
        exchange(f, connect_peer(f));
        fake_clock.now_ms++;
        assert_int_equal(f->http.conns.count, HTTP_CONNS_MAX);
        loop_until(&f->loop, has_ended, &f->peers[i], "the end of the oldest");
        assert_false(has_ended(&f->peers[i + 1]));
    }
    exchange(f, &f->peers[0]);
}

/* Only when all have an answer under way is one of them cut. */
static void test_nothing_but_slow_readers(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
        struct peer *peer = connect_peer(f);
        say(peer, i < 2 ? BIG_REQUEST : REQUEST);
        loop_until(&f->loop, has_begun_to_hear, peer, "the beginning");
        fake_clock.now_ms++;
    }
    exchange(f, connect_peer(f));
    loop_until(&f->loop, has_ended, &f->peers[2], "the end of the oldest that waits");
    assert_int_equal(f->http.conns.count, HTTP_CONNS_MAX);
    assert_true(f->http.conns.items[0].is_answering);
}

/* What is under way is sent to the end; what waits is closed, and nobody is let in. */
static void test_stop(void **state)
{
    struct fixture *f = *state;
    struct peer *reads = connect_peer(f);
    struct peer *idle = connect_peer(f);

    exchange(f, idle);
    say(reads, BIG_REQUEST);
    loop_until(&f->loop, has_begun_to_hear, reads, "the beginning");
    http_stop(&f->http);
    f->is_stopped = true;
    http_stop(&f->http); /* changes nothing */
    loop_turn(&f->loop);
    struct peer *late = connect_peer(f);
    say(late, REQUEST);
    loop_until(&f->loop, has_ended, reads, "the end of the answer");
    assert_true(reads->size > BIG);
    loop_until(&f->loop, has_ended, idle, "the end of who waits");
    assert_int_equal(f->answers, 2);
}

/* A peer that does not read holds nobody up. */
static void test_stop_with_slow_reader(void **state)
{
    struct fixture *f = *state;
    struct peer *peer = connect_peer(f);

    say(peer, BIG_REQUEST);
    loop_until(&f->loop, has_begun_to_hear, peer, "the beginning");
    http_stop(&f->http);
    f->is_stopped = true;
    loop_turn(&f->loop);
    assert_int_equal(f->http.conns.count, 1);
    fake_clock.now_ms += 500;
    wait_for_count(f, 0);
    loop_until(&f->loop, has_ended, peer, "the end");
    assert_true(peer->size < BIG);
}

static bool waits_for_descriptors(void *context)
{
    const struct fixture *f = context;

    return !uv_is_active((const uv_handle_t *)&f->http.listener);
}

/* A connection that there is no descriptor for waits until there is one. */
static void test_no_descriptors(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;

    struct peer *peer = connect_peer(f);
    say(peer, REQUEST);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    loop_until(&f->loop, waits_for_descriptors, f, "a pause");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    loop_until(&f->loop, has_answer, peer, "an answer");
}

/* Connections that are gone before anything else happens. */
static void test_vanish(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 30; i++) {
        struct peer *peer = connect_peer(f);
        if (i % 3 == 1)
            say(peer, "GET /sm");
        if (i % 3 == 2)
            say(peer, BIG_REQUEST);
        sockets_reset(peer->fd);
        peer->fd = -1;
    }
    exchange(f, connect_peer(f));
    wait_for_count(f, 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_requests),
        CASE(test_fair_turns),
        CASE(test_heads),
        CASE(test_slow_head),
        CASE(test_idle),
        CASE(test_slow_reader),
        CASE(test_more_than_there_may_be),
        CASE(test_nothing_but_slow_readers),
        CASE(test_stop),
        CASE(test_stop_with_slow_reader),
        CASE(test_no_descriptors),
        CASE(test_vanish),
    };

    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
