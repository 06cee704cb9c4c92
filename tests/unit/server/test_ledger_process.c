/* The ledger's process and its clients: the process is a fork of the test, its store lies in shared
 * memory, and the test is the supervisor. */
#include "cmocka_all.h"
#include "fake_store.h"
#include "ledger_client.h"
#include "ledger_process.h"
#include "log.h"
#include "loop.h"
#include "message.h"
#include "prng.h"
#include "region.h"
#include "stop_signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AGENCIES 3
#define NUMBER 7574
#define BATCHES 300 /* of each agency, in the test with kills */

/* What the two processes share. */
struct shared {
    struct fake_store store;
    bool waits_in_recovery; /* until the recovery is told to stop */
    bool refuses;           /* the recovery fails */
    bool has_no_fds;        /* the ledger can open nothing */
};

struct client {
    struct ledger_client *client;
    unsigned news;
    unsigned batches; /* how often on_batch(true) was called */
    int depth;        /* of on_batch */
};

struct fixture {
    uv_loop_t loop;
    struct shared *shared;
    int listener;
    struct sockaddr_un address;
    socklen_t address_size;
    int control[2]; /* the supervisor's end, and the ledger's */
    pid_t pid;      /* of the ledger; 0: does not run */
    bool acknowledges;
    struct ledger_tells tells[16]; /* what the ledger has told */
    unsigned tells_count;
    struct client clients[2];
    struct draw_terms terms; /* of the ledger's settings */
};

static enum status open_store(void *context, struct draw *draw, bool (*must_stop)(void),
                              struct store **out, struct errbuf *err)
{
    struct shared *shared = context;

    if (shared->refuses) {
        errbuf_set(err, "damaged");
        return STATUS_DAMAGED;
    }
    while (shared->waits_in_recovery) {
        if (must_stop())
            return STATUS_STOPPED;
    }
    *out = fake_store_open(&shared->store, draw);
    return STATUS_OK;
}

static void start_ledger_with(struct fixture *f, uint32_t agencies, uint32_t number)
{
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid > 0)
        return;
    if (f->shared->has_no_fds)
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0}), 0);
    const struct ledger_config config = {.listen_fd = f->listener,
                                         .control_fd = f->control[1],
                                         .agencies = agencies,
                                         .winner_number = number,
                                         .terms = f->terms,
                                         .open_store = open_store,
                                         .context = f->shared};
    _exit(ledger_run(&config));
}

static void start_ledger(struct fixture *f)
{
    start_ledger_with(f, AGENCIES, NUMBER);
}

/* Waits for the ledger's end and returns its exit status, or 128 + the signal that killed it. */
static int ledger_ends(struct fixture *f)
{
    int status = 0;

    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    f->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int stop_ledger(struct fixture *f, int number)
{
    assert_int_equal(kill(f->pid, number), 0);
    return ledger_ends(f);
}

static void supervise(struct fixture *f)
{
    struct ledger_tells tells;

    while (recv(f->control[0], &tells, sizeof(tells), MSG_DONTWAIT) == (ssize_t)sizeof(tells)) {
        if (f->tells_count < 16)
            f->tells[f->tells_count++] = tells;
        if (f->acknowledges && tells.phase == DRAW_DRAWN)
            assert_int_equal(send(f->control[0], &tells, sizeof(tells), 0), sizeof(tells));
    }
}

static void on_news(void *owner)
{
    ((struct client *)owner)->news++;
}

static void on_batch(void *owner, bool begins)
{
    struct client *client = owner;

    client->depth += begins ? 1 : -1;
    assert_true(client->depth == begins);
    client->batches += begins;
}

static struct ledger *start_client(struct fixture *f, unsigned i)
{
    struct errbuf err;

    assert_int_equal(
        ledger_client_create(&(struct ledger_client_config){.loop = &f->loop,
                                                            .address = &f->address,
                                                            .address_size = f->address_size,
                                                            .encoding = &fake_store_encoding,
                                                            .on_news = on_news,
                                                            .on_batch = on_batch,
                                                            .owner = &f->clients[i]},
                             &f->clients[i].client, &err),
        STATUS_OK);
    return ledger_client_base(f->clients[i].client);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    stop_signals_block();
    loop_begin(&f->loop);
    f->shared =
        mmap(NULL, sizeof(*f->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(f->shared != MAP_FAILED);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->control), 0);
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    f->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    assert_int_equal(bind(f->listener, (struct sockaddr *)&f->address, sizeof(sa_family_t)), 0);
    assert_int_equal(listen(f->listener, 64), 0);
    f->address_size = sizeof(f->address);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&f->address, &f->address_size), 0);
    f->acknowledges = true;
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2; i++) {
        if (f->clients[i].client != NULL)
            ledger_client_close(f->clients[i].client);
    }
    if (f->pid > 0)
        assert_int_equal(stop_ledger(f, SIGTERM), 0);
    loop_end(&f->loop);
    (void)close(f->listener);
    (void)close(f->control[0]);
    (void)close(f->control[1]);
    assert_int_equal(munmap(f->shared, sizeof(*f->shared)), 0);
    free(f);
    return 0;
}

