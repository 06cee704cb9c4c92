/* Links, and the client's end of one against a ledger that the test plays by hand. */
#include "alloc_fault.h"
#include "cmocka_all.h"
#include "fake_store.h"
#include "ledger_client.h"
#include "ledger_link.h"
#include "log.h"
#include "loop.h"
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    uv_loop_t loop;
    int listener;
    struct sockaddr_un address;
    socklen_t address_size;
    struct ledger_client *client;
    struct ledger *ledger;
    unsigned news;
    int depth; /* of on_batch */
    int raw;   /* the ledger's end; -1: none */
    int region_fd;
    const char *region; /* as HELLO has brought it */
};

static void on_news(void *owner)
{
    ((struct fixture *)owner)->news++;
}

static void on_batch(void *owner, bool begins)
{
    struct fixture *f = owner;

    f->depth += begins ? 1 : -1;
    assert_int_equal(f->depth, begins);
}

static void start(struct fixture *f, const struct store_encoding *encoding)
{
    struct errbuf err;

    assert_int_equal(
        ledger_client_create(&(struct ledger_client_config){.loop = &f->loop,
                                                            .address = &f->address,
                                                            .address_size = f->address_size,
                                                            .encoding = encoding,
                                                            .on_news = on_news,
                                                            .on_batch = on_batch,
                                                            .owner = f},
                             &f->client, &err),
        STATUS_OK);
    f->ledger = ledger_client_base(f->client);
}

static void listen_now(struct fixture *f)
{
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = f->address_size > 0 ? f->address_size : sizeof(sa_family_t);
    f->address.sun_family = AF_UNIX;
    assert_int_equal(bind(f->listener, (struct sockaddr *)&f->address, size), 0);
    assert_int_equal(listen(f->listener, 16), 0);
    f->address_size = sizeof(f->address);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&f->address, &f->address_size), 0);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    loop_begin(&f->loop);
    listen_now(f);
    f->raw = -1;
    f->region_fd = -1;
    *state = f;
    return 0;
}

static void hang_up(struct fixture *f)
{
    if (f->region != NULL)
        region_unmap(f->region, LEDGER_REGION_SIZE);
    if (f->region_fd >= 0)
        assert_int_equal(close(f->region_fd), 0);
    if (f->raw >= 0)
        assert_int_equal(close(f->raw), 0);
    f->region = NULL;
    f->region_fd = -1;
    f->raw = -1;
}

static int end(void **state)
{
    struct fixture *f = *state;

    if (f->client != NULL)
        ledger_client_close(f->client);
    hang_up(f);
    if (f->listener >= 0)
        assert_int_equal(close(f->listener), 0);
    loop_end(&f->loop);
    free(f);
    return 0;
}

/* ------------------------------------------------------------------ the ledger's end, by hand */

static bool has_link(void *context)
{
    struct fixture *f = context;

    f->raw = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return f->raw >= 0;
}

/* Receives one message, with a descriptor if one comes: *fd, or -1. False: nothing is there. */
static bool receive_now(struct fixture *f, struct message *message, int *fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec bytes = {message, sizeof(*message)};
    struct msghdr header = {.msg_iov = &bytes,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    ssize_t size = recvmsg(f->raw, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    *fd = -1;
    if (size < 0)
        assert_int_equal(errno, EAGAIN);
    else
        assert_int_equal(size, sizeof(*message));
    if (size > 0 && CMSG_FIRSTHDR(&header) != NULL)
        memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(*fd));
    return size > 0;
}

struct receiving {
    struct fixture *f;
    struct message message;
    int fd;
};

static bool has_received(void *context)
{
    struct receiving *receiving = context;

    return receive_now(receiving->f, &receiving->message, &receiving->fd);
}

static struct message receive(struct fixture *f)
{
    struct receiving receiving = {.f = f};

    if (!has_received(&receiving))
        loop_until(&f->loop, has_received, &receiving, "message");
    assert_int_equal(receiving.fd, -1);
    return receiving.message;
}

static void greet(struct fixture *f, bool has_region)
{
    struct receiving receiving = {.f = f};

    loop_until(&f->loop, has_link, f, "link");
    loop_until(&f->loop, has_received, &receiving, "HELLO");
    assert_int_equal(receiving.message.kind, MESSAGE_HELLO);
    assert_int_equal(receiving.message.region_size, has_region ? LEDGER_REGION_SIZE : 0);
    assert_int_equal(receiving.fd >= 0, has_region);
    f->region_fd = receiving.fd;
    if (has_region)
        assert_int_equal(region_map(f->region_fd, LEDGER_REGION_SIZE, &f->region), STATUS_OK);
}

static void send_bytes(struct fixture *f, const void *bytes, size_t size)
{
    assert_int_equal(send(f->raw, bytes, size, MSG_NOSIGNAL), size);
}

static void answer(struct fixture *f, enum status status, uint64_t received)
{
    struct message message = {.kind = MESSAGE_OUTCOME};

    message.outcome = (struct message_outcome){.status = status, .received = received};
    send_bytes(f, &message, sizeof(message));
}

/* ------------------------------------------------------------------ operations */

#define CALLS 12

struct call {
    struct ledger_op op; /* first */
    struct fixture *f;
    struct call *next; /* submitted in done(); NULL: none */
    bool closes;       /* done() closes the client */
};

static unsigned done_count;
static struct ledger_op *done_last;

static void on_done(struct ledger_op *op)
{
    struct call *call = (struct call *)(void *)op;

    assert_int_equal(call->f->depth, 1);
    done_count++;
    done_last = op;
    if (call->next != NULL)
        ledger_ask(call->f->ledger, &call->next->op, 77, 0);
    if (call->closes) {
        ledger_client_close(call->f->client);
        call->f->client = NULL;
    }
}

static void prepare(struct fixture *f, struct call *call)
{
    *call = (struct call){.op.done = on_done, .f = f};
}

static void append(struct fixture *f, struct call *call, uint64_t offset, size_t count)
{
    static struct bet bets[3000];
    static char documents[3000][20];

    prepare(f, call);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(documents[i], sizeof(documents[i]), "D%015u", (unsigned)(offset + i));
        bets[i] = (struct bet){.document = {documents[i], 16}};
    }
    assert_int_equal(ledger_append(f->ledger, &call->op, 1, offset, bets, count), STATUS_OK);
}

