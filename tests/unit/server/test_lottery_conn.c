/* A lottery connection, the limits on reading from it, and its limits of time. The ledger is a fake
 * one, whose backlog the test sets, and so is the clock. */
#include "capture.h"
#include "clock.h"
#include "cmocka_all.h"
#include "fake_clock.h"
#include "log.h"
#include "loop.h"
#include "lottery.pb-c.h"
#include "lottery_conn.h"
#include "request.h"
#include "session.h"
#include "test_sockets.h"
#include "wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGES (64 * 1024)
#define TURN_MESSAGES 64 /* taken from one connection in a turn of the loop */
#define OUTSTANDING_MAX 1024
#define REFUSED_MAX 64
#define BACKLOG_MAX ((size_t)16 * 1024)
#define RESTS_MAX ((size_t)4 * 1024 * 1024)
#define MUCH ((size_t)64 * 1024 * 1024) /* more than the ledger's backlog may be */
#define LIMIT_MS 60000                  /* every limit of time */

struct fixture {
    struct ledger ledger; /* first: the ledger's object */
    struct ledger_news news;
    size_t backlog;
    size_t backlog_each;             /* what each operation that has not ended adds to it */
    unsigned ended;                  /* of the operations below */
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

static void ask_ledger(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                       uint64_t offset)
{
    (void)offset;
    struct fixture *f = (struct fixture *)ledger;

    (void)agency;
    assert_true(f->taken < MESSAGES);
    f->ops[f->taken++] = op;
}

static size_t backlog(const struct ledger *ledger)
{
    const struct fixture *f = (const struct fixture *)ledger;

    return f->backlog + f->backlog_each * (f->taken - f->ended);
}

static const struct ledger_news *news(const struct ledger *ledger)
{
    return &((const struct fixture *)ledger)->news;
}

static const struct ledger_backend backend = {.ask = ask_ledger, .backlog = backlog, .news = news};

static void on_gone(void *owner, struct in6_addr ip)
{
    (void)ip;
    ((struct fixture *)owner)->gone++;
}

/* Where the connections of a case count. */
static struct scoreboard_row row;

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    assert_non_null(f);
    memset(&row, 0, sizeof(row));
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
                       &(struct lottery_conns_config){.loop = &f->loop,
                                                      .service = f->service,
                                                      .ledger = &f->ledger,
                                                      .handshake_ms = LIMIT_MS,
                                                      .frame_ms = LIMIT_MS,
                                                      .idle_ms = LIMIT_MS,
                                                      .buffered_max = 1024 * 1024});
    conn_set_init(&f->conns, &(struct conn_set_config){.ops = &lottery_conn_ops,
                                                       .hub = f->hub,
                                                       .row = &row,
                                                       .context = &f->lottery_conns,
                                                       .on_gone = on_gone,
                                                       .owner = f});
    sockets_pair_tcp(fds, 0);
    f->other = fds[1];
    f->accepted++;
    assert_int_equal(conn_accept(&f->conns, fds[0], in6addr_any), STATUS_OK);
    *state = f;
    return 0;
}

static void end_operations(struct fixture *f)
{
    for (; f->ended < f->taken; f->ended++)
        f->ops[f->ended]->done(f->ops[f->ended]);
}

static int end(void **state)
{
    struct fixture *f = *state;

    end_operations(f);
    conn_set_close(&f->conns);
    lottery_conns_close(&f->lottery_conns);
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
    Lottery__V1__NewBets question;
    lottery__v1__new_bets__init(&question);
    uint8_t frame[FRAME_MAX_SIZE];

    question.agency_id = agency;
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &question.base, frame);
    sockets_write(f->other, frame, size);
}

/* Goes on after the first byte of a question. */
static void ask_rest(struct fixture *f)
{
    Lottery__V1__NewBets question;
    lottery__v1__new_bets__init(&question);
    uint8_t frame[FRAME_MAX_SIZE];

    question.agency_id = 1;
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &question.base, frame);
    sockets_write(f->other, frame + 1, size - 1);
}