/* ------------------------------------------------------------------ operations */

struct call {
    struct ledger_op op;
    bool is_done;
};

static void on_done(struct ledger_op *op)
{
    ((struct call *)(void *)op)->is_done = true;
}

/* The condition of wait_for(). */
struct wait {
    struct fixture *f;
    const bool *flag;
    const unsigned *counter;
    unsigned min;
};

static bool has_come(void *context)
{
    const struct wait *wait = context;

    supervise(wait->f);
    return wait->flag != NULL ? *wait->flag : *wait->counter >= wait->min;
}

static void wait_for(struct fixture *f, const bool *flag)
{
    struct wait wait = {.f = f, .flag = flag};

    loop_until(&f->loop, has_come, &wait, "outcome");
}

static void wait_count(struct fixture *f, const unsigned *counter, unsigned min, const char *what)
{
    struct wait wait = {.f = f, .counter = counter, .min = min};

    loop_until(&f->loop, has_come, &wait, what);
}

static enum status append(struct fixture *f, struct ledger *ledger, struct call *call,
                          uint32_t agency, uint64_t offset, uint32_t count)
{
    struct bet bets[64];
    char documents[64][17];

    for (uint32_t i = 0; i < count; i++) {
        int size =
            snprintf(documents[i], sizeof(documents[i]), "%uD%u", agency, (unsigned)(offset + i));
        bets[i] = (struct bet){.document = {documents[i], (size_t)size}};
    }
    *call = (struct call){.op.done = on_done};
    assert_int_equal(ledger_append(ledger, &call->op, agency, offset, bets, count), STATUS_OK);
    if (f != NULL)
        wait_for(f, &call->is_done);
    return call->op.status;
}

static enum status finish(struct fixture *f, struct ledger *ledger, struct call *call,
                          uint32_t agency, uint64_t total)
{
    *call = (struct call){.op.done = on_done};
    ledger_finish(ledger, &call->op, agency, total);
    wait_for(f, &call->is_done);
    return call->op.status;
}

/* Every committed bet lies where it belongs, once. Returns how many there are. */
static unsigned check_bets(const struct fixture *f)
{
    uint64_t received[AGENCIES + 1] = {0};
    const struct fake_store *store = &f->shared->store;
    unsigned bets = 0;

    for (size_t i = 0; i < store->committed; i++) {
        const struct draw_record *record = &store->records[i];
        const char *at = store->bets + store->bets_at[i];
        char expected[24];
        if (record->type != DRAW_BETS)
            continue;
        assert_int_equal(record->bets.offset, received[record->bets.agency]);
        for (uint32_t j = 0; j < record->bets.count; j++) {
            int size = snprintf(expected, sizeof(expected), "%uD%u\n", record->bets.agency,
                                (unsigned)(record->bets.offset + j));
            assert_memory_equal(at, expected, (size_t)size);
            at += size;
        }
        assert_int_equal(at - store->bets, store->bets_at[i] + store->bets_size[i]);
        received[record->bets.agency] += record->bets.count;
        bets += record->bets.count;
    }
    return bets;
}

