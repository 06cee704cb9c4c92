/* The two ends of the links between workers and coordinator, over a real Unix socket. The clock is
 * the real one: pauses between attempts are short, and nothing depends on their length. */
#include "cmocka_all.h"
#include "loop.h"
#include "raffle_client.h"
#include "sockets.h"
#include "wire.h"
#include "worker_links.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS 2
#define AGENCY 7
#define TOTAL 123

/* A worker: what its client has called. */
struct worker {
    struct raffle_client client;
    unsigned opens;
    unsigned draws;
    unsigned failing_draws; /* how many more calls of on_drawn fail */
    bool is_waiting;        /* has a waiting agency, which it reports on each new link */
};

struct fixture {
    uv_loop_t loop;
    struct stream_hub *hub;
    struct sockaddr_un address;
    socklen_t address_size;
    int listener; /* -1 = nobody listens */
    int raw;      /* the coordinator's end of a link that the test drives by hand; -1 = none */
    struct worker_links links;
    struct worker workers[WORKERS];
    unsigned news;
    bool has_draw; /* on_news notifies all workers */
};

static void on_open(void *owner)
{
    struct worker *worker = owner;

    worker->opens++;
    if (worker->is_waiting)
        raffle_client_send_finished(&worker->client, AGENCY, TOTAL);
}

static bool on_drawn(void *owner)
{
    struct worker *worker = owner;

    worker->draws++;
    if (worker->failing_draws == 0)
        return true;
    worker->failing_draws--;
    return false;
}

static void on_news(void *owner)
{
    struct fixture *f = owner;

    f->news++;
    if (f->has_draw)
        worker_links_notify(&f->links);
}

static void listen_again(struct fixture *f)
{
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(f->listener >= 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&f->address, f->address_size), 0);
    assert_int_equal(listen(f->listener, 16), 0);
}

static void listen_no_more(struct fixture *f)
{
    assert_int_equal(close(f->listener), 0);
    f->listener = -1;
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct errbuf err;

    assert_non_null(f);
    loop_begin(&f->loop);
    assert_int_equal(stream_hub_create(&f->loop, &f->hub), STATUS_OK);
    assert_int_equal(socket_listen_unix(&f->listener, &f->address, &f->address_size, &err),
                     STATUS_OK);
    worker_links_init(&f->links, &(struct worker_links_config){f->hub, on_news, f});
    f->raw = -1;
    *state = f;
    return 0;
}

static void start(struct fixture *f, unsigned i)
{
    raffle_client_start(&f->workers[i].client, &(struct raffle_client_config){
                                                   .hub = f->hub,
                                                   .address = &f->address,
                                                   .address_size = f->address_size,
                                                   .on_open = on_open,
                                                   .on_drawn = on_drawn,
                                                   .owner = &f->workers[i],
                                               });
}

static int end(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < WORKERS; i++) {
        if (f->workers[i].client.config.hub != NULL &&
            f->workers[i].client.state != RAFFLE_CLIENT_CLOSED)
            raffle_client_close(&f->workers[i].client);
    }
    worker_links_close(&f->links);
    stream_hub_close(f->hub);
    if (f->listener >= 0)
        listen_no_more(f);
    if (f->raw >= 0)
        assert_int_equal(close(f->raw), 0);
    loop_end(&f->loop);
    free(f);
    return 0;
}

/* Accepts a waiting link, if there is one, with the code under test. */
static void accept_link(struct fixture *f)
{
    int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0)
        worker_links_accept(&f->links, fd);
}

/* The condition of until(), which also accepts links: the counter is at least `min`. */
struct goal {
    struct fixture *f;
    const unsigned *counter;
    unsigned min;
};

static bool is_reached(void *context)
{
    const struct goal *goal = context;

    accept_link(goal->f);
    return *goal->counter >= goal->min;
}

static void until(struct fixture *f, const unsigned *counter, unsigned min, const char *what)
{
    struct goal goal = {f, counter, min};

    loop_until(&f->loop, is_reached, &goal, what);
}

static bool has_raw(void *context)
{
    struct fixture *f = context;

    f->raw = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return f->raw >= 0;
}