/* Asks many times with one write. */
static void ask_many(struct fixture *f, uint32_t agency, size_t count)
{
    Lottery__V1__NewBets question;
    lottery__v1__new_bets__init(&question);
    uint8_t frame[FRAME_MAX_SIZE];

    question.agency_id = agency;
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &question.base, frame);
    uint8_t *all = malloc(count * size);
    assert_non_null(all);
    for (size_t i = 0; i < count; i++)
        memcpy(all + i * size, frame, size);
    sockets_write(f->other, all, count * size);
    free(all);
}

/* The size of a question's frame, as above. */
static size_t question_size(void)
{
    Lottery__V1__NewBets question;
    lottery__v1__new_bets__init(&question);
    uint8_t frame[FRAME_MAX_SIZE];

    question.agency_id = 1;
    return wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &question.base, frame);
}

/* How many whole frames these bytes are. */
static unsigned count_frames(const uint8_t *bytes, size_t size)
{
    struct frame frame;
    unsigned count = 0;

    for (; size > 0; count++) {
        assert_int_equal(frame_decode(bytes, size, &frame), FRAME_OK);
        bytes += frame_size(&frame);
        size -= frame_size(&frame);
    }
    return count;
}

/* One more connection, from there; returns the agency's end. */
static int accept_at(struct fixture *f, struct in6_addr ip)
{
    int fds[2];

    sockets_pair_tcp(fds, 0);
    f->accepted++;
    assert_int_equal(conn_accept(&f->conns, fds[0], ip), STATUS_OK);
    return fds[1];
}

static int accept_another(struct fixture *f)
{
    return accept_at(f, (struct in6_addr){{{0}}});
}

/* The agency asks how many bets it has. */
static void ask(struct fixture *f)
{
    ask_as(f, 1);
}

static void some_turns(struct fixture *f)
{
    for (int i = 0; i < 20; i++)
        loop_turn(&f->loop);
}

static void assert_not_read(struct fixture *f, unsigned taken)
{
    ask(f);
    some_turns(f);
    assert_int_equal(f->taken, taken);
}

/* Waits for this many messages, of which the ledger is still working on the last one. */
static void wait_for_messages(struct fixture *f, unsigned taken)
{
    loop_until_count(&f->loop, &f->taken, taken, "messages");
    assert_int_equal(f->taken, taken);
}

/* Checks the connection, as the set does once a second. */
static void check(struct fixture *f)
{
    LIST_FOR_EACH (node, &f->conns.conns) {
        lottery_conn_ops.check(LIST_ITEM(node, struct conn, in_set), clock_monotonic_ms());
    }
}

/* All bytes count, those that come and those that go. */
static void test_bytes(void **state)
{
    struct fixture *f = *state;
    uint8_t answer[FRAME_MAX_SIZE];
    bool has_ended = false;
    size_t size = 0;

    ask_many(f, 1, 3);
    wait_for_messages(f, 3);
    end_operations(f);
    for (int i = 0; i < 1000 && count_frames(answer, size) < 3; i++) {
        loop_turn(&f->loop);
        size += sockets_read(f->other, answer + size, sizeof(answer) - size, &has_ended);
    }
    assert_int_equal(count_frames(answer, size), 3);
    assert_int_equal(atomic_load(&row.count[SCOREBOARD_SENT_BYTES]), size);
    sockets_write(f->other, "\x00\x05", 2);
    some_turns(f);
    assert_int_equal(atomic_load(&row.count[SCOREBOARD_RECEIVED_BYTES]), 3 * question_size() + 2);
}

/* While the ledger's backlog is too large, nothing more is read, until the next answer finds it
 * small again. */
