/* Finding the winners with real processes, over the files of a real store.
 *
 * The file operations are the system's, with a gate: while it is closed, a process other than the
 * test's stops at an operation, until it is killed. No wait depends on time.
 */
#include "store_csv.h" /* before cmocka, which has a macro named skip */

#include "cmocka_all.h"
#include "crc32c.h"
#include "descriptors.h"
#include "log.h"
#include "loop.h"
#include "scan_job.h"
#include "tmpdir.h"
#include "winner_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WINNER 7574
#define AGENCIES 3
#define BATCH 500
#define BATCHES 160 /* makes some four MiB of bets */
#define WAITERS_MAX 64

/* The linker's --wrap gives these their names. */
pid_t __real_fork(void);
pid_t __wrap_fork(void);

static unsigned good_forks = UINT32_MAX; /* how many forks succeed; then one fails */

pid_t __wrap_fork(void)
{
    if (good_forks == 0) {
        good_forks = UINT32_MAX;
        errno = EAGAIN;
        return -1;
    }
    good_forks -= good_forks != UINT32_MAX;
    return __real_fork();
}

/* Shared with the processes. */
enum gate_op { GATE_OPEN, GATE_READ, GATE_SYNC };

struct gate {
    _Atomic int closed; /* an enum gate_op */
    _Atomic unsigned waiting;
    pid_t waiters[WAITERS_MAX];
};

static struct gate *gate;
static pid_t test_pid;

static void pass_gate(enum gate_op op)
{
    if (getpid() == test_pid || atomic_load(&gate->closed) != (int)op)
        return;
    gate->waiters[atomic_fetch_add(&gate->waiting, 1) % WAITERS_MAX] = getpid();
    for (;;)
        (void)pause();
}

static ssize_t gate_pread(int fd, void *bytes, size_t size, off_t offset)
{
    pass_gate(GATE_READ);
    return pread(fd, bytes, size, offset);
}

static int gate_fdatasync(int fd)
{
    pass_gate(GATE_SYNC);
    return fdatasync(fd);
}

struct fixture {
    uv_loop_t loop;
    char *path;
    struct file_ops ops;
    struct data_dir data_dir;
    struct store *store;
    struct draw draw;
    struct ledger_news news;
    struct scan_job job;
    char *winners; /* what winners.csv has to be */
    size_t winners_size;
    uint64_t winners_count;
    enum status open_status; /* of the op that opens files */
    struct ledger_op *op;    /* that waits for it, if `holds_op`; or NULL */
    bool removes_journal;    /* as soon as the files are open */
    bool holds_op;
    unsigned dones;
    enum status status;
    struct draw_drawn drawn;
    struct errbuf err;
    unsigned fds; /* that were open at the beginning */
};

static void open_files(void *owner, struct ledger_op *op, enum store_files files, size_t count)
{
    struct fixture *f = owner;

    assert_int_equal(files, STORE_WINNERS);
    assert_true(count >= 3);
    op->status = f->open_status;
    f->op = op;
    if (!f->holds_op)
        op->done(op);
}

static void take_files(void *owner, int *fds, size_t count)
{
    struct fixture *f = owner;

    assert_int_equal(store_open_files(f->store, STORE_WINNERS, fds, count, &f->err), STATUS_OK);
    if (f->removes_journal)
        assert_int_equal(unlinkat(f->data_dir.fd, "bets.journal", 0), 0);
}

static void on_done(void *owner, enum status status, const struct scan_outcome *outcome,
                    struct errbuf *err)
{
    struct fixture *f = owner;

    assert_int_equal(f->job.state, SCAN_JOB_IDLE);
    f->dones++;
    f->status = status;
    f->drawn = outcome->drawn;
    f->err = *err;
}

