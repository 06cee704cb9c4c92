/* Both ends of the link between coordinator and supervisor, with real sockets. */
#include "clock.h"
#include "cmocka_all.h"
#include "coordinator_child.h"
#include "supervisor_link.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20000

struct fixture {
    struct coordinator_child child; /* the supervisor's end */
    uv_loop_t loop;
    struct supervisor_link link; /* the coordinator's, on the loop */
    unsigned prepared;           /* calls of on_prepared */
    unsigned refused;
    unsigned moved;
    char reason[512];         /* the last one; "" = none */
    struct movement movement; /* of the last on_moved */
    bool closes;              /* the callback closes the link */
    bool is_closed;
};

static const struct movement reload = {.kind = MOVEMENT_RELOAD, .uid = 33};

static void close_link(struct fixture *f)
{
    if (!f->is_closed)
        supervisor_link_close(&f->link);
    f->is_closed = true;
}

static void on_prepared(void *owner)
{
    struct fixture *f = owner;

    f->prepared++;
    if (f->closes)
        close_link(f);
}

static void on_refused(void *owner, const char *reason)
{
    struct fixture *f = owner;

    f->refused++;
    (void)snprintf(f->reason, sizeof(f->reason), "%s", reason);
}

static void on_moved(void *owner, const struct movement *movement, const char *reason)
{
    struct fixture *f = owner;

    f->moved++;
    f->movement = *movement;
    (void)snprintf(f->reason, sizeof(f->reason), "%s", reason != NULL ? reason : "none");
}

static void start(struct fixture *f)
{
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(
        supervisor_link_start(&f->link, &(struct supervisor_link_config){.loop = &f->loop,
                                                                         .fd = f->child.far_fd,
                                                                         .on_prepared = on_prepared,
                                                                         .on_refused = on_refused,
                                                                         .on_moved = on_moved,
                                                                         .owner = f}),
        STATUS_OK);
    f->is_closed = false;
}

static void finish(struct fixture *f)
{
    close_link(f);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct errbuf err;

    assert_non_null(f);
    assert_int_equal(coordinator_child_init(&f->child, &err), STATUS_OK);
    start(f);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    finish(f);
    coordinator_child_fini(&f->child);
    free(f);
    return 0;
}

/* Runs the loop until all that was sent to the coordinator is read. */
static void run(struct fixture *f)
{
    char byte;
    uint64_t until = clock_monotonic_ms() + WAIT_MS;

    while (recv(f->child.far_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        assert_true(f->is_closed || clock_monotonic_ms() < until);
        if (f->is_closed)
            break;
    }
}

static struct supervisor_message hear(const struct fixture *f, enum supervisor_message_kind kind)
{
    struct supervisor_message message;

    assert_true(coordinator_child_hear(&f->child, &message));
    assert_int_equal(message.kind, kind);
    return message;
}

static void assert_silent(const struct fixture *f)
{
    struct supervisor_message message;

    assert_false(coordinator_child_hear(&f->child, &message));
}

/* Asks, and has the supervisor hear it. */
static uint32_t ask(struct fixture *f)
{
    assert_int_equal(supervisor_link_prepare(&f->link, &reload), STATUS_OK);
    return hear(f, SUPERVISOR_PREPARE).number;
}

/* What is asked for arrives as it was, and one answer comes back. */
static void test_prepare_and_commit(void **state)
{
    struct fixture *f = *state;
    struct movement next = {.kind = MOVEMENT_NEXT, .uid = 1000, .close_at_s = UINT64_C(1) << 40};

    memset(next.id, 'x', DRAW_ID_MAX);
    assert_silent(f);
    assert_int_equal(supervisor_link_prepare(&f->link, &next), STATUS_OK);
    struct supervisor_message message = hear(f, SUPERVISOR_PREPARE);
    assert_int_equal(message.movement.kind, MOVEMENT_NEXT);
    assert_int_equal(message.movement.uid, 1000);
    assert_true(message.movement.close_at_s == next.close_at_s);
    assert_string_equal(message.movement.id, next.id);
    coordinator_child_prepared(&f->child, message.number);
    assert_int_equal(f->prepared, 0);
    run(f);
    assert_int_equal(f->prepared, 1);
    assert_int_equal(supervisor_link_commit(&f->link), STATUS_OK);
    assert_int_equal(hear(f, SUPERVISOR_COMMIT).number, message.number);
    assert_int_equal(f->refused, 0);
    /* too late */
    supervisor_link_cancel(&f->link);
    assert_silent(f);
    assert_int_equal(supervisor_link_prepare(&f->link, &reload), STATUS_INUSE);
}

/* A refusal comes with its reason; then another movement can be asked for. */
static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct errbuf reason;

    memset(reason.text, 'r', sizeof(reason.text) - 1);
    reason.text[sizeof(reason.text) - 1] = '\0';
    coordinator_child_refuse(&f->child, ask(f), &reason);
    run(f);
    assert_int_equal(f->refused, 1);
    assert_int_equal(f->prepared, 0);
    assert_string_equal(f->reason, reason.text);
    uint32_t number = ask(f);
    coordinator_child_prepared(&f->child, number);
    run(f);
    assert_int_equal(supervisor_link_commit(&f->link), STATUS_OK);
    assert_int_equal(hear(f, SUPERVISOR_COMMIT).number, number);
    /* refused all the same, as the supervisor could not begin */
    coordinator_child_refuse(&f->child, number, &(struct errbuf){"no"});
    run(f);
    assert_int_equal(f->refused, 2);
    assert_string_equal(f->reason, "no");
    assert_int_equal(supervisor_link_prepare(&f->link, &reload), STATUS_OK);
}