/* ------------------------------------------------------------------ the tests */

/* Batches, questions and the end of an agency, from two clients; the news reach both. */
static void test_operations(void **state)
{
    struct fixture *f = *state;
    struct call call;

    start_ledger(f);
    struct ledger *first = start_client(f, 0);
    struct ledger *second = start_client(f, 1);
    wait_count(f, &f->tells_count, 1, "READY");
    assert_int_equal(f->tells[0].kind, LEDGER_TELLS_READY);
    assert_int_equal(f->tells[0].phase, DRAW_OPEN);
    assert_int_equal(append(f, first, &call, 1, 0, 10), STATUS_OK);
    assert_int_equal(call.op.received, 10);
    assert_int_equal(call.op.stored, 10);
    assert_int_equal(append(f, second, &call, 1, 5, 10), STATUS_OK);
    assert_int_equal(call.op.received, 15);
    assert_int_equal(call.op.stored, 5);
    assert_int_equal(append(f, first, &call, 1, 16, 1), STATUS_GAP);
    assert_int_equal(call.op.received, 15);
    assert_int_equal(append(f, first, &call, AGENCIES + 1, 0, 1), STATUS_UNKNOWN_AGENCY);
    call = (struct call){.op.done = on_done};
    ledger_ask(second, &call.op, 1, 0);
    assert_true(ledger_backlog(second) > 0);
    wait_for(f, &call.is_done);
    assert_int_equal(call.op.received, 15);
    assert_int_equal(ledger_backlog(second), 0);
    assert_int_equal(finish(f, second, &call, 1, 14), STATUS_INCOMPLETE);
    assert_int_equal(finish(f, second, &call, 1, 15), STATUS_OK);
    wait_count(f, &f->clients[0].news, 2, "news");
    assert_int_equal(ledger_news(first)->finished, 1);
    assert_int_equal(ledger_news(first)->agencies, AGENCIES);
    assert_int_equal(ledger_news(first)->phase, DRAW_OPEN);
    assert_int_equal(append(f, first, &call, 1, 15, 1), STATUS_CLOSED);
    assert_int_equal(check_bets(f), 15);
}

/* The ledger ends with 0 on a signal, also while it recovers, and has closed its store. */
static void test_stop(void **state)
{
    struct fixture *f = *state;

    start_ledger(f);
    wait_count(f, &f->tells_count, 1, "READY");
    assert_true(f->shared->store.is_open);
    assert_int_equal(stop_ledger(f, SIGTERM), 0);
    assert_false(f->shared->store.is_open);
    f->shared->waits_in_recovery = true;
    start_ledger(f);
    assert_int_equal(stop_ledger(f, SIGINT), 0);
    assert_int_equal(f->tells_count, 1);
}

/* With links open it goes on for a while, so that others can end in order, and ends with the last.
 */
static void test_stop_waits_for_links(void **state)
{
    struct fixture *f = *state;
    struct call call;

    start_ledger(f);
    struct ledger *ledger = start_client(f, 0);
    wait_count(f, &f->clients[0].news, 1, "news");
    assert_int_equal(kill(f->pid, SIGTERM), 0);
    assert_int_equal(append(f, ledger, &call, 1, 0, 1), STATUS_OK);
    ledger_client_close(f->clients[0].client);
    f->clients[0].client = NULL;
    loop_turn(&f->loop);
    assert_int_equal(ledger_ends(f), 0);
    assert_int_equal(check_bets(f), 1);
}