/* The batch lies in the region as its message says. */
static void check_append(const struct fixture *f, const struct message *message, uint64_t offset,
                         size_t count)
{
    char line[24];

    assert_int_equal(message->kind, MESSAGE_APPEND);
    assert_true(message_is_request(message, LEDGER_REGION_SIZE));
    assert_int_equal(message->append.offset, offset);
    assert_int_equal(message->append.count, count);
    assert_int_equal(message->append.size, count * 17);
    const char *at = f->region + message->append.at;
    (void)snprintf(line, sizeof(line), "D%015u\n", (unsigned)offset);
    assert_memory_equal(at, line, 17);
    (void)snprintf(line, sizeof(line), "D%015u\n", (unsigned)(offset + count - 1));
    assert_memory_equal(at + (count - 1) * 17, line, 17);
}

static void submit(struct fixture *f, struct call *call, unsigned i)
{
    if (i % 3 == 0) {
        append(f, call, i, 1 + i % 4);
        return;
    }
    prepare(f, call);
    if (i % 3 == 1)
        ledger_ask(f->ledger, &call->op, i, 0);
    else
        ledger_finish(f->ledger, &call->op, 1, i);
}

static void check_message(struct fixture *f, unsigned i)
{
    const struct message message = receive(f);

    if (i % 3 == 0) {
        check_append(f, &message, i, 1 + i % 4);
    } else if (i % 3 == 1) {
        assert_int_equal(message.kind, MESSAGE_ASK);
        assert_int_equal(message.ask.agency, i);
    } else {
        assert_int_equal(message.kind, MESSAGE_FINISH);
        assert_int_equal(message.finish.total, i);
    }
}

/* ------------------------------------------------------------------ the client */

/* The ledger dies after having read `reads` messages and answered `answers` of them, for each such
 * pair: the next one gets all that has no outcome, in order, with the same bets. */
static void test_dies_anywhere(void **state)
{
    struct fixture *f = *state;
    struct call calls[CALLS];

    start(f, &fake_store_encoding);
    for (unsigned reads = 0; reads <= CALLS; reads++) {
        for (unsigned answers = 0; answers <= reads; answers++) {
            done_count = 0;
            for (unsigned i = 0; i < CALLS; i++)
                submit(f, &calls[i], i);
            greet(f, true);
            for (unsigned i = 0; i < reads; i++)
                check_message(f, i);
            for (unsigned i = 0; i < answers; i++)
                answer(f, STATUS_OK, i);
            hang_up(f);
            greet(f, true);
            for (unsigned i = answers; i < CALLS; i++)
                check_message(f, i);
            assert_int_equal(done_count, answers);
            for (unsigned i = answers; i < CALLS; i++)
                answer(f, STATUS_GAP, i);
            loop_until_count(&f->loop, &done_count, CALLS, "outcomes");
            for (unsigned i = 0; i < CALLS; i++) {
                assert_int_equal(calls[i].op.received, i);
                assert_int_equal(calls[i].op.status, i < answers ? STATUS_OK : STATUS_GAP);
            }
            assert_int_equal(ledger_backlog(f->ledger), 0);
            hang_up(f);
        }
    }
}

/* The bets of batch `i`: small ones between large ones would find room in a region that is full. */
static size_t bets_of(unsigned i)
{
    return i % 4 == 3 ? 1 : 3000;
}