/* One at a time. */
static void test_one_at_a_time(void **state)
{
    struct fixture *f = *state;

    uint32_t number = ask(f);
    assert_int_equal(supervisor_link_prepare(&f->link, &reload), STATUS_INUSE);
    coordinator_child_prepared(&f->child, number);
    run(f);
    assert_int_equal(supervisor_link_prepare(&f->link, &reload), STATUS_INUSE);
    assert_silent(f);
}

/* What is taken back gets no callback, be the answer under way or not; the next one gets its own.
 */
static void test_cancel(void **state)
{
    struct fixture *f = *state;

    supervisor_link_cancel(&f->link); /* of nothing */
    assert_silent(f);
    uint32_t first = ask(f);
    coordinator_child_prepared(&f->child, first);
    supervisor_link_cancel(&f->link);
    assert_int_equal(hear(f, SUPERVISOR_CANCEL).number, first);
    uint32_t second = ask(f);
    assert_int_not_equal(second, first);
    run(f);
    assert_int_equal(f->prepared, 0);
    coordinator_child_prepared(&f->child, second);
    run(f);
    assert_int_equal(f->prepared, 1);
    supervisor_link_cancel(&f->link);
    assert_int_equal(hear(f, SUPERVISOR_CANCEL).number, second);
    assert_int_equal(supervisor_link_prepare(&f->link, &reload), STATUS_OK);
}

/* Each phase is told once. */
static void test_phase(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2; i++)
        supervisor_link_tell_phase(&f->link, DRAW_OPEN);
    for (unsigned i = 0; i < 2; i++)
        supervisor_link_tell_phase(&f->link, DRAW_CLOSED);
    assert_int_equal(hear(f, SUPERVISOR_PHASE).phase, DRAW_OPEN);
    assert_int_equal(hear(f, SUPERVISOR_PHASE).phase, DRAW_CLOSED);
    assert_silent(f);
}

/* A callback may close the link: what has arrived after it is dropped. */
static void test_closed_by_callback(void **state)
{
    struct fixture *f = *state;
    uint32_t number = ask(f);

    f->closes = true;
    coordinator_child_prepared(&f->child, number);
    coordinator_child_refuse(&f->child, number, &(struct errbuf){"late"});
    run(f);
    assert_int_equal(f->prepared, 1);
    assert_int_equal(f->refused, 0);
}

/* What became of movements of others is heard at any time, whatever is asked for. */
static void test_moved(void **state)
{
    struct fixture *f = *state;
    struct movement next = {.kind = MOVEMENT_NEXT, .uid = 5, .id = "b2"};

    coordinator_child_tell_moved(&f->child, &reload, &(struct errbuf){{0}});
    run(f);
    assert_int_equal(f->moved, 1);
    assert_int_equal(f->movement.uid, 33);
    assert_string_equal(f->reason, "none");
    uint32_t number = ask(f);
    coordinator_child_tell_moved(&f->child, &next, &(struct errbuf){"disk full"});
    coordinator_child_prepared(&f->child, number);
    run(f);
    assert_int_equal(f->moved, 2);
    assert_string_equal(f->movement.id, "b2");
    assert_string_equal(f->reason, "disk full");
    assert_int_equal(f->prepared, 1);
}

/* A coordinator that ends leaves what it has sent, and the next one finds nothing of its own. */
static void test_next_coordinator(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(supervisor_link_prepare(&f->link, &reload), STATUS_OK);
    uint32_t number = f->link.number;
    coordinator_child_prepared(&f->child, number);
    coordinator_child_refuse(&f->child, number, &(struct errbuf){"no"});
    finish(f);
    f->child.has_ended = true;
    (void)hear(f, SUPERVISOR_PREPARE);
    coordinator_child_forget(&f->child);
    assert_false(f->child.has_ended);
    start(f);
    assert_int_equal(ask(f), number); /* it counts from the beginning */
    run(f);
    assert_int_equal(f->prepared + f->refused, 0);
    coordinator_child_prepared(&f->child, number);
    run(f);
    assert_int_equal(f->prepared, 1);
}