/* A recovery that fails, settings that contradict the draw: the supervisor is told why. */
static void test_no_start(void **state)
{
    struct fixture *f = *state;

    f->shared->refuses = true;
    start_ledger(f);
    assert_int_equal(ledger_ends(f), LEDGER_EXIT_NO_START);
    supervise(f);
    assert_int_equal(f->tells[0].kind, LEDGER_TELLS_REASON);
    assert_string_equal(f->tells[0].text.text, "damaged");
    f->shared->refuses = false;
    start_ledger(f);
    wait_count(f, &f->tells_count, 2, "READY");
    assert_int_equal(stop_ledger(f, SIGKILL), 128 + SIGKILL);
    start_ledger_with(f, AGENCIES, NUMBER + 1);
    assert_int_equal(ledger_ends(f), LEDGER_EXIT_NO_START);
    supervise(f);
    assert_string_equal(f->tells[2].text.text,
                        "LOTTERY_WINNER_NUMBER is 7575, but this draw was opened with 7574: set it "
                        "back, or choose another data directory");
}

/* A ledger that cannot have its loop is not ready, although it could recover. */
static void test_no_loop(void **state)
{
    struct fixture *f = *state;

    f->shared->has_no_fds = true;
    start_ledger(f);
    assert_int_equal(ledger_ends(f), LEDGER_EXIT_NO_START);
    supervise(f);
    assert_int_equal(f->tells_count, 1);
    assert_int_equal(f->tells[0].kind, LEDGER_TELLS_REASON);
    assert_string_equal(f->tells[0].text.text, "cannot create the event loop");
}

/* A sync that fails ends the process; the operation is handed in again to the next one. */
static void test_uncertain(void **state)
{
    static const enum status statuses[] = {STATUS_UNCERTAIN, STATUS_GONE};
    static const int exits[] = {LEDGER_EXIT_UNCERTAIN, LEDGER_EXIT_GONE};
    struct fixture *f = *state;
    struct call call;

    for (unsigned i = 0; i < 2; i++) {
        unsigned told = f->tells_count;
        start_ledger(f);
        struct ledger *ledger =
            i == 0 ? start_client(f, 0) : ledger_client_base(f->clients[0].client);
        wait_count(f, &f->clients[0].news, i == 0 ? 1 : 2, "news");
        f->shared->store.commit = (struct fake_fault){statuses[i], 0};
        assert_int_equal(append(NULL, ledger, &call, 1, i, 1), STATUS_OK);
        wait_count(f, &f->tells_count, told + 2, "REASON");
        assert_int_equal(f->tells[told + 1].kind, LEDGER_TELLS_REASON);
        assert_int_equal(ledger_ends(f), exits[i]);
        assert_false(call.is_done);
        start_ledger(f);
        wait_for(f, &call.is_done);
        assert_int_equal(call.op.status, STATUS_OK);
        assert_int_equal(check_bets(f), i + 1);
        if (i == 0)
            assert_int_equal(stop_ledger(f, SIGKILL), 128 + SIGKILL);
    }
}