/* More batches than the region has room for wait on the heap, and move to the region in order. */
static void test_region_is_full(void **state)
{
    enum { BATCHES = 500, BETS = 3000 };
    size_t in_region = 0;
    struct fixture *f = *state;
    struct call *calls = calloc(BATCHES, sizeof(*calls));
    struct message message;
    unsigned received = 0;
    unsigned answered = 0;
    int fd;

    assert_non_null(calls);
    done_count = 0;
    start(f, &fake_store_encoding);
    for (unsigned i = 0; i < BATCHES; i++)
        append(f, &calls[i], (uint64_t)i * BETS, bets_of(i));
    assert_int_equal(ledger_backlog(f->ledger), BATCHES * 128 + BATCHES / 4 * (3 * BETS + 1) * 17);
    greet(f, true);
    while (answered < BATCHES) {
        loop_turn(&f->loop);
        while (receive_now(f, &message, &fd)) {
            check_append(f, &message, (uint64_t)received * BETS, bets_of(received));
            in_region += bets_of(received++) * 17;
        }
        assert_true(in_region <= LEDGER_REGION_SIZE);
        if (received == answered)
            continue;
        in_region -= bets_of(answered) * 17;
        answer(f, STATUS_OK, answered++);
        if (answered == 50 || answered == 200) {
            loop_until_count(&f->loop, &done_count, answered, "outcomes");
            hang_up(f);
            received = answered;
            in_region = 0;
            greet(f, true);
        }
    }
    loop_until_count(&f->loop, &done_count, BATCHES, "outcomes");
    assert_int_equal(ledger_backlog(f->ledger), 0);
    free(calls);
}

/* No more than MESSAGE_IN_FLIGHT operations are in flight, however many there are. */
static void test_in_flight(void **state)
{
    enum { MORE = 1000 };
    struct fixture *f = *state;
    struct call *calls = calloc(MESSAGE_IN_FLIGHT + MORE, sizeof(*calls));
    struct message message;
    unsigned received = 0;
    int fd;

    assert_non_null(calls);
    done_count = 0;
    start(f, NULL);
    for (uint32_t i = 0; i < MESSAGE_IN_FLIGHT + MORE; i++) {
        prepare(f, &calls[i]);
        ledger_ask(f->ledger, &calls[i].op, i, 0);
    }
    greet(f, false);
    for (unsigned quiet = 0; quiet < 20; quiet++) {
        loop_turn(&f->loop);
        while (receive_now(f, &message, &fd)) {
            assert_int_equal(message.ask.agency, received++);
            quiet = 0;
        }
    }
    assert_int_equal(received, MESSAGE_IN_FLIGHT);
    for (unsigned i = 0; i < 10; i++)
        answer(f, STATUS_OK, i);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(receive(f).ask.agency, received++);
    loop_turn(&f->loop);
    assert_false(receive_now(f, &message, &fd));
    ledger_client_close(f->client); /* ends the others with STOPPED */
    f->client = NULL;
    assert_int_equal(done_count, MESSAGE_IN_FLIGHT + MORE);
    assert_int_equal(calls[MESSAGE_IN_FLIGHT + MORE - 1].op.status, STATUS_STOPPED);
    free(calls);
}

/* A ledger that breaks the rules loses the link; the operation is handed in to the next one. */
static void test_nonsense(void **state)
{
    static const struct message bad[] = {
        {.kind = 0},
        {.kind = MESSAGE_ASK},
        {.kind = MESSAGE_NEWS, .news = {.phase = 9}},
    };
    struct fixture *f = *state;
    struct call call;
    struct message message = {.kind = MESSAGE_OUTCOME};

    start(f, NULL);
    greet(f, false);
    answer(f, STATUS_OK, 0); /* of nothing */
    int first = f->raw;
    greet(f, false);
    assert_int_equal(close(first), 0);
    hang_up(f);
    done_count = 0;
    prepare(f, &call);
    ledger_ask(f->ledger, &call.op, 5, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        greet(f, false);
        assert_int_equal(receive(f).ask.agency, 5);
        send_bytes(f, &bad[i], sizeof(bad[i]));
        int old = f->raw;
        loop_until(&f->loop, has_link, f, "next link");
        assert_int_equal(close(f->raw), 0);
        f->raw = old;
        hang_up(f);
    }
    greet(f, false);
    message.outcome.status = STATUS_COUNT;
    send_bytes(f, &message, sizeof(message));
    hang_up(f);
    greet(f, false);
    assert_int_equal(done_count, 0);
    answer(f, STATUS_OK, 3);
    loop_until_count(&f->loop, &done_count, 1, "outcome");
}

/* News and outcomes byte by byte; news may come first. */
static void test_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct call call;
    struct message messages[2] = {
        {.kind = MESSAGE_NEWS, .news = {.phase = DRAW_OPEN, .agencies = 4}},
        {.kind = MESSAGE_OUTCOME}};

    messages[1].outcome.received = 8;
    done_count = 0;
    start(f, NULL);
    prepare(f, &call);
    ledger_ask(f->ledger, &call.op, 1, 0);
    greet(f, false);
    for (size_t i = 0; i < sizeof(messages); i++) {
        assert_int_equal(f->news, i >= MESSAGE_SIZE);
        send_bytes(f, (const char *)messages + i, 1);
        loop_turn(&f->loop);
    }
    loop_until_count(&f->loop, &done_count, 1, "outcome");
    assert_int_equal(call.op.received, 8);
    assert_int_equal(ledger_news(f->ledger)->agencies, 4);
}