static void test_waits_for_the_ledger(void **state)
{
    struct fixture *f = *state;

    ask(f);
    wait_for_messages(f, 1);
    f->backlog = MUCH;
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

    ask(f);
    wait_for_messages(f, 1);
    f->backlog = MUCH;
    end_operations(f); /* ours end, while those of the others do not */
    assert_not_read(f, 1);
    check(f);
    some_turns(f);
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
    wait_for_messages(f, 1);
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
    some_turns(f);
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
    wait_for_messages(f, 1);
    wait_long(f);
    end_operations(f);
    assert_limits_run(f);
}

/* A message that names no agency does not go there, so the handshake's limit runs on, however many
 * of them are sent. */
static void test_limit_without_an_agency(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        ask_as(f, 6);
        some_turns(f);
        fake_clock.now_ms += LIMIT_MS / 4;
        check(f);
        assert_open(f);
    }
    ask_as(f, 6);
    some_turns(f);
    fake_clock.now_ms += LIMIT_MS / 4;
    check(f);
    loop_until_count(&f->loop, &f->gone, 1, "on_gone");
    assert_int_equal(f->taken, 0);
}

/* Whoever names no agency is closed after a few messages, and nothing after them is taken. */
static void test_refused_too_often(void **state)
{
    struct fixture *f = *state;
    uint8_t answers[64 * 1024];
    size_t size = 0;
    bool has_ended = false;

    ask_many(f, 0, 3000);
    for (int i = 0; i < 100 && !has_ended; i++) {
        loop_turn(&f->loop);
        size += sockets_read(f->other, answers + size, sizeof(answers) - size, &has_ended);
    }
    assert_true(has_ended);
    assert_int_equal(count_frames(answers, size), SESSION_REFUSALS_MAX);
    assert_int_equal(f->taken, 0);
}

/* However many messages have come in one read, only so many are taken in one turn of the loop; the
 * next ones in the next. All of them are, although nothing more arrives. */
static void test_turns(void **state)
{
    struct fixture *f = *state;

    ask_many(f, 1, 10 * TURN_MESSAGES + 1);
    while (f->taken == 0)
        loop_turn(&f->loop);
    for (unsigned i = 1; i <= 10; i++) {
        assert_int_equal(f->taken, i * TURN_MESSAGES);
        loop_turn(&f->loop);
    }
    assert_int_equal(f->taken, 10 * TURN_MESSAGES + 1);
    some_turns(f);
    assert_int_equal(f->taken, 10 * TURN_MESSAGES + 1);
    assert_int_equal(f->lottery_conns.rests, 0);
    assert_not_read(f, 10 * TURN_MESSAGES + 2); /* and then it is read from again */
}

/* The limits are checked for each message: when one is reached in the middle of a read, the rest
 * waits, and is taken when there is room. */
static void test_limits_within_a_read(void **state)
{
    enum { MANY = OUTSTANDING_MAX + 100 };
    struct fixture *f = *state;

    ask_many(f, 1, MANY);
    loop_until_count(&f->loop, &f->taken, OUTSTANDING_MAX, "messages");
    some_turns(f);
    assert_int_equal(f->taken, OUTSTANDING_MAX);
    end_operations(f);
    wait_for_messages(f, MANY);
    end_operations(f);

    f->taken = f->ended = 0;
    f->lottery_conns.config.buffered_max = 100; /* bytes: 14 messages of 7 bytes, and one more */
    ask_many(f, 1, MANY);
    for (unsigned i = 1; i <= MANY / 15; i++) {
        loop_until_count(&f->loop, &f->taken, i * 15, "messages");
        some_turns(f);
        assert_int_equal(f->taken, i * 15);
        end_operations(f);
    }
    loop_until_count(&f->loop, &f->taken, MANY, "the last messages");
}

/* Refused messages that wait for the ledger are limited as well, and more strictly: their answers
 * say why. */