/* The whole way to the winners, with the supervisor's acknowledgement before the last news. */
static void test_draw(void **state)
{
    struct fixture *f = *state;
    struct call call;
    int fds[3];

    f->acknowledges = false;
    start_ledger(f);
    struct ledger *ledger = start_client(f, 0);
    assert_int_equal(append(f, ledger, &call, 2, 0, 7), STATUS_OK);
    call = (struct call){.op.done = on_done};
    ledger_client_close_draw(f->clients[0].client, &call.op, DRAW_BY_ALL_FINISHED, 0);
    wait_for(f, &call.is_done);
    assert_int_equal(call.op.status, STATUS_INVALID);
    for (uint32_t agency = 1; agency <= AGENCIES; agency++)
        assert_int_equal(finish(f, ledger, &call, agency, agency == 2 ? 7 : 0), STATUS_OK);
    call = (struct call){.op.done = on_done};
    ledger_client_close_draw(f->clients[0].client, &call.op, DRAW_BY_ALL_FINISHED, 0);
    wait_for(f, &call.is_done);
    assert_int_equal(call.op.status, STATUS_OK);
    wait_count(f, &f->clients[0].news, 1 + AGENCIES + 1, "news of the closing");
    assert_int_equal(ledger_news(ledger)->phase, DRAW_CLOSED);
    assert_int_equal(ledger_news(ledger)->bets, 7);

    struct draw_drawn drawn = {.time_s = 5, .winner_number = NUMBER, .winners = 3};
    call = (struct call){.op.done = on_done};
    ledger_client_open_files(f->clients[0].client, &call.op, STORE_WINNERS, 3);
    wait_for(f, &call.is_done);
    assert_int_equal(call.op.status, STATUS_OK);
    (void)fds; /* not taken: they are closed */
    call = (struct call){.op.done = on_done};
    assert_int_equal(ledger_client_draw(f->clients[0].client, &call.op, &drawn, true), STATUS_OK);
    wait_for(f, &call.is_done);
    assert_int_equal(call.op.status, STATUS_OK);
    wait_count(f, &f->tells_count, 2, "DRAWN");
    assert_int_equal(f->tells[1].kind, LEDGER_TELLS_DRAWN);
    assert_int_equal(f->tells[1].winners, 3);
    assert_int_equal(f->shared->store.publishes, 1);
    unsigned news = f->clients[0].news;
    assert_false(ledger_news(ledger)->has_winners);
    assert_int_equal(send(f->control[0], &f->tells[1], sizeof(f->tells[1]), 0),
                     sizeof(f->tells[1]));
    wait_count(f, &f->clients[0].news, news + 1, "news of the winners");
    assert_true(ledger_news(ledger)->has_winners);
    assert_int_equal(ledger_news(ledger)->drawn.winners, 3);

    /* The next ledger says that the draw was held; the files have to be looked at again. */
    f->acknowledges = true;
    assert_int_equal(stop_ledger(f, SIGKILL), 128 + SIGKILL);
    start_ledger(f);
    wait_count(f, &f->clients[0].news, news + 2, "news on the new link");
    assert_int_equal(ledger_news(ledger)->phase, DRAW_DRAWN);
    assert_false(ledger_news(ledger)->has_winners);
    assert_int_equal(f->tells[2].kind, LEDGER_TELLS_READY);
    assert_int_equal(f->tells[2].winners, 3);
    call = (struct call){.op.done = on_done};
    assert_int_equal(ledger_client_draw(f->clients[0].client, &call.op, &drawn, false), STATUS_OK);
    wait_for(f, &call.is_done);
    assert_int_equal(call.op.status, STATUS_OK);
    wait_count(f, &f->clients[0].news, news + 3, "news of the winners");
    assert_true(ledger_news(ledger)->has_winners);
}

/* The descriptors of new files arrive, as many as were asked for, and are what the store opened. */
static int taken[LEDGER_FDS_MAX];
static struct ledger_client *taking_client;

static void on_files(struct ledger_op *op)
{
    if (op->status == STATUS_OK)
        ledger_client_take_fds(taking_client, taken, op->count);
    on_done(op);
}

static void test_descriptors(void **state)
{
    static const size_t counts[] = {2, LEDGER_FDS_MAX, 2};
    struct fixture *f = *state;
    struct call call;
    struct call behind;

    start_ledger(f);
    struct ledger *ledger = start_client(f, 0);
    for (uint32_t agency = 1; agency <= AGENCIES; agency++)
        assert_int_equal(finish(f, ledger, &call, agency, 0), STATUS_OK);
    call = (struct call){.op.done = on_done};
    ledger_client_close_draw(f->clients[0].client, &call.op, DRAW_BY_ALL_FINISHED, 0);
    wait_for(f, &call.is_done);
    taking_client = f->clients[0].client;
    for (size_t i = 0; i < 3; i++) {
        call = (struct call){.op.done = on_files};
        behind = (struct call){.op.done = on_done};
        ledger_client_open_files(f->clients[0].client, &call.op, STORE_WINNERS, counts[i]);
        ledger_ask(ledger, &behind.op, 1, 0);
        wait_for(f, &behind.is_done);
        assert_true(call.is_done);
        assert_int_equal(call.op.status, STATUS_OK);
        for (size_t j = 0; j < counts[i]; j++) {
            assert_int_equal(write(taken[j], "x", 1), 1);
            assert_int_equal(fcntl(taken[j], F_GETFD), FD_CLOEXEC);
            assert_int_equal(close(taken[j]), 0);
        }
    }
}