/* done() may submit more, and may close the client: what is left ends with STOPPED, also what was
 * submitted meanwhile. */
static void test_within_done(void **state)
{
    struct fixture *f = *state;
    struct call calls[4];

    done_count = 0;
    start(f, NULL);
    for (unsigned i = 0; i < 4; i++)
        prepare(f, &calls[i]);
    calls[0].next = &calls[2];
    calls[1].next = &calls[3];
    calls[1].closes = true;
    ledger_ask(f->ledger, &calls[0].op, 1, 0);
    ledger_ask(f->ledger, &calls[1].op, 2, 0);
    greet(f, false);
    for (unsigned i = 0; i < 3; i++)
        answer(f, STATUS_OK, i);
    loop_until_count(&f->loop, &done_count, 4, "outcomes");
    assert_int_equal(calls[0].op.status, STATUS_OK);
    assert_int_equal(calls[1].op.status, STATUS_OK);
    assert_int_equal(calls[2].op.status, STATUS_STOPPED);
    assert_int_equal(calls[3].op.status, STATUS_STOPPED);
    assert_ptr_equal(done_last, &calls[3].op);
    assert_int_equal(f->depth, 0);
}

/* A request for files is not handed in again: it ends with STOPPED, in its turn. An OK without the
 * descriptors is nonsense. */
static void test_files_are_lost(void **state)
{
    const struct draw_drawn drawn = {.winner_number = 7, .winners = 3};
    struct fixture *f = *state;
    static struct call calls[3]; /* the last one ends with the client */
    struct draw_drawn got;

    done_count = 0;
    start(f, NULL);
    for (unsigned i = 0; i < 3; i++)
        prepare(f, &calls[i]);
    ledger_ask(f->ledger, &calls[0].op, 1, 0);
    ledger_client_open_files(f->client, &calls[1].op, STORE_WINNERS, 3);
    assert_int_equal(ledger_client_draw(f->client, &calls[2].op, &drawn, true), STATUS_OK);
    greet(f, false);
    assert_int_equal(receive(f).kind, MESSAGE_ASK);
    assert_int_equal(receive(f).files.count, 3);
    answer(f, STATUS_OK, 0);
    answer(f, STATUS_OK, 0); /* without descriptors */
    hang_up(f);
    greet(f, false);
    assert_int_equal(done_count, 1);
    assert_int_equal(receive(f).kind, MESSAGE_ASK);
    const struct message message = receive(f);
    assert_int_equal(message.kind, MESSAGE_DRAW);
    assert_int_equal(message.draw.is_new, 1);
    message_to_drawn(&message, &got);
    assert_int_equal(got.winners, 3);
    answer(f, STATUS_OK, 0);
    answer(f, STATUS_STOPPED, 0);
    loop_until_count(&f->loop, &done_count, 3, "outcomes");
    assert_int_equal(calls[1].op.status, STATUS_STOPPED);
    assert_int_equal(calls[2].op.status, STATUS_STOPPED);
    prepare(f, &calls[2]);
    assert_int_equal(ledger_client_draw(f->client, &calls[2].op, &drawn, false), STATUS_OK);
    assert_int_equal(receive(f).draw.is_new, 0);
}

/* A request for a snapshot changes nothing, and is handed in again. */
static void test_snapshot_is_lost(void **state)
{
    struct fixture *f = *state;
    static struct call calls[2]; /* the last one ends with the client */

    done_count = 0;
    start(f, NULL);
    for (unsigned i = 0; i < 2; i++)
        prepare(f, &calls[i]);
    ledger_client_snapshot(f->client, &calls[0].op);
    ledger_client_snapshot(f->client, &calls[1].op);
    greet(f, false);
    assert_int_equal(receive(f).kind, MESSAGE_SNAPSHOT);
    assert_int_equal(receive(f).kind, MESSAGE_SNAPSHOT);
    answer(f, STATUS_OK, 0); /* without a descriptor */
    hang_up(f);
    greet(f, false);
    assert_int_equal(done_count, 0);
    assert_int_equal(receive(f).kind, MESSAGE_SNAPSHOT);
    assert_int_equal(receive(f).kind, MESSAGE_SNAPSHOT);
    answer(f, STATUS_IO, 0);
    loop_until_count(&f->loop, &done_count, 1, "outcome");
    assert_int_equal(calls[0].op.status, STATUS_IO);
}

/* While nobody listens, operations wait. */
static void test_nobody_listens(void **state)
{
    struct fixture *f = *state;
    static struct call call; /* ends with the client */

    assert_int_equal(close(f->listener), 0);
    done_count = 0;
    start(f, NULL);
    prepare(f, &call);
    ledger_ask(f->ledger, &call.op, 6, 0);
    for (unsigned i = 0; i < 3; i++)
        (void)uv_run(&f->loop, UV_RUN_ONCE); /* an attempt each */
    assert_int_equal(done_count, 0);
    listen_now(f);
    greet(f, false);
    assert_int_equal(receive(f).ask.agency, 6);
}