static void test_refused_within_a_read(void **state)
{
    struct fixture *f = *state;

    ask(f);
    ask_many(f, 0, 1000);
    wait_for_messages(f, 1);
    some_turns(f);
    assert_int_equal(service_outstanding(f->service), 1 + REFUSED_MAX);
    end_operations(f);
    some_turns(f);
    assert_int_equal(service_outstanding(f->service), 0);
}

/* So is the ledger's. */
static void test_ledger_within_a_read(void **state)
{
    struct fixture *f = *state;

    f->backlog_each = MUCH / 64; /* eight messages make the backlog too large */
    ask_many(f, 1, 100);
    for (unsigned i = 1; i <= 12; i++) {
        loop_until_count(&f->loop, &f->taken, i * 8, "messages");
        some_turns(f);
        assert_int_equal(f->taken, i * 8);
        end_operations(f);
    }
    wait_for_messages(f, 100);
}

/* Connections that wait for the ledger go on one after the other, each with the messages of a turn:
 * none of them is passed over. */
static void test_paused_in_turn(void **state)
{
    enum { OTHERS = 5, TURNS = 3 * (OTHERS + 1) };
    struct fixture *f = *state;
    const struct session *seen[TURNS];
    int fds[OTHERS + 1] = {f->other};

    for (int i = 1; i <= OTHERS; i++)
        fds[i] = accept_another(f);
    f->backlog_each = (MUCH / 8 + TURN_MESSAGES - 1) / TURN_MESSAGES; /* a turn makes it full */
    for (int i = 0; i <= OTHERS; i++) {
        f->other = fds[i];
        ask_many(f, (uint32_t)i % 5 + 1, 3 * TURN_MESSAGES);
    }
    /* Before the first one has taken its first messages, nobody waits. */
    for (unsigned i = 0; i < TURNS; i++) {
        loop_until_count(&f->loop, &f->taken, TURN_MESSAGES, "a turn");
        some_turns(f);
        assert_int_equal(f->taken, TURN_MESSAGES);
        seen[i] = ((struct request *)f->ops[0])->session;
        for (unsigned k = 1; i <= OTHERS + 1 && k < i; k++)
            assert_ptr_not_equal(seen[k], seen[i]);
        if (i > OTHERS + 1) /* the first one is done first */
            assert_ptr_equal(seen[i], seen[i - OTHERS - (i <= 2 * (OTHERS + 1))]);
        end_operations(f);
        f->taken = f->ended = 0;
    }
    some_turns(f);
    assert_int_equal(f->taken, 0);
    f->other = fds[0];
    for (int i = 1; i <= OTHERS; i++)
        assert_int_equal(close(fds[i]), 0);
}

/* While the rests of reads take much memory, connections are read from in small pieces. */
static void test_rests_are_bounded(void **state)
{
    enum { OTHERS = 200, SIZE = 64 * 1024 };
    struct fixture *f = *state;
    int fds[OTHERS];
    size_t most = 0;

    f->backlog_each = 1;
    for (int i = 0; i < OTHERS; i++)
        fds[i] = accept_another(f);
    for (int i = 0; i < OTHERS; i++) {
        int first = f->other;
        f->other = fds[i];
        ask_many(f, 1, SIZE / 7);
        f->other = first;
    }
    for (int i = 0; i < 10; i++) {
        loop_turn(&f->loop);
        end_operations(f);
        f->taken = f->ended = 0;
        if (f->lottery_conns.rests > most)
            most = f->lottery_conns.rests;
    }
    assert_true(most > RESTS_MAX / 2 && most <= RESTS_MAX);
    for (int i = 0; i < OTHERS; i++)
        assert_int_equal(close(fds[i]), 0);
    while (f->gone < OTHERS) {
        loop_turn(&f->loop);
        end_operations(f);
        f->taken = f->ended = 0;
    }
    assert_int_equal(f->lottery_conns.rests, 0);
}

/* A frame that has begun is not read to its end while the connection is paused, or held because
 * its own messages wait. */