/* A snapshot arrives as a file that has it, from its beginning. */
static void test_snapshot_file(void **state)
{
    struct fixture *f = *state;
    struct call call;
    char text[64] = {0};

    start_ledger(f);
    struct ledger *ledger = start_client(f, 0);
    assert_int_equal(append(f, ledger, &call, 2, 0, 7), STATUS_OK);
    taking_client = f->clients[0].client;
    for (unsigned i = 0; i < 2; i++) {
        call = (struct call){.op.done = on_files};
        ledger_client_snapshot(f->clients[0].client, &call.op);
        wait_for(f, &call.is_done);
        assert_int_equal(call.op.status, STATUS_OK);
        assert_int_equal(fcntl(taken[0], F_GETFD), FD_CLOEXEC);
        assert_true(read(taken[0], text, sizeof(text) - 1) > 0);
        assert_string_equal(text, "records: 2");
        assert_int_equal(close(taken[0]), 0);
        /* The next ledger may be asked, too. */
        assert_int_equal(stop_ledger(f, SIGKILL), 128 + SIGKILL);
        start_ledger(f);
    }
}

/* What the test with kills keeps in flight of an agency. */
struct stream_of_bets {
    struct ledger_op op; /* first */
    struct fixture *f;
    struct ledger *ledger;
    uint32_t agency;
    uint32_t count; /* of the batch in flight */
    unsigned batches;
    uint64_t offset;
};

static unsigned batches_done;

static void send_batch(struct stream_of_bets *stream);

static void on_batch_done(struct ledger_op *op)
{
    struct stream_of_bets *stream = (struct stream_of_bets *)(void *)op;

    assert_int_equal(op->status, STATUS_OK);
    assert_int_equal(op->received, stream->offset + stream->count);
    stream->offset = op->received;
    batches_done++;
    if (++stream->batches < BATCHES)
        send_batch(stream);
}

static void send_batch(struct stream_of_bets *stream)
{
    struct bet bets[8];
    char documents[8][17];

    stream->count = 1 + stream->batches % 8;
    for (uint32_t i = 0; i < stream->count; i++) {
        int size = snprintf(documents[i], sizeof(documents[i]), "%uD%u", stream->agency,
                            (unsigned)(stream->offset + i));
        bets[i] = (struct bet){.document = {documents[i], (size_t)size}};
    }
    stream->op.done = on_batch_done;
    assert_int_equal(ledger_append(stream->ledger, &stream->op, stream->agency, stream->offset,
                                   bets, stream->count),
                     STATUS_OK);
}

/* The ledger is killed again and again while two clients send: each batch ends with OK, and each
 * bet is stored once. */
static void test_kills(void **state)
{
    struct fixture *f = *state;
    struct stream_of_bets streams[AGENCIES];
    struct prng prng = {42};
    unsigned kills = 0;
    uint64_t total = 0;

    start_ledger(f);
    batches_done = 0;
    for (uint32_t i = 0; i < AGENCIES; i++) {
        struct ledger *ledger = i < 2 ? start_client(f, i) : streams[0].ledger;
        streams[i] = (struct stream_of_bets){.f = f, .ledger = ledger, .agency = i + 1};
        send_batch(&streams[i]);
    }
    while (batches_done < AGENCIES * BATCHES) {
        unsigned goal = batches_done + prng_below(&prng, 20);
        wait_count(f, &batches_done, goal < AGENCIES * BATCHES ? goal : AGENCIES * BATCHES,
                   "batches");
        /* Then at any moment. */
        for (uint32_t turns = prng_below(&prng, 10); turns > 0; turns--)
            (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        assert_int_equal(stop_ledger(f, SIGKILL), 128 + SIGKILL);
        kills++;
        start_ledger(f);
    }
    for (uint32_t i = 0; i < AGENCIES; i++)
        total += streams[i].offset;
    assert_int_equal(check_bets(f), total);
    assert_true(kills > 20);
}

/* Whoever breaks the rules loses its link; the others keep theirs. */
static void test_bad_peer(void **state)
{
    static const struct message bad[] = {
        {.kind = 0},
        {.kind = MESSAGE_ASK}, /* before HELLO */
        {.kind = MESSAGE_OUTCOME},
        {.kind = MESSAGE_HELLO, .region_size = 4096}, /* without a region */
        {.kind = MESSAGE_HELLO, .region_size = UINT64_MAX},
    };
    struct fixture *f = *state;
    struct call call;
    char byte;

    start_ledger(f);
    struct ledger *ledger = start_client(f, 0);
    assert_int_equal(append(f, ledger, &call, 1, 0, 1), STATUS_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&f->address, f->address_size), 0);
        assert_int_equal(send(fd, &bad[i], sizeof(bad[i]), MSG_NOSIGNAL), sizeof(bad[i]));
        assert_int_equal(recv(fd, &byte, 1, 0), 0);
        assert_int_equal(close(fd), 0);
    }
    assert_int_equal(append(f, ledger, &call, 1, 1, 1), STATUS_OK);
    assert_int_equal(f->clients[0].news, 1);
}

