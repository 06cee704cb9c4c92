/* A lottery connection, the limits on reading from it, and its limits of time. The ledger is a fake
 * one, whose backlog the test sets, and so is the clock. */
#include "clock.h"
#include "cmocka_all.h"
#include "fake_clock.h"
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
#define MUCH ((size_t)64 * 1024 * 1024) /* more than the ledger's backlog may be */
#define LIMIT_MS 60000                  /* every limit of time */

struct fixture {
    struct ledger ledger; /* first: the ledger's object */
    struct ledger_news news;
    size_t backlog;
    struct ledger_op *ops[MESSAGES]; /* submitted and not ended */
    unsigned taken;                  /* messages that reached the ledger */
    uv_loop_t loop;
    struct stream_hub *hub;
    struct service *service;
    struct lottery_conns lottery_conns;
    struct conn_set conns;
    int other;         /* the agency's end */
    unsigned accepted; /* sockets handed over */
    unsigned gone;
};

static void ask_ledger(struct ledger *ledger, struct ledger_op *op, uint32_t agency)
{
    struct fixture *f = (struct fixture *)ledger;

    (void)agency;
    assert_true(f->taken < MESSAGES);
    f->ops[f->taken++] = op;
}

static size_t backlog(const struct ledger *ledger)
{
    return ((const struct fixture *)ledger)->backlog;
}

static const struct ledger_news *news(const struct ledger *ledger)
{
    return &((const struct fixture *)ledger)->news;
}

static const struct ledger_backend backend = {.ask = ask_ledger, .backlog = backlog, .news = news};

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
    fake_clock_begin(1000000);
    f->ledger.backend = &backend;
    f->news.agencies = 5;
    loop_begin(&f->loop);
    assert_int_equal(stream_hub_create(&f->loop, &f->hub), STATUS_OK);
    assert_int_equal(
        service_create(
            &(struct service_config){.ledger = &f->ledger, .ops = &file_ops_system, .dir_fd = -1},
            &f->service),
        STATUS_OK);
    lottery_conns_init(&f->lottery_conns,
                       &(struct lottery_conns_config){.service = f->service,
                                                      .ledger = &f->ledger,
                                                      .handshake_ms = LIMIT_MS,
                                                      .frame_ms = LIMIT_MS,
                                                      .idle_ms = LIMIT_MS,
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
    fake_clock_end();
    return 0;
}

static void ask_as(struct fixture *f, uint32_t agency)
{
    Lottery__V1__NewBets question = LOTTERY__V1__NEW_BETS__INIT;
    uint8_t frame[FRAME_MAX_SIZE];

    question.agency_id = agency;
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &question.base, frame);
    sockets_write(f->other, frame, size);
}

/* The agency asks how many bets it has. */
static void ask(struct fixture *f)
{
    ask_as(f, 1);
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

/* While the ledger's backlog is too large, nothing more is read, until the next answer finds it
 * small again. */
static void test_waits_for_the_ledger(void **state)
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

/* If the last operations in the ledger belong to connections that are gone, no answer wakes the
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

/* For ten times the limits of time nothing happens, except that the connection is checked. */
static void wait_long(struct fixture *f)
{
    for (int i = 0; i < 10; i++) {
        fake_clock.now_ms += LIMIT_MS;
        check(f);
        loop_turn(&f->loop);
    }
}

static void assert_open(struct fixture *f)
{
    for (int i = 0; i < 20; i++)
        loop_turn(&f->loop);
    assert_int_equal(f->gone, 0);
    assert_int_equal(f->conns.count, 1);
}

/* The limits run again from when the wait ended: the peer has almost all of its time, not more. */
static void assert_limits_run(struct fixture *f)
{
    check(f);
    assert_open(f);
    fake_clock.now_ms += LIMIT_MS - 1;
    check(f);
    assert_open(f);
    fake_clock.now_ms += 1;
    check(f);
    loop_until_count(&f->loop, &f->gone, 1, "on_gone");
}

/* The ledger may take as long as it wants to answer an agency. */
static void test_no_limit_for_an_answer(void **state)
{
    struct fixture *f = *state;

    ask(f);
    loop_until_count(&f->loop, &f->taken, 1, "the message");
    wait_long(f);
    end_operations(f);
    assert_limits_run(f);
}

/* A frame that has begun is not read to its end while the connection is paused, or held because
 * its own messages wait. */
static void assert_no_limit_for_a_frame(struct fixture *f)
{
    ask(f);
    sockets_write(f->other, (const uint8_t *)"\0", 1); /* a part of a frame's header */
    loop_until_count(&f->loop, &f->taken, 1, "the message");
    for (int i = 0; i < 20; i++)
        loop_turn(&f->loop);
    wait_long(f);
    f->backlog = 0;
    end_operations(f);
    assert_limits_run(f);
}

static void test_no_limit_while_paused(void **state)
{
    struct fixture *f = *state;

    f->backlog = MUCH;
    assert_no_limit_for_a_frame(f);
}

static void test_no_limit_while_held(void **state)
{
    struct fixture *f = *state;

    f->lottery_conns.config.buffered_max = 1;
    assert_no_limit_for_a_frame(f);
}

/* A connection that was paused while nothing of its own was outstanding. */
static void test_no_limit_while_others_wait(void **state)
{
    struct fixture *f = *state;

    f->backlog = MUCH;
    ask(f);
    loop_until_count(&f->loop, &f->taken, 1, "the message");
    end_operations(f);
    assert_open(f); /* the answer leaves */
    wait_long(f);
    f->backlog = 0;
    assert_limits_run(f);
}

/* The link to the ledger was closed before the outcome came: the agency gets no answer, only the
 * end of the connection. */
static void test_lost_outcome(void **state)
{
    struct fixture *f = *state;
    uint8_t answer[FRAME_MAX_SIZE];
    bool has_ended = false;

    ask(f);
    loop_until_count(&f->loop, &f->taken, 1, "the message");
    f->ops[0]->status = STATUS_STOPPED;
    end_operations(f);
    for (int i = 0; i < 100 && !has_ended; i++) {
        loop_turn(&f->loop);
        assert_int_equal(sockets_read(f->other, answer, sizeof(answer), &has_ended), 0);
    }
    assert_true(has_ended);
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
        cmocka_unit_test_setup_teardown(test_waits_for_the_ledger, begin, end),
        cmocka_unit_test_setup_teardown(test_is_not_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(test_waits_for_its_own, begin, end),
        cmocka_unit_test_setup_teardown(test_no_limit_for_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(test_no_limit_while_paused, begin, end),
        cmocka_unit_test_setup_teardown(test_no_limit_while_held, begin, end),
        cmocka_unit_test_setup_teardown(test_no_limit_while_others_wait, begin, end),
        cmocka_unit_test_setup_teardown(test_lost_outcome, begin, end),
        cmocka_unit_test_setup_teardown(test_refused_socket, begin, end),
    };

    return cmocka_run_group_tests_name("lottery_conn", tests, NULL, NULL);
}