/* The ledger's end of a link that the fixture does not have. */
struct other_end {
    int raw;            /* -1: none */
    int region_fd;      /* the same */
    const char *region; /* NULL: none */
};

static void swap_ends(struct fixture *f, struct other_end *other)
{
    const struct other_end mine = {f->raw, f->region_fd, f->region};

    f->raw = other->raw;
    f->region_fd = other->region_fd;
    f->region = other->region;
    *other = mine;
}

/* The client drops its link: it has no memory for more messages. */
static void drop_without_memory(struct fixture *f, struct call *asks, unsigned count)
{
    alloc_fault_after(0);
    for (unsigned i = 0; i < count; i++) {
        prepare(f, &asks[i]);
        ledger_ask(f->ledger, &asks[i].op, i, 0);
    }
    assert_true(alloc_fault_end());
}

/* The client drops its link: the ledger has sent nonsense. */
static void drop_after_nonsense(struct fixture *f, struct call *asks, unsigned count)
{
    (void)asks;
    (void)count;
    send_bytes(f, &(struct message){.kind = MESSAGE_ASK}, MESSAGE_SIZE);
    loop_turn(&f->loop);
}

/* A client drops its link while the ledger still has messages of it to read. However far the next
 * link has come, they find the bets that they were sent with. */
static void test_old_link_is_read_later(void **state)
{
    enum { ASKS = 600, BETS = 40 };
    static void (*const drops[])(struct fixture *, struct call *, unsigned) = {drop_after_nonsense,
                                                                               drop_without_memory};
    static struct call asks[ASKS]; /* some end with the client */
    static struct call later;
    struct fixture *f = *state;

    start(f, &fake_store_encoding);
    for (size_t i = 0; i < sizeof(drops) / sizeof(drops[0]); i++) {
        struct call first;
        done_count = 0;
        greet(f, true);
        append(f, &first, 0, BETS);
        loop_turn(&f->loop);
        drops[i](f, asks, ASKS);
        struct other_end old = {-1, -1, NULL};
        swap_ends(f, &old);
        greet(f, true);
        struct message message = receive(f);
        check_append(f, &message, 0, BETS);
        answer(f, STATUS_NOSPACE, 0);
        loop_until_count(&f->loop, &done_count, 1, "outcome");
        append(f, &later, 5000, BETS); /* its bets may lie where those of `first` lay */
        loop_turn(&f->loop);

        swap_ends(f, &old);
        message = receive(f);
        check_append(f, &message, 0, BETS);
        hang_up(f);
        swap_ends(f, &old);
        if (i == 0) {
            message = receive(f);
            check_append(f, &message, 5000, BETS);
            answer(f, STATUS_OK, 0);
            loop_until_count(&f->loop, &done_count, 2, "outcome");
            hang_up(f);
        }
    }
}

/* The ledger dies, and the client can open nothing for a while: then it tries again, and nothing is
 * lost. */
static void test_no_descriptors(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;
    struct call call;

    done_count = 0;
    start(f, &fake_store_encoding);
    greet(f, true);
    append(f, &call, 7, 40);
    loop_turn(&f->loop);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    hang_up(f);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, limit.rlim_max}), 0);
    for (unsigned i = 0; i < 4; i++)
        (void)uv_run(&f->loop, UV_RUN_ONCE); /* the link's end, and then an attempt each */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    greet(f, true);
    struct message message = receive(f);
    check_append(f, &message, 7, 40);
    answer(f, STATUS_OK, 47);
    loop_until_count(&f->loop, &done_count, 1, "outcome");
    assert_int_equal(call.op.received, 47);
}

/* ------------------------------------------------------------------ two links */

#define STREAM 60000 /* messages */
#define EACH 999     /* which of them have a descriptor */

struct side {
    struct link *link;
    uint32_t sent;
    uint32_t received;
    unsigned fds;
    unsigned ends;
    unsigned closes;
    enum status status;
};

static enum link_verdict on_messages(void *owner, const struct message *messages, size_t count)
{
    struct side *side = owner;
    int fd;

    assert_true(count <= LINK_READ_MESSAGES);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(messages[i].ask.agency, side->received++);
    assert_false(link_take_fds(side->link, &fd, 2));
    if (link_take_fds(side->link, &fd, 1)) {
        struct stat stat;
        assert_int_equal(fstat(fd, &stat), 0);
        assert_int_equal(stat.st_size, messages[count - 1].ask.agency);
        assert_int_equal(stat.st_size % EACH, 0);
        assert_int_equal(close(fd), 0);
        side->fds++;
    }
    return side->received % 3 == 0 ? LINK_GOES_ON : LINK_PAUSES;
}

static void on_end(void *owner, enum status status)
{
    struct side *side = owner;

    side->ends++;
    side->status = status;
    for (unsigned i = 0; i < 2; i++) { /* what is sent now is dropped */
        assert_int_equal(link_send(side->link, &(struct message){.kind = MESSAGE_ASK}), STATUS_OK);
        link_flush(side->link);
        link_close(side->link);
    }
}

