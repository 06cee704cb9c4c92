/* A listener on a real socket, with connections of the test's own and a scoreboard on which the
 * test plays the other worker. The clock is a fake one.
 */
#include "cmocka_all.h"
#include "fake_clock.h"
#include "listener.h"
#include "log.h"
#include "loop.h"
#include "stub_conn.h"
#include "test_sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define OURS 0
#define THEIRS 1
#define CLIENTS 40
#define PATIENCE_MS 100 /* after this, a connection is accepted even in another worker's turn */

struct fixture {
    uv_loop_t loop;
    struct stream_hub *hub;
    struct conn_set conns;
    struct scoreboard *scoreboard;
    struct listener listener;
    struct sockaddr_in address;
    int clients[CLIENTS]; /* -1 = none */
    size_t count;         /* of them */
    unsigned starts;
    enum status start_status; /* what the next connections' start() returns */
};

static enum status on_start(struct conn *conn)
{
    struct fixture *f = conn->set->config.context;

    f->starts++;
    return f->start_status != STATUS_OK ? f->start_status : stream_read_start(conn->stream);
}

static void on_check(struct conn *conn, uint64_t now_ms)
{
    (void)conn;
    (void)now_ms;
}

static const struct conn_ops ops = {
    .size = sizeof(struct conn), .events = &stub_conn_events, .start = on_start, .check = on_check};

static void on_gone(void *owner, struct in6_addr ip)
{
    struct fixture *f = owner;

    listener_gone(&f->listener, ip);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    log_set_level(LOG_CRITICAL);
    fake_clock_begin(1000000);
    loop_begin(&f->loop);
    assert_int_equal(stream_hub_create(&f->loop, &f->hub), STATUS_OK);
    conn_set_init(&f->conns,
                  &(struct conn_set_config){
                      .ops = &ops, .hub = f->hub, .context = f, .on_gone = on_gone, .owner = f});
    assert_int_equal(scoreboard_create(2, &f->scoreboard), STATUS_OK);
    for (int i = 0; i < CLIENTS; i++)
        f->clients[i] = -1;
    assert_int_equal(listener_start(&f->listener, &f->loop,
                                    &(struct listener_config){
                                        .scoreboard = f->scoreboard,
                                        .worker = OURS,
                                        .conns = &f->conns,
                                        .fd = sockets_listen(&f->address),
                                        .max_connections = 8,
                                        .max_per_ip = 6,
                                    }),
                     STATUS_OK);
    *state = f;
    return 0;
}

/* At the end the scoreboard counts no connection any more. */
static int end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->scoreboard->row[OURS].is_alive, 1);
    listener_close(&f->listener);
    assert_int_equal(f->scoreboard->row[OURS].is_alive, 0);
    conn_set_close(&f->conns);
    stream_hub_close(f->hub);
    loop_end(&f->loop);
    assert_int_equal(f->conns.count, 0);
    assert_int_equal(f->scoreboard->row[OURS].connections, 0);
    assert_int_equal(close(f->listener.config.fd), 0); /* it is still ours */
    for (int i = 0; i < CLIENTS; i++) {
        if (f->clients[i] >= 0)
            assert_int_equal(close(f->clients[i]), 0);
    }
    scoreboard_destroy(f->scoreboard);
    fake_clock_end();
    log_set_level(LOG_INFO);
    free(f);
    return 0;
}

/* A client that connects from 127.0.0.`host`. Returns its number. */
static size_t connect_from(struct fixture *f, uint32_t host)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 + host)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && f->count < CLIENTS);
    f->clients[f->count] = fd;
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&f->address, sizeof(f->address)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return f->count++;
}

static bool has_ended(void *context)
{
    bool ended = false;
    char byte;

    (void)sockets_read(*(const int *)context, &byte, 1, &ended);
    return ended;
}

static void assert_turned_away(struct fixture *f, size_t client)
{
    loop_until(&f->loop, has_ended, &f->clients[client], "the end");
}