/* Records something that the draw accepts, durably. */
static void record(struct fixture *f, struct draw_record record, const void *bets, size_t size)
{
    struct draw_outcome outcome = draw_apply(&f->draw, &record);

    assert_int_equal(outcome.status, STATUS_OK);
    assert_true(outcome.is_recorded);
    assert_int_equal(store_append(f->store, &record, bets, size), STATUS_OK);
    if (record.type == DRAW_CLOSING)
        f->draw.closed.extent = record.closed.extent;
    assert_int_equal(store_commit(f->store, &f->err), STATUS_OK);
}

/* Adds a batch; every 50th bet wins. */
static void add_batch(struct fixture *f, unsigned index)
{
    static struct bet bets[BATCH];
    static char documents[BATCH][BET_DOCUMENT_MAX + 1];
    char *lines = malloc(BATCH * store_csv_encoding.bet_max);
    uint32_t agency = index % AGENCIES + 1;

    assert_non_null(lines);
    for (unsigned i = 0; i < BATCH; i++) {
        (void)snprintf(documents[i], sizeof(documents[i]), "%uD%u", index, i);
        bets[i] = (struct bet){text_of(i % 7 == 0 ? "Ana, \"Nita\"" : "Santiago Lionel"),
                               text_of("Lorca"), text_of(documents[i]), text_of("1999-03-17"),
                               i % 50 == 0 ? WINNER : i};
        if (i % 50 != 0)
            continue;
        f->winners_size +=
            (size_t)sprintf(f->winners + f->winners_size, "%u,%s\r\n", agency, documents[i]);
        f->winners_count++;
    }
    size_t size = store_csv_encoding.encode(agency, bets, BATCH, lines);
    record(
        f,
        (struct draw_record){
            .type = DRAW_BETS,
            .bets = {.agency = agency, .count = BATCH, .offset = draw_received(&f->draw, agency)}},
        lines, size);
    free(lines);
}

static void make_folder(struct fixture *f, unsigned batches, bool is_closed)
{
    struct store_csv_report report;

    assert_int_equal(data_dir_open(f->path, &f->ops, &f->data_dir, &f->err), STATUS_OK);
    const struct store_csv_config config = {
        .data_dir = &f->data_dir, .opened = {.agencies = AGENCIES, .winner_number = WINNER}};
    draw_init(&f->draw);
    assert_int_equal(store_csv_open(&config, &f->draw, &f->store, &report, &f->err), STATUS_OK);
    record(f,
           (struct draw_record){.type = DRAW_OPENED,
                                .opened = {.agencies = AGENCIES, .winner_number = WINNER}},
           NULL, 0);
    f->winners = malloc((size_t)batches * BATCH + 1);
    assert_non_null(f->winners);
    for (unsigned i = 0; i < batches; i++)
        add_batch(f, i);
    for (uint32_t agency = 1; agency <= AGENCIES && is_closed; agency++)
        record(f,
               (struct draw_record){
                   .type = DRAW_FINISHED,
                   .finished = {.agency = agency, .total = draw_received(&f->draw, agency)}},
               NULL, 0);
    if (is_closed)
        record(f,
               (struct draw_record){.type = DRAW_CLOSING,
                                    .closed = {.time_s = 1, .by = DRAW_BY_ALL_FINISHED}},
               NULL, 0);
    f->news = (struct ledger_news){.phase = f->draw.phase,
                                   .agencies = AGENCIES,
                                   .finished = f->draw.finished,
                                   .winner_number = WINNER,
                                   .bets = f->draw.bets};
}

static struct fixture *begin_with(unsigned batches, bool is_closed)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    log_set_level(LOG_CRITICAL);
    gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(gate != MAP_FAILED);
    test_pid = getpid();
    f->ops = file_ops_system;
    f->ops.pread = gate_pread;
    f->ops.fdatasync = gate_fdatasync;
    f->path = tmpdir_make();
    make_folder(f, batches, is_closed);
    loop_begin(&f->loop);
    f->fds = descriptors_count();
    return f;
}

static int begin(void **state)
{
    *state = begin_with(BATCHES, true);
    return 0;
}

static int begin_small(void **state)
{
    *state = begin_with(3, true);
    return 0;
}