/* Starts worker 0 with the test itself at the other end. */
static void start_raw(struct fixture *f)
{
    start(f, 0);
    loop_until(&f->loop, has_raw, f, "link");
}

static void close_raw(struct fixture *f)
{
    assert_int_equal(close(f->raw), 0);
    f->raw = -1;
}

/* Connects to the coordinator's end with the test itself as the worker. */
static int connect_raw(struct fixture *f)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&f->address, f->address_size), 0);
    accept_link(f);
    return fd;
}

/* A worker's Finished reaches the coordinator, and the Ack after the draw reaches all workers. */
static void test_both_ways(void **state)
{
    struct fixture *f = *state;

    start(f, 0);
    start(f, 1);
    assert_int_equal(f->workers[0].opens, 1);
    assert_int_equal(f->workers[1].opens, 1);
    raffle_client_send_finished(&f->workers[0].client, AGENCY, TOTAL);
    until(f, &f->news, 1, "news");
    assert_int_equal(f->workers[0].draws, 0);
    raffle_client_send_finished(&f->workers[1].client, AGENCY + 1, TOTAL);
    until(f, &f->news, 2, "news");
    worker_links_notify(&f->links);
    until(f, &f->workers[0].draws, 1, "on_drawn");
    until(f, &f->workers[1].draws, 1, "on_drawn");
    f->has_draw = true; /* a Finished that comes later is answered, too */
    raffle_client_send_finished(&f->workers[1].client, AGENCY + 2, TOTAL);
    until(f, &f->workers[1].draws, 2, "on_drawn");
    assert_int_equal(f->workers[1].opens, 1);
}

/* The bytes of a worker's Finished. */
static void test_finished_frame(void **state)
{
    static const uint8_t expected[] = {3, 4, 0, 0, 0, 0x08, AGENCY, 0x10, TOTAL};
    struct fixture *f = *state;
    uint8_t got[sizeof(expected) + 1];

    f->workers[0].is_waiting = true;
    start_raw(f);
    ssize_t size = -1;
    while (size < 0) {
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        size = read(f->raw, got, sizeof(got));
    }
    assert_int_equal(size, sizeof(expected));
    assert_memory_equal(got, expected, sizeof(expected));
}

/* When the coordinator dies, the workers connect to its successor and report all waiting agencies.
 * Reports in between are not sent, but nothing is lost. */
static void test_coordinator_dies(void **state)
{
    struct fixture *f = *state;

    f->workers[0].is_waiting = true;
    start(f, 0);
    until(f, &f->news, 1, "news");
    worker_links_close(&f->links);
    until(f, &f->workers[0].opens, 2, "on_open");
    until(f, &f->news, 3, "news"); /* the old link's end, and the report on the new one */
    worker_links_notify(&f->links);
    until(f, &f->workers[0].draws, 1, "on_drawn");
}

/* While nobody listens, the worker tries again until somebody does. */
static void test_nobody_listens(void **state)
{
    struct fixture *f = *state;

    listen_no_more(f);
    start(f, 0);
    raffle_client_send_finished(&f->workers[0].client, AGENCY, TOTAL);
    for (unsigned i = 0; i < 3; i++)
        (void)uv_run(&f->loop, UV_RUN_ONCE); /* an attempt each */
    assert_int_equal(f->workers[0].opens, 0);
    assert_int_equal(f->workers[0].client.state, RAFFLE_CLIENT_PAUSING);
    listen_again(f);
    until(f, &f->workers[0].opens, 1, "on_open");
    assert_int_equal(f->news, 0);
}

/* If the winners cannot be read, the link is closed and made again, and the message comes again,
 * until reading succeeds. */
static void test_winners_cannot_be_read(void **state)
{
    struct fixture *f = *state;

    f->has_draw = true;
    f->workers[0].is_waiting = true;
    f->workers[0].failing_draws = 2;
    start(f, 0);
    until(f, &f->workers[0].draws, 3, "on_drawn");
    assert_int_equal(f->workers[0].opens, 3);
    assert_int_equal(f->workers[0].client.state, RAFFLE_CLIENT_LINKED);
}