/* A client of the test's own: a blocking socket, and a region full of bets of 16 bytes. */
struct raw_peer {
    int fd;
    struct region region;
};

static void raw_receive(const struct raw_peer *peer, uint32_t kind, struct message *message)
{
    assert_int_equal(recv(peer->fd, message, sizeof(*message), MSG_WAITALL), sizeof(*message));
    assert_int_equal(message->kind, kind);
}

static void raw_send(const struct raw_peer *peer, const struct message *message)
{
    assert_int_equal(send(peer->fd, message, sizeof(*message), MSG_NOSIGNAL), sizeof(*message));
}

/* Connects, and waits for the first news. */
static void raw_open(const struct fixture *f, struct raw_peer *peer, size_t size)
{
    const struct timeval patience = {.tv_sec = 20};
    struct errbuf err;
    struct message message = {.kind = MESSAGE_HELLO, .region_size = size};
    struct iovec bytes = {&message, sizeof(message)};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    const struct msghdr header = {.msg_iov = &bytes,
                                  .msg_iovlen = 1,
                                  .msg_control = &control,
                                  .msg_controllen = sizeof(control.space)};

    assert_int_equal(region_create(size, &peer->region, &err), STATUS_OK);
    for (size_t at = 0; at < size; at += 16)
        memcpy(peer->region.memory + at, "BBBBBBBBBBBBBBB\n", 16);
    memcpy(CMSG_DATA(&control.header), &peer->region.fd, sizeof(int));
    peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(peer->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(connect(peer->fd, (const struct sockaddr *)&f->address, f->address_size), 0);
    assert_int_equal(sendmsg(peer->fd, &header, MSG_NOSIGNAL), sizeof(message));
    raw_receive(peer, MESSAGE_NEWS, &message);
}

static void raw_close(struct raw_peer *peer)
{
    assert_int_equal(close(peer->fd), 0);
    region_fini(&peer->region);
}

static struct message raw_append(uint32_t agency, uint64_t offset, uint32_t count, size_t size)
{
    struct message message = {.kind = MESSAGE_APPEND};

    message.append = (struct message_append){
        .agency = agency, .offset = offset, .count = count, .size = (uint32_t)size};
    return message;
}

/* A full group is committed because of a message that breaks the rules, so that nothing is left to
 * commit: the outcomes of the others leave all the same. */
static void test_bad_message_after_full_group(void **state)
{
    enum { BETS = MESSAGE_REGION_MAX / 16 };
    struct fixture *f = *state;
    struct raw_peer good;
    struct raw_peer bad;
    struct message message;
    int status;

    start_ledger(f);
    raw_open(f, &good, MESSAGE_REGION_MAX);
    raw_open(f, &bad, 4096);
    message = (struct message){.kind = MESSAGE_ASK}; /* so that the good one is looked at first */
    raw_send(&good, &message);
    raw_receive(&good, MESSAGE_OUTCOME, &message);
    assert_int_equal(kill(f->pid, SIGSTOP), 0); /* to find all messages in one turn of its loop */
    assert_int_equal(waitpid(f->pid, &status, WUNTRACED), f->pid);
    for (uint32_t agency = 1; agency <= 2; agency++) {
        message = raw_append(agency, 0, BETS, MESSAGE_REGION_MAX);
        raw_send(&good, &message);
    }
    message = raw_append(1, BETS - 1, 2, 16); /* two bets, of which one is missing */
    raw_send(&bad, &message);
    assert_int_equal(kill(f->pid, SIGCONT), 0);
    for (unsigned i = 0; i < 2; i++) {
        raw_receive(&good, MESSAGE_OUTCOME, &message);
        assert_int_equal(message.outcome.status, STATUS_OK);
        assert_int_equal(message.outcome.received, BETS);
    }
    assert_int_equal(recv(bad.fd, &message, sizeof(message), 0), 0);
    raw_close(&good);
    raw_close(&bad);
}

/* After 200 ms without work the store is maintained as an idle one, once. */
static void test_idle(void **state)
{
    struct fixture *f = *state;
    struct call call;

    start_ledger(f);
    struct ledger *ledger = start_client(f, 0);
    assert_int_equal(append(f, ledger, &call, 1, 0, 1), STATUS_OK);
    wait_count(f, &f->shared->store.idles, 1, "idle work");
    assert_int_equal(append(f, ledger, &call, 1, 1, 1), STATUS_OK);
    wait_count(f, &f->shared->store.idles, 2, "idle work");
    assert_int_equal(f->shared->store.idles, 2);
}

/* The closing time comes while nobody does anything, and everybody is told; or while there is no
 * ledger, and the next one is ready when the draw is closed. */
static void test_deadline(void **state)
{
    struct fixture *f = *state;
    struct call call;

    for (unsigned round = 0; round < 2; round++) {
        bool is_away = round == 1;
        memset(&f->shared->store, 0, offsetof(struct fake_store, records));
        f->terms = (struct draw_terms){.mode = DRAW_MANUAL,
                                       .close_at_s = (uint64_t)time(NULL) + (is_away ? 2 : 1),
                                       .id = "first"};
        f->tells_count = 0;
        f->clients[0].news = 0;
        start_ledger(f);
        struct ledger *ledger = start_client(f, 0);
        wait_count(f, &f->clients[0].news, 1, "news");
        if (ledger_news(ledger)->phase == DRAW_OPEN && is_away) {
            assert_int_equal(stop_ledger(f, SIGKILL), 128 + SIGKILL);
            while ((uint64_t)time(NULL) < f->terms.close_at_s)
                loop_turn(&f->loop); /* the client tries to connect */
            supervise(f);
            f->tells_count = 0;
            start_ledger(f);
            wait_count(f, &f->tells_count, 1, "READY");
            assert_int_equal(f->tells[0].phase, DRAW_CLOSED);
        }
        while (ledger_news(ledger)->phase != DRAW_CLOSED)
            wait_count(f, &f->clients[0].news, f->clients[0].news + 1, "news of the closing");
        assert_int_equal(ledger_news(ledger)->closed.by, DRAW_BY_DEADLINE);
        assert_true(ledger_news(ledger)->closed.time_s >= f->terms.close_at_s);
        assert_true(ledger_news(ledger)->closed.time_s <= f->terms.close_at_s + 60);
        assert_int_equal(append(f, ledger, &call, 1, 0, 1), STATUS_CLOSED);
        ledger_client_close(f->clients[0].client);
        f->clients[0].client = NULL;
        assert_int_equal(stop_ledger(f, SIGTERM), 0);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_operations),
        CASE(test_stop),
        CASE(test_stop_waits_for_links),
        CASE(test_no_start),
        CASE(test_no_loop),
        CASE(test_uncertain),
        CASE(test_draw),
        CASE(test_descriptors),
        CASE(test_kills),
        CASE(test_snapshot_file),
        CASE(test_bad_peer),
        CASE(test_idle),
        CASE(test_bad_message_after_full_group),
        CASE(test_deadline),
    };

    log_set_level(LOG_CRITICAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