/* Waits until the listener has decided a few more times (each time it reads the clock), and asserts
 * that it has accepted no other connection. */
static void assert_left_waiting(struct fixture *f, unsigned starts)
{
    loop_until_count(&f->loop, &fake_clock.reads, fake_clock.reads + 3, "decisions");
    assert_int_equal(f->starts, starts);
}

/* So many connections were accepted, and so many turned away, for each reason. */
static void assert_counts(const struct fixture *f, unsigned accepted, unsigned by_server,
                          unsigned by_address, unsigned for_resources)
{
    assert_int_equal(scoreboard_total(f->scoreboard, SCOREBOARD_ACCEPTED), accepted);
    assert_int_equal(scoreboard_total(f->scoreboard, SCOREBOARD_REFUSED_SERVER), by_server);
    assert_int_equal(scoreboard_total(f->scoreboard, SCOREBOARD_REFUSED_ADDRESS), by_address);
    assert_int_equal(scoreboard_total(f->scoreboard, SCOREBOARD_REFUSED_RESOURCES), for_resources);
}

/* 127.0.0.i, as the scoreboard counts it. */
static uint64_t loopback(unsigned i)
{
    const struct in6_addr ip = peer_ip_of_v4((struct in_addr){htonl(INADDR_LOOPBACK - 1 + i)});

    return peer_ip_key(&ip);
}

/* A connection is accepted and counted for its address until it is gone. */
static void test_accepts(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 1; i <= 3; i++) {
        (void)connect_from(f, i);
        loop_until_count(&f->loop, &f->starts, i, "a connection");
        assert_int_equal(scoreboard_connections(f->scoreboard), i);
        assert_int_equal(scoreboard_connections_from(f->scoreboard, loopback(i)), 1);
    }
    assert_int_equal(close(f->clients[1]), 0);
    f->clients[1] = -1;
    for (int i = 0; scoreboard_connections(f->scoreboard) == 3; i++) {
        assert_true(i < 100000);
        loop_turn(&f->loop);
    }
    assert_int_equal(scoreboard_connections(f->scoreboard), 2);
    assert_int_equal(scoreboard_connections_from(f->scoreboard, loopback(2)), 0);
    assert_counts(f, 3, 0, 0, 0);
}

/* While another worker has fewer connections, it is that worker's turn. */
static void test_leaves_to_who_has_fewer(void **state)
{
    struct fixture *f = *state;

    f->scoreboard->row[THEIRS].is_alive = 1;
    (void)connect_from(f, 1); /* neither has any: it is our turn */
    loop_until_count(&f->loop, &f->starts, 1, "the first");
    (void)connect_from(f, 2);
    assert_left_waiting(f, 1);
    f->scoreboard->row[THEIRS].connections = 1; /* it took another one */
    loop_until_count(&f->loop, &f->starts, 2, "the second");
    f->scoreboard->row[THEIRS].connections = 0;
}

/* A worker that is not alive takes no turns. */
static void test_the_dead_take_no_turns(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 1; i <= 3; i++) {
        (void)connect_from(f, i);
        loop_until_count(&f->loop, &f->starts, i, "a connection");
    }
}

/* The worker whose turn it is may hang: after PATIENCE_MS we accept the connection. */
static void test_patience(void **state)
{
    struct fixture *f = *state;

    f->scoreboard->row[THEIRS].is_alive = 1;
    f->scoreboard->row[OURS].connections = 1;
    (void)connect_from(f, 1);
    for (unsigned waited = 0; waited < PATIENCE_MS; waited += 20, fake_clock.now_ms += 20)
        assert_left_waiting(f, 0);
    loop_until_count(&f->loop, &f->starts, 1, "the connection");
    f->scoreboard->row[OURS].connections--;
}

/* Over a limit, from one address or in all, new connections are turned away and the others stay;
 * when one ends, another is accepted. */
