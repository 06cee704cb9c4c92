/* Connections on accepted sockets, with operations of the test's own that send nothing. */
#include "alloc_fault.h"
#include "cmocka_all.h"
#include "conn.h"
#include "log.h"
#include "loop.h"
#include "stub_conn.h"
#include "test_sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEERS 3

struct fixture {
    uv_loop_t loop;
    struct stream_hub *hub;
    struct conn_set set;
    int others[PEERS]; /* the other ends; -1 = none */
    unsigned accepts;  /* calls of conn_accept */
    unsigned starts;
    unsigned checks;
    unsigned stops;
    unsigned gones;
    struct in6_addr last_gone;
    enum status start_status; /* what start() returns for the next ones */
};

static enum status on_start(struct conn *conn)
{
    struct fixture *f = conn->set->config.context;

    f->starts++;
    return f->start_status != STATUS_OK ? f->start_status : stream_read_start(conn->stream);
}

static void on_check(struct conn *conn, uint64_t now_ms)
{
    (void)now_ms;
    ((struct fixture *)conn->set->config.context)->checks++;
}

static void on_stop(struct conn *conn)
{
    ((struct fixture *)conn->set->config.context)->stops++;
    stream_close(conn->stream);
}

static const struct conn_ops ops = {.size = sizeof(struct conn),
                                    .events = &stub_conn_events,
                                    .start = on_start,
                                    .check = on_check,
                                    .stop = on_stop};

static void on_gone(void *owner, struct in6_addr ip)
{
    struct fixture *f = owner;

    f->gones++;
    f->last_gone = ip;
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    log_set_level(LOG_CRITICAL);
    loop_begin(&f->loop);
    assert_int_equal(stream_hub_create(&f->loop, &f->hub), STATUS_OK);
    conn_set_init(&f->set,
                  &(struct conn_set_config){
                      .ops = &ops, .hub = f->hub, .context = f, .on_gone = on_gone, .owner = f});
    for (int i = 0; i < PEERS; i++)
        f->others[i] = -1;
    *state = f;
    return 0;
}

/* on_gone was called once for every connection that was handed over. */
static int end(void **state)
{
    struct fixture *f = *state;

    conn_set_close(&f->set);
    stream_hub_close(f->hub);
    loop_end(&f->loop);
    assert_int_equal(f->set.count, 0);
    assert_true(list_is_empty(&f->set.conns));
    assert_int_equal(f->gones, f->accepts);
    for (int i = 0; i < PEERS; i++) {
        if (f->others[i] >= 0)
            assert_int_equal(close(f->others[i]), 0);
    }
    free(f);
    log_set_level(LOG_INFO);
    return 0;
}

static struct in6_addr ip_of(int i)
{
    return peer_ip_of_v4((struct in_addr){.s_addr = htonl(0x0a000001 + (uint32_t)i)});
}

static void assert_last_gone(const struct fixture *f, struct in6_addr ip)
{
    assert_memory_equal(&f->last_gone, &ip, sizeof(ip));
}

static enum status accept_one(struct fixture *f, int i)
{
    int fds[2];

    sockets_pair_tcp(fds, 0);
    f->others[i] = fds[1];
    f->accepts++;
    return conn_accept(&f->set, fds[0], ip_of(i));
}

static bool other_has_ended(void *context)
{
    char byte;
    bool has_ended = false;

    (void)sockets_read(*(int *)context, &byte, 1, &has_ended);
    return has_ended;
}

/* Connections come and go in any order; the set counts them, and on_gone has each one's address. */
static void test_come_and_go(void **state)
{
    static const int order[] = {1, 0, 2}; /* the middle of the list first */
    struct fixture *f = *state;
    char ip[CONN_IP_SIZE];

    for (int i = 0; i < PEERS; i++) {
        assert_int_equal(accept_one(f, i), STATUS_OK);
        assert_int_equal(f->set.count, (size_t)i + 1);
    }
    assert_string_equal(conn_ip(LIST_ITEM(f->set.conns.ring.prev, struct conn, in_set), ip),
                        "10.0.0.3");
    for (unsigned i = 0; i < PEERS; i++) {
        int gone = order[i];
        assert_int_equal(close(f->others[gone]), 0);
        f->others[gone] = -1;
        loop_until_count(&f->loop, &f->gones, i + 1, "on_gone");
        assert_last_gone(f, ip_of(gone));
        assert_int_equal(f->set.count, PEERS - 1 - i);
    }
}

/* The set checks all connections again and again. */
static void test_checked(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < PEERS; i++)
        assert_int_equal(accept_one(f, i), STATUS_OK);
    loop_until_count(&f->loop, &f->checks, PEERS, "a check of all");
    assert_int_equal(f->checks, PEERS);
}

/* Stopping and closing reach every connection, and its peer sees the end. */
static void test_stop(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < PEERS; i++)
        assert_int_equal(accept_one(f, i), STATUS_OK);
    conn_set_stop(&f->set);
    assert_int_equal(f->stops, PEERS);
    loop_until_count(&f->loop, &f->gones, PEERS, "on_gone");
    for (int i = 0; i < PEERS; i++)
        loop_until(&f->loop, other_has_ended, &f->others[i], "the end");
}

/* When start() fails, the connection is closed, and on_gone is called for it. */
static void test_start_fails(void **state)
{
    struct fixture *f = *state;

    f->start_status = STATUS_NOMEM;
    assert_int_equal(accept_one(f, 0), STATUS_NOMEM);
    loop_until_count(&f->loop, &f->gones, 1, "on_gone");
    loop_until(&f->loop, other_has_ended, &f->others[0], "the end");
    f->start_status = STATUS_OK;
    assert_int_equal(accept_one(f, 1), STATUS_OK);
}

/* Without memory for either of its two structs, no connection is made: the socket is closed, and
 * on_gone is called. */
static void test_no_memory(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    for (unsigned i = 0; i < 2; i++) {
        sockets_pair_tcp(fds, 0);
        f->others[i] = fds[1];
        f->accepts++;
        alloc_fault_after(i);
        enum status status = conn_accept(&f->set, fds[0], ip_of((int)i));
        assert_true(alloc_fault_end());
        assert_int_equal(status, STATUS_NOMEM);
        assert_int_equal(fcntl(fds[0], F_GETFD), -1);
        assert_int_equal(f->set.count, 0);
        assert_int_equal(f->gones, i + 1);
        assert_last_gone(f, ip_of((int)i));
        loop_until(&f->loop, other_has_ended, &f->others[i], "the end");
    }
    assert_int_equal(f->starts, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_come_and_go), CASE(test_checked),   CASE(test_stop),
        CASE(test_start_fails), CASE(test_no_memory),
    };

    return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
