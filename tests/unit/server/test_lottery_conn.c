/* A lottery connection and the limits on reading from it. The store is a fake one, whose backlog
 * the test sets. */
#include "clock.h"
#include "cmocka_all.h"
#include "log.h"
#include "loop.h"
#include "lottery.pb-c.h"
#include "lottery_conn.h"
#include "test_sockets.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGES 8
#define MUCH ((size_t)64 * 1024 * 1024) /* more than the store's backlog may be */

struct fixture {
    struct store store; /* first: the store's object */
    size_t backlog;
    struct store_op *ops[MESSAGES]; /* submitted and not ended */
    unsigned taken;                 /* messages that reached the store */
    uv_loop_t loop;
    struct stream_hub *hub;
    struct service *service;
    struct lottery_conns lottery_conns;
    struct conn_set conns;
    int other;         /* the agency's end */
    unsigned accepted; /* sockets handed over */
    unsigned gone;
};

static enum status append(struct store *store, struct store_op *op, uint32_t agency,
                          uint64_t offset, const struct bet *bets, size_t count)
{
    struct fixture *f = (struct fixture *)store;

    (void)agency;
    (void)offset;
    (void)bets;
    (void)count;
    assert_true(f->taken < MESSAGES);
    f->ops[f->taken++] = op;
    return STATUS_OK;
}

static size_t backlog(const struct store *store)
{
    return ((const struct fixture *)store)->backlog;
}

static uint32_t agencies(const struct store *store)
{
    (void)store;
    return 5;
}

static const struct store_backend backend = {
    .append = append, .backlog = backlog, .agencies = agencies};
static const struct service_events service_events = {NULL};

static void on_gone(void *owner, struct in_addr ip)
{
    (void)ip;
    ((struct fixture *)owner)->gone++;
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    assert_non_null(f);
    log_set_level(LOG_CRITICAL);
    f->store.backend = &backend;
    loop_begin(&f->loop);
    assert_int_equal(stream_hub_create(&f->loop, &f->hub), STATUS_OK);
    assert_int_equal(
        service_create(&(struct service_config){&f->store, &service_events, f}, &f->service),
        STATUS_OK);
    lottery_conns_init(&f->lottery_conns,
                       &(struct lottery_conns_config){.service = f->service,
                                                      .store = &f->store,
                                                      .handshake_ms = 60000,
                                                      .frame_ms = 60000,
                                                      .idle_ms = 60000,
                                                      .buffered_max = 1024 * 1024});
    conn_set_init(&f->conns, &(struct conn_set_config){.ops = &lottery_conn_ops,
                                                       .hub = f->hub,
                                                       .context = &f->lottery_conns,
                                                       .on_gone = on_gone,
                                                       .owner = f});
    sockets_pair_tcp(fds, 0);
    f->other = fds[1];
    f->accepted++;
    assert_int_equal(conn_accept(&f->conns, fds[0], (struct in_addr){0}), STATUS_OK);
    *state = f;
    return 0;
}

static void end_operations(struct fixture *f)
{
    for (unsigned i = 0; i < f->taken; i++) {
        if (f->ops[i] != NULL)
            f->ops[i]->done(f->ops[i]);
        f->ops[i] = NULL;
    }
}

static int end(void **state)
{
    struct fixture *f = *state;

    end_operations(f);
    conn_set_close(&f->conns);
    stream_hub_close(f->hub);
    loop_end(&f->loop);
    assert_int_equal(f->gone, f->accepted);
    service_destroy(f->service);
    assert_int_equal(close(f->other), 0);
    free(f);
    log_set_level(LOG_INFO);
    return 0;
}

/* The agency asks how many bets it has. */
static void ask(struct fixture *f)
{
    Lottery__V1__NewBets question = LOTTERY__V1__NEW_BETS__INIT;
    uint8_t frame[FRAME_MAX_SIZE];

    question.agency_id = 1;
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &question.base, frame);
    sockets_write(f->other, frame, size);
}

static void assert_not_read(struct fixture *f, unsigned taken)
{
    ask(f);
    for (int i = 0; i < 20; i++)
        loop_turn(&f->loop);
    assert_int_equal(f->taken, taken);
}

/* Checks the connection, as the set does once a second. */
static void check(struct fixture *f)
{
    LIST_FOR_EACH (node, &f->conns.conns) {
        lottery_conn_ops.check(LIST_ITEM(node, struct conn, in_set), clock_monotonic_ms());
    }
}

/* While the store's backlog is too large, nothing more is read, until the next answer finds it
 * small again. */
static void test_waits_for_the_store(void **state)
{
    struct fixture *f = *state;

    f->backlog = MUCH;
    ask(f);
    loop_until_count(&f->loop, &f->taken, 1, "the message that was read");
    assert_not_read(f, 1);
    f->backlog = 0;
    end_operations(f);
    loop_until_count(&f->loop, &f->taken, 2, "the message that waited");
}

/* If the last operations in the store belong to connections that are gone, no answer wakes the
 * paused one; the check does. */
static void test_is_not_forgotten(void **state)
{
    struct fixture *f = *state;

    f->backlog = MUCH;
    ask(f);
    loop_until_count(&f->loop, &f->taken, 1, "the message that was read");
    end_operations(f); /* ours end, while those of the others do not */
    assert_not_read(f, 1);
    check(f);
    for (int i = 0; i < 20; i++)
        loop_turn(&f->loop);
    assert_int_equal(f->taken, 1);
    f->backlog = 0;
    check(f);
    loop_until_count(&f->loop, &f->taken, 2, "the message that waited");
}

/* A connection with too many messages in progress is read from again when they are answered. */
static void test_waits_for_its_own(void **state)
{
    struct fixture *f = *state;

    f->lottery_conns.config.buffered_max = 1;
    ask(f);
    loop_until_count(&f->loop, &f->taken, 1, "the message that was read");
    assert_not_read(f, 1);
    end_operations(f);
    loop_until_count(&f->loop, &f->taken, 2, "the message that waited");
}

/* The loop refuses the socket: the connection is gone although its conversation never began. */
static void test_refused_socket(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    sockets_pair_tcp(fds, 0);
    assert_int_equal(close(fds[0]), 0); /* the number of no descriptor any more */
    f->accepted++;
    assert_int_not_equal(conn_accept(&f->conns, fds[0], (struct in_addr){0}), STATUS_OK);
    loop_until_count(&f->loop, &f->gone, 1, "on_gone");
    assert_int_equal(f->conns.count, 1);
    assert_int_equal(close(fds[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_waits_for_the_store, begin, end),
        cmocka_unit_test_setup_teardown(test_is_not_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(test_waits_for_its_own, begin, end),
        cmocka_unit_test_setup_teardown(test_refused_socket, begin, end),
    };

    return cmocka_run_group_tests_name("lottery_conn", tests, NULL, NULL);
}