static void test_limits(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 1; i <= 6; i++)
        (void)connect_from(f, 1);
    loop_until_count(&f->loop, &f->starts, 6, "all that one address may have");
    assert_turned_away(f, connect_from(f, 1));
    (void)connect_from(f, 2);
    (void)connect_from(f, 3);
    loop_until_count(&f->loop, &f->starts, 8, "all that there may be");
    assert_turned_away(f, connect_from(f, 4));
    assert_int_equal(f->starts, 8);
    assert_int_equal(f->conns.count, 8);
    assert_int_equal(close(f->clients[0]), 0);
    f->clients[0] = -1;
    while (f->conns.count == 8)
        loop_turn(&f->loop);
    (void)connect_from(f, 1);
    loop_until_count(&f->loop, &f->starts, 9, "the one that there is a place for now");
    assert_counts(f, 9, 1, 1, 0);
}

/* A connection whose conversation cannot start is not counted any more. */
static void test_start_fails(void **state)
{
    struct fixture *f = *state;

    f->start_status = STATUS_NOMEM;
    assert_turned_away(f, connect_from(f, 1));
    assert_int_equal(scoreboard_connections(f->scoreboard), 0);
    assert_counts(f, 0, 0, 0, 1);
}

/* Without free descriptors a new connection is turned away, because in the queue it would keep the
 * loop spinning. When there are descriptors again, connections are accepted again. */
static void test_out_of_descriptors(void **state)
{
    struct fixture *f = *state;
    struct rlimit before;

    size_t client = connect_from(f, 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = {.rlim_cur = (rlim_t)f->clients[client] + 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    loop_turn(&f->loop);
    loop_turn(&f->loop);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_turned_away(f, client);
    assert_int_equal(f->starts, 0);
    (void)connect_from(f, 1);
    loop_until_count(&f->loop, &f->starts, 1, "a connection");
    assert_counts(f, 1, 0, 0, 1);
}

static void on_turn(uv_prepare_t *prepare)
{
    (*(unsigned *)prepare->data)++;
}

static void on_timer(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Turns of the loop in half a second. */
static unsigned turns_in_half_a_second(struct fixture *f)
{
    unsigned turns = 0;
    bool is_over = false;
    uv_prepare_t prepare;
    uv_timer_t timer;

    assert_int_equal(uv_prepare_init(&f->loop, &prepare), 0);
    assert_int_equal(uv_timer_init(&f->loop, &timer), 0);
    prepare.data = &turns;
    timer.data = &is_over;
    assert_int_equal(uv_prepare_start(&prepare, on_turn), 0);
    assert_int_equal(uv_timer_start(&timer, on_timer, 500, 0), 0);
    while (!is_over)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_close((uv_handle_t *)&timer, NULL);
    loop_turn(&f->loop);
    return turns;
}

/* Not even the descriptor in reserve can be opened: the loop does not spin meanwhile, and once
 * there are descriptors, the connection that waited is accepted. */
static void test_no_reserve(void **state)
{
    struct fixture *f = *state;
    struct rlimit before;

    size_t client = connect_from(f, 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = {.rlim_cur = (rlim_t)f->clients[client] + 1, .rlim_max = before.rlim_max};
    assert_int_equal(close(f->listener.reserve_fd), 0);
    int other = dup(0); /* somebody else was faster */
    assert_int_equal(other, f->listener.reserve_fd);
    f->listener.reserve_fd = -1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    unsigned turns = turns_in_half_a_second(f);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(turns < 30);
    assert_int_equal(f->starts, 0);
    loop_until_count(&f->loop, &f->starts, 1, "the connection that waited");
    assert_true(f->listener.reserve_fd >= 0);
    assert_int_equal(close(other), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_accepts),
        CASE(test_leaves_to_who_has_fewer),
        CASE(test_the_dead_take_no_turns),
        CASE(test_patience),
        CASE(test_limits),
        CASE(test_start_fails),
        CASE(test_out_of_descriptors),
        CASE(test_no_reserve),
    };

    return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