static int begin_empty(void **state)
{
    *state = begin_with(0, true);
    return 0;
}

static int begin_open(void **state)
{
    *state = begin_with(3, false);
    return 0;
}

/* Is nothing left of the processes? */
static void expect_nothing_left(struct fixture *f)
{
    assert_int_equal(f->job.state, SCAN_JOB_IDLE);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(descriptors_count(), f->fds);
}

static int end(void **state)
{
    struct fixture *f = *state;

    expect_nothing_left(f);
    loop_end(&f->loop);
    store_close(f->store);
    draw_fini(&f->draw);
    data_dir_close(&f->data_dir);
    tmpdir_remove(f->path);
    assert_int_equal(munmap(gate, sizeof(*gate)), 0);
    free(f->winners);
    free(f);
    return 0;
}

static void init(struct fixture *f, unsigned scanners)
{
    scan_job_init(&f->job, &(struct scan_job_config){
                               .loop = &f->loop,
                               .data_dir = &f->data_dir,
                               .scanners = scanners,
                               .open_files = open_files,
                               .take_files = take_files,
                               .on_done = on_done,
                               .owner = f,
                           });
}

static void start(struct fixture *f)
{
    f->err.text[0] = '\0';
    const struct draw_drawn number = {.winner_number = WINNER};
    scan_job_start(&f->job, STORE_WINNERS, &f->news, &number);
}

static void await_done(struct fixture *f, unsigned dones)
{
    loop_until_count(&f->loop, &f->dones, dones + 1, "on_done");
    assert_int_equal(f->dones, dones + 1);
    expect_nothing_left(f);
}

static void run(struct fixture *f)
{
    unsigned dones = f->dones;

    start(f);
    await_done(f, dones);
}

/* An attempt succeeds, with the right outcome. */
static void run_well(struct fixture *f)
{
    run(f);
    if (f->status != STATUS_OK)
        fail_msg("the attempt failed: %s", f->err.text);
    assert_int_equal(f->drawn.winner_number, WINNER);
    assert_int_equal(f->drawn.winners, f->winners_count);
    assert_int_equal(f->drawn.winners_size, f->winners_size);
    assert_int_equal(f->drawn.winners_crc, crc32c(0, f->winners, f->winners_size));
    assert_true(f->drawn.time_s > 0);
}

/* An attempt fails: with this status, and this reason. */
static void expect_failure(struct fixture *f, enum status status, const char *reason)
{
    assert_int_equal(f->status, status);
    assert_string_equal(f->err.text, reason);
}

static bool is_gate_reached(void *context)
{
    return atomic_load(&gate->waiting) >= *(unsigned *)context;
}

/* Starts an attempt and waits until `count` processes have come to an operation. */
static void start_until(struct fixture *f, enum gate_op op, unsigned count)
{
    atomic_store(&gate->waiting, 0);
    atomic_store(&gate->closed, (int)op);
    start(f);
    loop_until(&f->loop, is_gate_reached, &count, "processes at the gate");
}

static void open_gate(void)
{
    atomic_store(&gate->closed, GATE_OPEN);
}

/* Gives the files of the last attempt their names, and the news that it is drawn. */
static void publish(struct fixture *f)
{
    assert_int_equal(store_publish_files(f->store, STORE_WINNERS, &f->err), STATUS_OK);
    f->news.phase = DRAW_DRAWN;
    f->news.drawn = f->drawn;
}

static void expect_winners_csv(struct fixture *f)
{
    char *text = malloc(f->winners_size + 1);

    assert_non_null(text);
    int fd = data_dir_open_file(&f->data_dir, WINNERS_NAME, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, f->winners_size + 1), f->winners_size);
    assert_memory_equal(text, f->winners, f->winners_size);
    assert_int_equal(close(fd), 0);
    free(text);
}