static void assert_no_limit_for_a_frame(struct fixture *f, size_t backlog)
{
    ask(f);
    sockets_write(f->other, (const uint8_t *)"\0", 1); /* a part of a frame's header */
    wait_for_messages(f, 1);
    some_turns(f);
    f->backlog = backlog;
    wait_long(f);
    f->backlog = 0;
    end_operations(f);
    assert_limits_run(f);
}

static void test_no_limit_while_paused(void **state)
{
    struct fixture *f = *state;

    assert_no_limit_for_a_frame(f, MUCH);
}

static void test_no_limit_while_held(void **state)
{
    struct fixture *f = *state;

    f->lottery_conns.config.buffered_max = 1;
    assert_no_limit_for_a_frame(f, 0);
}

/* A connection that was paused while nothing of its own was outstanding. */
static void test_no_limit_while_others_wait(void **state)
{
    struct fixture *f = *state;

    ask(f);
    wait_for_messages(f, 1);
    end_operations(f);
    f->backlog = MUCH;
    assert_not_read(f, 1); /* meanwhile the answer leaves */
    wait_long(f);
    f->backlog = 0;
    check(f);
    wait_for_messages(f, 2);
    end_operations(f);
    assert_limits_run(f);
}

/* Puts a connection in the place of the first one. It is a Unix socket, which holds a fixed number
 * of bytes; a TCP socket that is full may also drop what acknowledges its own bytes. */
static const struct conn *use_small_buffers(struct fixture *f)
{
    int fds[2];

    assert_int_equal(close(f->other), 0);
    loop_until_count(&f->loop, &f->gone, 1, "on_gone");
    f->gone = 0;
    sockets_pair_unix(fds, 4096);
    f->other = fds[1];
    assert_int_equal(conn_accept(&f->conns, fds[0], in6addr_any), STATUS_OK);
    return LIST_ITEM(f->conns.conns.ring.next, struct conn, in_set);
}

/* The next messages are taken, reach the ledger, and are answered. */
static void answer_all(struct fixture *f)
{
    some_turns(f);
    end_operations(f);
    f->taken = f->ended = 0;
    some_turns(f);
}

/* Asks on and on, and reads no answer, until the next one would be too much. Then asks once more,
 * with the first byte of another question. Returns how many it asked before that one. */
static unsigned ask_until_held(struct fixture *f, const struct conn *conn)
{
    size_t answer = 0;
    unsigned asked = 0;

    for (size_t backlog = 0; backlog + answer < BACKLOG_MAX; asked++) {
        ask(f);
        answer_all(f);
        answer = stream_backlog(conn->stream) - backlog;
        backlog += answer;
    }
    ask(f);
    sockets_write(f->other, (const uint8_t *)"\0", 1);
    answer_all(f);
    assert_true(stream_backlog(conn->stream) >= BACKLOG_MAX);
    return asked + 1;
}

/* Reads all answers; returns how many there are. */
static unsigned read_answers(struct fixture *f, const struct conn *conn)
{
    uint8_t answers[64 * 1024];
    size_t size = 0;
    size_t read_now;
    bool has_ended = false;

    do {
        some_turns(f);
        read_now = sockets_read(f->other, answers + size, sizeof(answers) - size, &has_ended);
        size += read_now;
    } while (read_now > 0 || stream_backlog(conn->stream) > 0);
    assert_false(has_ended);
    return count_frames(answers, size);
}

/* A peer that reads no answers is not read from, and cut off in the end. */
static void test_answers_that_are_not_read(void **state)
{
    struct fixture *f = *state;
    const struct conn *conn = use_small_buffers(f);

    (void)ask_until_held(f, conn);
    assert_not_read(f, 0);
    assert_limits_run(f);
}

/* When it has read them all, it is read from again. The rest of a frame that had begun may take the
 * whole time again: nobody wanted to read it. */