/* on_news is called when a worker dies, as it may have died between storing a Finished and
 * reporting it. */
static void test_worker_dies(void **state)
{
    struct fixture *f = *state;
    int fd = connect_raw(f);

    assert_false(list_is_empty(&f->links.links));
    assert_int_equal(close(fd), 0);
    until(f, &f->news, 1, "news");
    assert_true(list_is_empty(&f->links.links));
}

/* If a worker sends anything but a Finished frame, its link is closed; the others stay. */
static void test_worker_sends_nonsense(void **state)
{
    static const uint8_t ack[] = {1, 0, 0, 0, 0};
    static const uint8_t huge[] = {3, 255, 255, 255, 255};
    static const uint8_t *const frames[] = {ack, huge};
    struct fixture *f = *state;
    char byte;

    start(f, 0);
    for (unsigned i = 0; i < 2; i++) {
        int fd = connect_raw(f);
        assert_int_equal(write(fd, frames[i], 5), 5);
        until(f, &f->news, i + 1, "news");
        assert_int_equal(read(fd, &byte, 1), 0);
        assert_int_equal(close(fd), 0);
    }
    worker_links_notify(&f->links);
    until(f, &f->workers[0].draws, 1, "on_drawn");
    assert_int_equal(f->workers[0].opens, 1);
}

/* If the coordinator sends anything but an Ack frame, or ends the link, the worker makes a new one.
 */
static void test_coordinator_sends_nonsense(void **state)
{
    static const uint8_t frames[][5] = {{3, 0, 0, 0, 0}, {1, 255, 255, 255, 255}};
    struct fixture *f = *state;

    start_raw(f);
    for (unsigned i = 0; i < 2; i++) {
        int old = f->raw;
        assert_int_equal(write(old, frames[i], 5), 5);
        loop_until(&f->loop, has_raw, f, "new link");
        assert_int_equal(f->workers[0].opens, i + 2);
        assert_int_equal(close(old), 0);
    }
    close_raw(f);
    loop_until(&f->loop, has_raw, f, "new link");
    assert_int_equal(f->workers[0].opens, 4);
    assert_int_equal(f->workers[0].draws, 0);
}

/* An Ack that arrives byte by byte is understood. */
static void test_ack_in_pieces(void **state)
{
    static const uint8_t ack[] = {1, 2, 0, 0, 0, 0x08, 1};
    struct fixture *f = *state;

    start_raw(f);
    for (unsigned i = 0; i < sizeof(ack); i++) {
        assert_int_equal(f->workers[0].draws, 0);
        assert_int_equal(write(f->raw, ack + i, 1), 1);
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    until(f, &f->workers[0].draws, 1, "on_drawn");
}

/* Closing while linked, or between two attempts: there is no further attempt and no callback. */
static void test_close(void **state)
{
    struct fixture *f = *state;
    unsigned closes = 0;
    char byte;

    start_raw(f);
    raffle_client_close(&f->workers[0].client);
    raffle_client_send_finished(&f->workers[0].client, AGENCY, TOTAL);
    while (closes == 0) {
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        closes += read(f->raw, &byte, 1) == 0;
    }
    close_raw(f);
    listen_no_more(f);
    start(f, 1);
    assert_int_equal(f->workers[1].client.state, RAFFLE_CLIENT_PAUSING);
    raffle_client_close(&f->workers[1].client);
    listen_again(f);
    assert_int_equal(uv_run(&f->loop, UV_RUN_NOWAIT), 0); /* nothing is left to wait for */
    assert_false(has_raw(f));
    assert_int_equal(f->workers[0].opens, 1);
    assert_int_equal(f->workers[1].opens, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_both_ways),
        CASE(test_finished_frame),
        CASE(test_coordinator_dies),
        CASE(test_nobody_listens),
        CASE(test_winners_cannot_be_read),
        CASE(test_worker_dies),
        CASE(test_worker_sends_nonsense),
        CASE(test_coordinator_sends_nonsense),
        CASE(test_ack_in_pieces),
        CASE(test_close),
    };

    return cmocka_run_group_tests_name("raffle_links", tests, NULL, NULL);
}