/* Any number of scanners finds the same winners, more than there are chunks among them. */
static void test_winners(void **state)
{
    struct fixture *f = *state;
    static const unsigned scanners[] = {1, 2, 3, 4, 5, 64, 1000};

    assert_true(f->draw.closed.extent > 3 * BETS_CHUNK_SIZE);
    for (size_t i = 0; i < sizeof(scanners) / sizeof(scanners[0]); i++) {
        init(f, scanners[i]);
        run_well(f);
    }
    publish(f);
    expect_winners_csv(f);
}

/* A draw in which nobody has bet, and one that nobody has won. */
static void test_no_winners(void **state)
{
    struct fixture *f = *state;

    init(f, 4);
    run_well(f);
    assert_int_equal(f->job.work.parts, 1);
    assert_int_equal(f->drawn.winners, 0);
}

/* Any scanner is killed halfway: the attempt fails and names it, the next one succeeds. */
static void test_scanner_killed(void **state)
{
    struct fixture *f = *state;
    char reason[64];

    init(f, 3);
    for (unsigned i = 0; i < 3; i++) {
        unsigned dones = f->dones;
        start_until(f, GATE_READ, 3);
        assert_int_equal(kill(subprocess_pid(f->job.tasks[i].process), SIGKILL), 0);
        await_done(f, dones);
        (void)snprintf(reason, sizeof(reason), "scanner %u of 3: killed by signal 9 (Killed)",
                       i + 1);
        expect_failure(f, STATUS_IO, reason);
        open_gate();
        run_well(f);
    }
}

/* The same with the joiner, before its files are synced. */
static void test_joiner_killed(void **state)
{
    struct fixture *f = *state;
    unsigned dones = f->dones;

    init(f, 2);
    start_until(f, GATE_SYNC, 1);
    assert_int_equal(f->job.state, SCAN_JOB_JOINING);
    assert_int_equal(kill(gate->waiters[0], SIGKILL), 0);
    await_done(f, dones);
    expect_failure(f, STATUS_IO, "joiner: killed by signal 9 (Killed)");
    open_gate();
    run_well(f);
}