static void test_answers_that_are_read_late(void **state)
{
    struct fixture *f = *state;
    const struct conn *conn = use_small_buffers(f);

    unsigned asked = ask_until_held(f, conn);
    fake_clock.now_ms += LIMIT_MS - 1;
    check(f);
    assert_open(f);
    assert_int_equal(read_answers(f, conn), asked);
    assert_limits_run(f);
}

/* And what it has sent in between is taken. */
static void test_questions_while_held(void **state)
{
    struct fixture *f = *state;
    const struct conn *conn = use_small_buffers(f);

    unsigned asked = ask_until_held(f, conn);
    ask_rest(f);
    assert_not_read(f, 0);
    assert_int_equal(read_answers(f, conn), asked);
    wait_for_messages(f, 2);
    end_operations(f);
    assert_int_equal(read_answers(f, conn), 2);
}

/* The link to the ledger was closed before the outcome came: the agency gets no answer, only the
 * end of the connection. */
static void test_lost_outcome(void **state)
{
    struct fixture *f = *state;
    uint8_t answer[FRAME_MAX_SIZE];
    bool has_ended = false;

    ask(f);
    wait_for_messages(f, 1);
    f->ops[0]->status = STATUS_STOPPED;
    end_operations(f);
    for (int i = 0; i < 100 && !has_ended; i++) {
        loop_turn(&f->loop);
        assert_int_equal(sockets_read(f->other, answer, sizeof(answer), &has_ended), 0);
    }
    assert_true(has_ended);
}

/* What a frame over the limit is answered with, when it has come in two pieces. */
static void assert_malformed(struct fixture *f, const char *frame, size_t first, const char *detail)
{
    uint8_t answer[FRAME_MAX_SIZE];
    struct frame ack_frame;
    size_t size = 0;
    bool has_ended = false;
    int other = accept_another(f);

    sockets_write(other, frame, first);
    some_turns(f);
    sockets_write(other, frame + first, FRAME_HEADER_SIZE - first);
    for (int i = 0; i < 100 && !has_ended; i++) {
        loop_turn(&f->loop);
        size += sockets_read(other, answer + size, sizeof(answer) - size, &has_ended);
    }
    assert_true(has_ended);
    assert_int_equal(frame_decode(answer, size, &ack_frame), FRAME_OK);
    Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, ack_frame.body_size, ack_frame.body);
    assert_non_null(ack);
    assert_int_equal(ack->code, LOTTERY__V1__ACK_CODE__ACK_CODE_MALFORMED);
    assert_string_equal(ack->detail, detail);
    lottery__v1__ack__free_unpacked(ack, NULL);
    assert_int_equal(close(other), 0);
    loop_until_count(&f->loop, &f->gone, f->accepted - 1, "on_gone");
}

/* A peer that speaks TLS where there is none is told so, however its first bytes have come. */
static void test_tls_where_there_is_none(void **state)
{
    static const char *const hellos[] = {"\x16\x03\x01\x02\x00", "\x16\x03\x01\x00\xc4",
                                         "\x16\x03\x03\x40\x00"};
    static const char *const others[] = {"\x16\x04\x01\x02\x00", "\x15\x03\x01\x02\x00", "GET /"};
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        for (size_t first = 1; first <= FRAME_HEADER_SIZE; first++) {
            assert_malformed(f, hellos[i], first,
                             "this looks like TLS, which this server does not speak: it has no "
                             "TLS_CERT, TLS_KEY and TLS_CA");
            assert_malformed(f, others[i], first, "frame over the limit of 8192 bytes");
        }
    }
}