static void on_closed(void *owner)
{
    ((struct side *)owner)->closes++;
}

static const struct link_events side_events = {
    .on_messages = on_messages, .on_end = on_end, .on_closed = on_closed};

static void open_sides(struct fixture *f, struct side *sides)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    for (unsigned i = 0; i < 2; i++) {
        const struct link_config config = {&f->loop, fds[i], &side_events, &sides[i]};
        sides[i] = (struct side){.link = NULL};
        assert_int_equal(link_create(&config, &sides[i].link), STATUS_OK);
    }
}

static void send_next(struct side *side)
{
    struct message message = {.kind = MESSAGE_ASK};

    message.ask.agency = side->sent++;
    if (message.ask.agency % EACH != 0) {
        assert_int_equal(link_send(side->link, &message), STATUS_OK);
        return;
    }
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, message.ask.agency), 0);
    assert_int_equal(link_send_fds(side->link, &message, &fd, 1), STATUS_OK);
}

/* Many messages through a socket that is often full: in order, each descriptor with its message;
 * what was sent before a close arrives, and then the end. */
static void test_two_links(void **state)
{
    struct fixture *f = *state;
    struct side sides[2];

    open_sides(f, sides);
    while (sides[0].sent < STREAM) {
        for (unsigned i = 0; i < 5000; i++)
            send_next(&sides[0]);
        link_flush(sides[0].link);
        loop_turn(&f->loop);
    }
    assert_true(link_backlog(sides[0].link) > 0);
    while (link_backlog(sides[0].link) > 0)
        loop_turn(&f->loop);
    link_close(sides[0].link);
    loop_until_count(&f->loop, &sides[1].ends, 1, "end");
    assert_int_equal(sides[1].status, STATUS_OK);
    assert_int_equal(sides[1].received, STREAM);
    assert_int_equal(sides[1].fds, (STREAM + EACH - 1) / EACH);
    loop_until_count(&f->loop, &sides[1].closes, 1, "close");
    assert_int_equal(sides[0].closes, 1);
    assert_int_equal(sides[0].ends, 0);
}

/* A link that ends within a message, or is closed with descriptors in its queue. */
static void test_link_is_cut(void **state)
{
    struct fixture *f = *state;
    struct side sides[2];
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    const struct link_config config = {&f->loop, fds[0], &side_events, &sides[0]};
    sides[0] = (struct side){.link = NULL};
    assert_int_equal(link_create(&config, &sides[0].link), STATUS_OK);
    assert_int_equal(send(fds[1], "x", 1, 0), 1);
    assert_int_equal(close(fds[1]), 0);
    loop_until_count(&f->loop, &sides[0].closes, 1, "close");
    assert_int_equal(sides[0].status, STATUS_OK);
    open_sides(f, sides);
    send_next(&sides[0]);
    link_close(sides[0].link);
    loop_until_count(&f->loop, &sides[1].closes, 1, "close");
    assert_int_equal(sides[1].received, 0);
    assert_int_equal(sides[1].status, STATUS_OK);
}

/* A write that fails although the other end is there ends the link for both. */
static void test_write_fails(void **state)
{
    const struct message message = {.kind = MESSAGE_ASK};
    struct fixture *f = *state;
    struct side sides[2];
    int no_fd = 1000;

    open_sides(f, sides);
    assert_int_equal(fcntl(no_fd, F_GETFD), -1);
    assert_int_equal(link_send(sides[0].link, &message), STATUS_OK);
    assert_int_equal(link_send_fds(sides[0].link, &message, &no_fd, 1), STATUS_OK);
    link_flush(sides[0].link);
    loop_until_count(&f->loop, &sides[0].closes, 1, "close");
    assert_int_equal(sides[0].status, STATUS_IO);
    loop_until_count(&f->loop, &sides[1].closes, 1, "close");
    assert_int_equal(sides[1].status, STATUS_OK);
    assert_int_equal(sides[1].received, 1);
}

/* How many descriptors this process has open. */
static unsigned open_fds(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Sends a message with `count` descriptors, as a link never would. */
static void send_with_fds(int socket, size_t count)
{
    enum { MAX = 100 };
    struct cmsghdr control[CMSG_SPACE(sizeof(int) * MAX) / sizeof(struct cmsghdr) + 1] = {{0}};
    struct message message = {.kind = MESSAGE_ASK};
    struct iovec bytes = {&message, sizeof(message)};
    struct msghdr header = {.msg_iov = &bytes,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = CMSG_SPACE(sizeof(int) * count)};

    assert_true(count <= MAX);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (size_t i = 0; i < count; i++)
        memcpy(CMSG_DATA(control) + i * sizeof(int), &socket, sizeof(int));
    assert_int_equal(sendmsg(socket, &header, 0), sizeof(message));
}

/* More descriptors than a message can have end the link, and none of them stays open. */
static void test_too_many_fds(void **state)
{
    static const size_t counts[] = {MESSAGE_FDS, MESSAGE_FDS + 1, MESSAGE_FDS + 2,
                                    MESSAGE_FDS + 20};
    struct fixture *f = *state;
    unsigned before = open_fds();

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        bool is_good = counts[i] <= MESSAGE_FDS;
        struct side side = {.link = NULL};
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
                         0);
        const struct link_config config = {&f->loop, fds[0], &side_events, &side};
        assert_int_equal(link_create(&config, &side.link), STATUS_OK);
        send_with_fds(fds[1], counts[i]);
        assert_int_equal(close(fds[1]), 0);
        loop_until_count(&f->loop, &side.closes, 1, "close");
        assert_int_equal(side.status, is_good ? STATUS_OK : STATUS_MALFORMED);
        assert_int_equal(side.received, is_good);
        assert_int_equal(open_fds(), before);
    }
}