/* Every message that is none: too short, too long, of no kind, with strings that have no end, with
 * ids that are none. */
static void test_malformed(void **state)
{
    struct fixture *f = *state;
    struct supervisor_message good = {.kind = SUPERVISOR_PREPARE, .number = 9, .movement = reload};
    char longer[sizeof(good) + 1] = {0};
    struct supervisor_message bad[10];
    const size_t count = sizeof(bad) / sizeof(bad[0]);

    for (size_t i = 0; i < count; i++)
        bad[i] = good;
    bad[0].kind = (enum supervisor_message_kind)0;
    bad[1].kind = (enum supervisor_message_kind)8;
    bad[2].movement.kind = (enum movement_kind)3;
    bad[3].movement.kind = MOVEMENT_NEXT; /* without an id */
    memset(bad[4].movement.id, 'a', sizeof(bad[4].movement.id));
    bad[5].kind = SUPERVISOR_PHASE;
    bad[5].phase = (enum draw_phase)4;
    bad[6].kind = SUPERVISOR_REFUSED;
    memset(bad[6].reason.text, 'r', sizeof(bad[6].reason.text));
    bad[7].movement.kind = MOVEMENT_NEXT;
    strcpy(bad[7].movement.id, "../b");
    bad[8].kind = bad[9].kind = SUPERVISOR_MOVED;
    bad[8].movement.kind = (enum movement_kind)0;
    memset(bad[9].reason.text, 'r', sizeof(bad[9].reason.text));
    for (size_t i = 0; i < count; i++)
        assert_false(supervisor_message_is_valid(&bad[i], sizeof(bad[i])));
    assert_true(supervisor_message_is_valid(&good, sizeof(good)));
    assert_false(supervisor_message_is_valid(&good, sizeof(good) - 1));
    memcpy(longer, &good, sizeof(good));

    for (size_t i = 0; i < count; i++)
        assert_true(send(f->child.far_fd, &bad[i], sizeof(bad[i]), 0) > 0);
    assert_true(send(f->child.far_fd, &good, sizeof(good) - 1, 0) > 0);
    assert_true(send(f->child.far_fd, longer, sizeof(longer), 0) > 0);
    assert_true(send(f->child.far_fd, "", 0, 0) == 0);
    good.kind = SUPERVISOR_PREPARED; /* ours, not the coordinator's */
    assert_true(send(f->child.far_fd, &good, sizeof(good), 0) > 0);
    good.kind = SUPERVISOR_COMMIT;
    assert_true(send(f->child.far_fd, &good, sizeof(good), 0) > 0);
    assert_int_equal(hear(f, SUPERVISOR_COMMIT).number, 9);
    assert_silent(f);

    /* The other way. */
    uint32_t number = ask(f);
    bad[6].number = number;
    assert_true(send(f->child.near_fd, &bad[6], sizeof(bad[6]), 0) > 0);
    assert_true(send(f->child.near_fd, longer, sizeof(longer), 0) > 0);
    good.number = number;
    assert_true(send(f->child.near_fd, &good, sizeof(good), 0) > 0); /* not for us */
    coordinator_child_prepared(&f->child, number + 1);
    coordinator_child_prepared(&f->child, number);
    coordinator_child_prepared(&f->child, number); /* twice */
    run(f);
    assert_int_equal(f->prepared, 1);
    assert_int_equal(f->refused, 0);
}

/* A supervisor that does not read: the coordinator is told, and waits for nothing. */
static void test_full(void **state)
{
    struct fixture *f = *state;
    enum status status;

    do {
        status = supervisor_link_prepare(&f->link, &reload);
        supervisor_link_cancel(&f->link);
    } while (status == STATUS_OK);
    assert_int_equal(status, STATUS_IO);
    while (recv(f->child.near_fd, &(char){0}, 1, MSG_DONTWAIT) >= 0)
        continue;
    (void)ask(f);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_prepare_and_commit),
        CASE(test_refused),
        CASE(test_one_at_a_time),
        CASE(test_cancel),
        CASE(test_phase),
        CASE(test_moved),
        CASE(test_closed_by_callback),
        CASE(test_next_coordinator),
        CASE(test_malformed),
        CASE(test_full),
    };

    return cmocka_run_group_tests_name("supervisor_link", tests, NULL, NULL);
}