/* The log says so, too, also of a connection from our own machine that is soon over. */
static void test_log_of_tls_where_there_is_none(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    log_set_level(LOG_INFO);
    capture_begin(&capture);
    int other = accept_at(f, peer_ip_of_v4((struct in_addr){.s_addr = htonl(INADDR_LOOPBACK)}));
    sockets_write(other, "\x16\x03\x01\x02\x00", FRAME_HEADER_SIZE);
    some_turns(f);
    assert_int_equal(close(other), 0);
    loop_until_count(&f->loop, &f->gone, 1, "on_gone");
    capture_end(&capture);
    assert_non_null(strstr(capture.text, "accept_connections | result: success | ip: 127.0.0.1\n"));
    assert_non_null(strstr(capture.text, "close_connection | result: success | ip: 127.0.0.1 | "
                                         "reason: the peer speaks TLS, which is off here\n"));
    capture_free(&capture);
}

/* The loop refuses the socket: the connection is gone although its conversation never began. */
static void test_refused_socket(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    sockets_pair_tcp(fds, 0);
    assert_int_equal(close(fds[0]), 0); /* the number of no descriptor any more */
    f->accepted++;
    assert_int_not_equal(conn_accept(&f->conns, fds[0], in6addr_any), STATUS_OK);
    loop_until_count(&f->loop, &f->gone, 1, "on_gone");
    assert_int_equal(f->conns.count, 1);
    assert_int_equal(close(fds[1]), 0);
}

/* A longer limit for a peer that does not read is not cut short by the kernel's. */
static void test_kernel_waits_longer(void **state)
{
    struct fixture *f = *state;
    unsigned timeout_ms = 0;
    socklen_t size = sizeof(timeout_ms);
    int fds[2];

    f->lottery_conns.config.frame_ms = 10 * LIMIT_MS;
    sockets_pair_tcp(fds, 0);
    f->accepted++;
    assert_int_equal(conn_accept(&f->conns, fds[0], in6addr_any), STATUS_OK);
    assert_int_equal(getsockopt(fds[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &size), 0);
    assert_true(timeout_ms > 10 * LIMIT_MS);
    assert_int_equal(close(fds[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes, begin, end),
        cmocka_unit_test_setup_teardown(test_waits_for_the_ledger, begin, end),
        cmocka_unit_test_setup_teardown(test_is_not_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(test_waits_for_its_own, begin, end),
        cmocka_unit_test_setup_teardown(test_no_limit_for_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(test_limit_without_an_agency, begin, end),
        cmocka_unit_test_setup_teardown(test_refused_too_often, begin, end),
        cmocka_unit_test_setup_teardown(test_turns, begin, end),
        cmocka_unit_test_setup_teardown(test_limits_within_a_read, begin, end),
        cmocka_unit_test_setup_teardown(test_refused_within_a_read, begin, end),
        cmocka_unit_test_setup_teardown(test_ledger_within_a_read, begin, end),
        cmocka_unit_test_setup_teardown(test_paused_in_turn, begin, end),
        cmocka_unit_test_setup_teardown(test_rests_are_bounded, begin, end),
        cmocka_unit_test_setup_teardown(test_no_limit_while_paused, begin, end),
        cmocka_unit_test_setup_teardown(test_no_limit_while_held, begin, end),
        cmocka_unit_test_setup_teardown(test_no_limit_while_others_wait, begin, end),
        cmocka_unit_test_setup_teardown(test_answers_that_are_not_read, begin, end),
        cmocka_unit_test_setup_teardown(test_answers_that_are_read_late, begin, end),
        cmocka_unit_test_setup_teardown(test_questions_while_held, begin, end),
        cmocka_unit_test_setup_teardown(test_lost_outcome, begin, end),
        cmocka_unit_test_setup_teardown(test_tls_where_there_is_none, begin, end),
        cmocka_unit_test_setup_teardown(test_log_of_tls_where_there_is_none, begin, end),
        cmocka_unit_test_setup_teardown(test_refused_socket, begin, end),
        cmocka_unit_test_setup_teardown(test_kernel_waits_longer, begin, end),
    };

    return cmocka_run_group_tests_name("lottery_conn", tests, NULL, NULL);
}