static bool has_fd(pid_t pid, int fd)
{
    char path[64];
    char link[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
    return readlink(path, link, sizeof(link)) >= 0;
}

/* The processes have the folder's lock and the job's files, but no socket nor loop of their
 * parent's. */
static void test_descriptors(void **state)
{
    struct fixture *f = *state;
    int sockets[2];
    char byte;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    init(f, 2);
    start_until(f, GATE_READ, 2);
    for (unsigned i = 0; i < 2; i++) {
        pid_t pid = subprocess_pid(f->job.tasks[i].process);
        assert_true(has_fd(pid, f->data_dir.fd) && has_fd(pid, f->job.work.fds[2 + i]));
        assert_false(has_fd(pid, sockets[0]) || has_fd(pid, sockets[1]));
        assert_false(has_fd(pid, uv_backend_fd(&f->loop)));
    }
    assert_int_equal(close(sockets[0]), 0);
    assert_int_equal(read(sockets[1], &byte, 1), 0); /* the end, while they live */
    assert_int_equal(close(sockets[1]), 0);
    scan_job_cancel(&f->job);
    open_gate();
    run_well(f);
}

/* Cancelled at each step: all processes are gone when the call returns, and on_done is not called.
 */
static void test_cancelled(void **state)
{
    struct fixture *f = *state;

    init(f, 4);
    scan_job_cancel(&f->job); /* nothing to cancel */
    start_until(f, GATE_READ, 4);
    scan_job_cancel(&f->job);
    expect_nothing_left(f);
    start_until(f, GATE_SYNC, 1);
    scan_job_cancel(&f->job);
    expect_nothing_left(f);
    open_gate();
    start(f);
    scan_job_cancel(&f->job); /* they have just been forked */
    expect_nothing_left(f);
    run_well(f);
    publish(f);
    unsigned dones = f->dones;
    atomic_store(&gate->closed, (int)GATE_READ);
    assert_int_equal(scan_job_check(&f->job, STORE_WINNERS, &f->news, &f->err), STATUS_OK);
    scan_job_cancel(&f->job);
    expect_nothing_left(f);
    loop_turn(&f->loop);
    assert_int_equal(f->dones, dones);
}

/* Cancelled while the files are being opened: those that come are closed. */
static void test_cancelled_while_opening(void **state)
{
    struct fixture *f = *state;
    static const enum status statuses[] = {STATUS_OK, STATUS_STOPPED};

    init(f, 2);
    f->holds_op = true;
    for (unsigned i = 0; i < 2; i++) {
        start(f);
        scan_job_cancel(&f->job);
        scan_job_cancel(&f->job);
        f->op->status = statuses[i];
        f->op->done(f->op);
        expect_nothing_left(f);
        assert_int_equal(f->dones, 0);
    }
    f->holds_op = false;
    run_well(f);
}

/* The ledger opens no files. */
static void test_no_files(void **state)
{
    struct fixture *f = *state;

    init(f, 2);
    f->open_status = STATUS_NOSPACE;
    run(f);
    expect_failure(f, STATUS_NOSPACE, "the files for the winners cannot be made: no space left");
    f->open_status = STATUS_STOPPED;
    run(f);
    assert_int_equal(f->status, STATUS_STOPPED);
    f->open_status = STATUS_OK;
    run_well(f);
}

/* No process, whichever: the attempt fails, and those that run are killed. */
static void test_no_process(void **state)
{
    struct fixture *f = *state;

    init(f, 3);
    for (unsigned i = 0; i < 4; i++) {
        good_forks = i;
        run(f);
        expect_failure(f, STATUS_IO, "fork: Resource temporarily unavailable");
    }
    run_well(f);
    publish(f);
    good_forks = 0;
    assert_int_equal(scan_job_check(&f->job, STORE_WINNERS, &f->news, &f->err), STATUS_IO);
    assert_string_equal(f->err.text, "fork: Resource temporarily unavailable");
    expect_nothing_left(f);
}

static void flip(struct fixture *f, const char *name, off_t at)
{
    char byte;

    int fd = data_dir_open_file(&f->data_dir, name, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    assert_int_equal(close(fd), 0);
}

/* Damage anywhere in bets.csv fails the attempt, with the place. */
static void test_damage(void **state)
{
    struct fixture *f = *state;
    static const off_t places[] = {5, BETS_CHUNK_SIZE + 7, 2 * BETS_CHUNK_SIZE + 9};
    char reason[160];

    init(f, 3);
    for (size_t i = 0; i < 3; i++) {
        flip(f, "bets.csv", places[i]);
        run(f);
        (void)snprintf(reason, sizeof(reason),
                       "bets.csv: wrong checksum of the MiB at byte %zu; stop the server and "
                       "restore this file from a copy",
                       i * (size_t)BETS_CHUNK_SIZE);
        expect_failure(f, STATUS_DAMAGED, reason);
        flip(f, "bets.csv", places[i]);
    }
    run_well(f);
}

/* Another number of bets than the draw was closed with, although all checksums are right. */
static void test_bets_are_counted(void **state)
{
    struct fixture *f = *state;
    unsigned dones = f->dones;

    init(f, 2);
    start_until(f, GATE_SYNC, 0);
    f->job.work.draw.closed.bets++;
    await_done(f, dones);
    assert_int_equal(f->status, STATUS_DAMAGED);
    assert_non_null(strstr(f->err.text, "bets up to byte "));
    assert_non_null(strstr(f->err.text, "but the draw was closed with 1501"));
}

/* The journal's checkpoint is of an open draw, or is not there, or the news is of another draw. */
static void test_no_checkpoint(void **state)
{
    struct fixture *f = *state;

    init(f, 2);
    run(f);
    expect_failure(f, STATUS_DAMAGED,
                   "the journal's checkpoint is not of the draw that was closed");
    f->removes_journal = true;
    run(f);
    expect_failure(f, STATUS_NOTFOUND, "bets.journal: No such file or directory");
}

static void test_other_draw(void **state)
{
    struct fixture *f = *state;
    const struct ledger_news news = f->news;

    init(f, 2);
    for (unsigned i = 0; i < 3; i++) {
        f->news = news;
        f->news.bets += i == 0;
        f->news.agencies += i == 1;
        f->news.winner_number += i == 2;
        run(f);
        expect_failure(f, STATUS_DAMAGED,
                       "the journal's checkpoint is not of the draw that was closed");
    }
    f->news = news;
    run_well(f);
}

static void check(struct fixture *f)
{
    unsigned dones = f->dones;

    assert_int_equal(scan_job_check(&f->job, STORE_WINNERS, &f->news, &f->err), STATUS_OK);
    await_done(f, dones);
}

/* The check: files that are right, damaged, missing; and a checker that is killed. */
static void test_check(void **state)
{
    struct fixture *f = *state;

    init(f, 2);
    run_well(f);
    publish(f);
    check(f);
    assert_int_equal(f->status, STATUS_OK);
    assert_memory_equal(&f->drawn, &f->news.drawn, sizeof(f->drawn));
    flip(f, WINNERS_NAME, 3);
    check(f);
    assert_int_equal(f->status, STATUS_DAMAGED);
    assert_non_null(strstr(f->err.text, WINNERS_NAME));
    flip(f, WINNERS_NAME, 3);
    check(f);
    assert_int_equal(f->status, STATUS_OK);
    assert_int_equal(unlinkat(f->data_dir.fd, WINNERS_INDEX_NAME, 0), 0);
    check(f);
    assert_int_equal(f->status, STATUS_NOTFOUND);
    assert_non_null(strstr(f->err.text, WINNERS_INDEX_NAME));
    run_well(f); /* of a draw that was held */
    publish(f);
    atomic_store(&gate->waiting, 0);
    atomic_store(&gate->closed, (int)GATE_READ);
    unsigned dones = f->dones;
    unsigned one = 1;
    assert_int_equal(scan_job_check(&f->job, STORE_WINNERS, &f->news, &f->err), STATUS_OK);
    loop_until(&f->loop, is_gate_reached, &one, "the checker");
    assert_int_equal(kill(gate->waiters[0], SIGKILL), 0);
    await_done(f, dones);
    expect_failure(f, STATUS_IO, "checker: killed by signal 9 (Killed)");
}

/* A process that this one started dies with it. */
static void test_dies_with_parent(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    char byte;

    init(f, 3);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) { /* its scanners have the writing end, too */
        (void)close(ends[0]);
        uv_loop_t loop;
        if (uv_loop_init(&loop) < 0)
            _exit(1);
        f->job.config.loop = &loop;
        test_pid = getpid();
        start_until(f, GATE_READ, 0);
        while (atomic_load(&gate->waiting) < 3)
            (void)sched_yield();
        _exit(0);
    }
    (void)close(ends[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* the end: all are gone */
    assert_int_equal(close(ends[0]), 0);
    while (waitpid(-1, NULL, 0) > 0) /* as process 1 the test inherits them */
        continue;
    open_gate();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define CASE_SMALL(name) cmocka_unit_test_setup_teardown(name, begin_small, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_winners),
        cmocka_unit_test_setup_teardown(test_no_winners, begin_empty, end),
        CASE(test_scanner_killed),
        CASE(test_joiner_killed),
        CASE(test_descriptors),
        CASE(test_cancelled),
        CASE_SMALL(test_cancelled_while_opening),
        CASE_SMALL(test_no_files),
        CASE(test_no_process),
        CASE(test_damage),
        CASE_SMALL(test_bets_are_counted),
        cmocka_unit_test_setup_teardown(test_no_checkpoint, begin_open, end),
        CASE_SMALL(test_other_draw),
        CASE_SMALL(test_check),
        CASE(test_dies_with_parent),
    };

    return cmocka_run_group_tests_name("scan_job", tests, NULL, NULL);
}