/* ------------------------------------------------------------------ what an operator has done */

#define ORDERS 5
#define TEXT "two balls of the drum, and what the notary has read out aloud: 7 and 5"

/* Submits the operations of a run draw; their arguments need not outlive the calls. */
static void submit_orders(struct fixture *f, struct call *calls)
{
    char text[] = TEXT;
    struct draw_sealed sealed = {.time_s = 5};
    struct draw_drawn drawn = {.winner_number = 75, .uid = 9, .source = {text, strlen(text)}};
    struct draw_act act = {.time_s = 6, .uid = 9, .text = {text, 5}};

    for (unsigned i = 0; i < ORDERS; i++)
        prepare(f, &calls[i]);
    memset(sealed.root, 0xab, sizeof(sealed.root));
    ledger_client_close_draw(f->client, &calls[0].op, DRAW_BY_OPERATOR, 9);
    assert_int_equal(ledger_client_seal(f->client, &calls[1].op, &sealed, true), STATUS_OK);
    assert_int_equal(ledger_client_draw(f->client, &calls[2].op, &drawn, true), STATUS_OK);
    assert_int_equal(ledger_client_act(f->client, &calls[3].op, &act, true), STATUS_OK);
    assert_int_equal(ledger_client_result(f->client, &calls[4].op, false), STATUS_OK);
    memset(text, 'x', sizeof(text));
}

/* Receives the pieces and the message of order `i`, up to `limit` messages. False: the limit came
 * first. */
static bool check_order(struct fixture *f, unsigned i, bool is_again, unsigned *limit)
{
    static const size_t sizes[ORDERS] = {0, 0, sizeof(TEXT) - 1, 5, 0};
    struct message_pieces pieces = {0};
    struct message message;

    for (;;) {
        if (*limit == 0)
            return false;
        --*limit;
        message = receive(f);
        assert_true(message_is_request(&message, 0));
        if (message.kind != MESSAGE_PIECE)
            break;
        assert_true(message_pieces_add(&pieces, &message.piece));
    }
    assert_int_equal(pieces.size, sizes[i]);
    assert_memory_equal(pieces.bytes, TEXT, sizes[i]);
    switch (i) {
    case 0:
        assert_int_equal(message.kind, MESSAGE_CLOSE_DRAW);
        assert_int_equal(message.close.by, DRAW_BY_OPERATOR);
        assert_int_equal(message.close.uid, 9);
        assert_int_equal(message.close.is_again, is_again);
        break;
    case 1:
        assert_int_equal(message.kind, MESSAGE_SEAL);
        assert_int_equal(message.seal.time_s, 5);
        assert_int_equal(message.seal.root[31], 0xab);
        assert_int_equal(message.seal.is_new, 1);
        break;
    case 2:
        assert_int_equal(message.kind, MESSAGE_DRAW);
        assert_int_equal(message.draw.winner_number, 75);
        assert_int_equal(message.draw.uid, 9);
        assert_int_equal(message.draw.is_new, 1);
        break;
    case 3:
        assert_int_equal(message.kind, MESSAGE_ACT);
        assert_int_equal(message.act.time_s, 6);
        assert_int_equal(message.act.uid, 9);
        assert_int_equal(message.act.is_again, is_again);
        assert_int_equal(message.act.is_minor, 1);
        break;
    default:
        assert_int_equal(message.kind, MESSAGE_RESULT);
        assert_int_equal(message.is_new, 0);
        break;
    }
    return true;
}

/* The link is lost after each message, also between the pieces of a text: the next one gets all
 * that has no outcome, whole, and is told what it may know already. */
static void test_orders_again(void **state)
{
    enum { MESSAGES = ORDERS + 2 + 1 }; /* with the pieces of both texts */
    struct fixture *f = *state;
    struct call calls[ORDERS];

    start(f, NULL);
    for (unsigned reads = 0; reads <= MESSAGES; reads++) {
        unsigned limit = reads;
        unsigned all = MESSAGES;
        unsigned answered = 0;
        done_count = 0;
        greet(f, false);
        submit_orders(f, calls);
        for (unsigned i = 0; i < ORDERS && check_order(f, i, false, &limit); i++) {
            if (i == 0)
                answer(f, STATUS_OK, answered++);
        }
        assert_int_equal(limit, 0);
        loop_until_count(&f->loop, &done_count, answered, "outcome of the closing");
        hang_up(f);
        greet(f, false);
        for (unsigned i = answered; i < ORDERS; i++)
            assert_true(check_order(f, i, true, &all));
        for (unsigned i = answered; i < ORDERS; i++)
            answer(f, STATUS_CLOSED, i);
        loop_until_count(&f->loop, &done_count, ORDERS, "outcomes");
        assert_int_equal(calls[0].op.status, answered > 0 ? STATUS_OK : STATUS_CLOSED);
        assert_int_equal(calls[ORDERS - 1].op.status, STATUS_CLOSED);
        assert_int_equal(ledger_backlog(f->ledger), 0);
        hang_up(f);
    }
    submit_orders(f, calls); /* they end with the client, and leave nothing on the heap */
    done_count = 0;
    ledger_client_close(f->client);
    f->client = NULL;
    assert_int_equal(done_count, ORDERS);
    assert_int_equal(calls[2].op.status, STATUS_STOPPED);
}

/* No memory for what is to be said: nothing was submitted. */
static void test_orders_need_memory(void **state)
{
    const struct draw_act act = {.time_s = 6, .uid = 9, .text = {"close", 5}};
    struct fixture *f = *state;
    struct call call;

    start(f, NULL);
    prepare(f, &call);
    alloc_fault_after(0);
    assert_int_equal(ledger_client_act(f->client, &call.op, &act, false), STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_int_equal(ledger_backlog(f->ledger), 0);
}

/* The news of a run draw, in pieces; a lost link leaves nothing of those that it had brought. */
static void test_news_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct ledger_news news = {.phase = DRAW_DRAWN,
                               .agencies = 4,
                               .terms = {.mode = DRAW_MANUAL, .has_seal = true, .id = "second"},
                               .is_sealed = true,
                               .drawn = {.winner_number = 75, .uid = 9, .source = {"drum", 4}}};
    struct message_news_more more;
    struct message messages[20];
    size_t count = 0;

    message_from_news_more(&news, &more);
    for (size_t at = 0; at < sizeof(more); count++)
        at += message_from_piece((const char *)&more + at, sizeof(more) - at, &messages[count]);
    message_from_news(&news, &messages[count++]);
    start(f, NULL);
    for (size_t cut = 0; cut < count; cut++) {
        greet(f, false);
        send_bytes(f, messages, cut * MESSAGE_SIZE);
        for (unsigned i = 0; i < 3; i++)
            loop_turn(&f->loop);
        assert_int_equal(f->news, 0);
        hang_up(f);
    }
    greet(f, false);
    send_bytes(f, messages, count * MESSAGE_SIZE);
    loop_until_count(&f->loop, &f->news, 1, "news");
    const struct ledger_news *got = ledger_news(f->ledger);
    assert_string_equal(got->terms.id, "second");
    assert_true(got->is_sealed);
    assert_int_equal(got->drawn.uid, 9);
    assert_int_equal(got->drawn.source.size, 4);
    assert_memory_equal(got->drawn.source.data, "drum", 4);
    assert_ptr_equal(got->drawn.source.data, got->source);
    news.phase = DRAW_OPEN; /* without more: of a draw that nobody runs */
    message_from_news(&news, &messages[0]);
    send_bytes(f, messages, MESSAGE_SIZE);
    loop_until_count(&f->loop, &f->news, 2, "news");
    assert_string_equal(got->terms.id, "");

    /* Too few or too many pieces, or such that make no sense: the link is closed. */
    for (unsigned i = 0; i < 3; i++) {
        if (i == 2)
            memset(&more.terms.id, 'x', sizeof(more.terms.id)); /* no end */
        count = 0;
        for (size_t at = 0; at < sizeof(more); count++)
            at += message_from_piece((const char *)&more + at, sizeof(more) - at, &messages[count]);
        if (i == 1)
            messages[count++] = messages[0];
        message_from_news(&news, &messages[count]);
        send_bytes(f, messages + (i == 0), (count + (i != 0)) * MESSAGE_SIZE);
        int old = f->raw;
        loop_until(&f->loop, has_link, f, "next link");
        assert_int_equal(close(old), 0);
        struct receiving receiving = {.f = f};
        loop_until(&f->loop, has_received, &receiving, "HELLO");
        assert_int_equal(f->news, 2);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_dies_anywhere),      CASE(test_region_is_full),
        CASE(test_in_flight),          CASE(test_nonsense),
        CASE(test_in_pieces),          CASE(test_within_done),
        CASE(test_files_are_lost),     CASE(test_snapshot_is_lost),
        CASE(test_nobody_listens),     CASE(test_two_links),
        CASE(test_link_is_cut),        CASE(test_too_many_fds),
        CASE(test_write_fails),        CASE(test_old_link_is_read_later),
        CASE(test_no_descriptors),     CASE(test_orders_again),
        CASE(test_orders_need_memory), CASE(test_news_in_pieces),
    };

    log_set_level(LOG_CRITICAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
