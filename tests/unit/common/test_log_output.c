/* Each case is a child that logs to a stdout of its own kind, and a parent that reads it, or does
 * not. */
#include "clock.h"
#include "cmocka_all.h"
#include "log.h"
#include "log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STALL_LINES 3000 /* more than any pipe or socket takes at once */

/* Kinds of stdout. */
enum kind {
    PIPE,
    PIPE_NONBLOCKING, /* made so by somebody else */
    PIPE_NOT_REOPENED,
    STREAM_SOCKET,
    KIND_COUNT
};

struct child {
    pid_t pid;
    int in;  /* where its output arrives */
    int out; /* its stdout; ours, too */
};

static void set_blocked(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    (void)sigprocmask(how, &set, NULL);
}

static void prepare(enum kind kind)
{
    struct rlimit none = {3, 1024};

    switch (kind) {
    case PIPE_NONBLOCKING:
        (void)fcntl(STDOUT_FILENO, F_SETFL, O_WRONLY | O_NONBLOCK);
        break;
    case PIPE_NOT_REOPENED: /* no more descriptors */
        (void)setrlimit(RLIMIT_NOFILE, &none);
        break;
    case PIPE:
    case STREAM_SOCKET:
    case KIND_COUNT:
        break;
    }
    log_output_open();
}

/* Forks a child that runs `body` with SIGTERM blocked, and ends with what it returns. */
static struct child start(enum kind kind, int (*body)(void))
{
    struct child child;
    int ends[2];

    (void)fflush(stdout);
    if (kind == STREAM_SOCKET)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    else
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        (void)alarm(60);
        set_blocked(SIG_BLOCK);
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        prepare(kind);
        _exit(body());
    }
    child.in = ends[0];
    child.out = ends[1];
    return child;
}

/* Reads all that it writes until it ends; returns it as a string. */
static char *read_all(struct child *child)
{
    size_t capacity = 16 * 1024 * 1024;
    size_t size = 0;
    ssize_t got;
    char *text = malloc(capacity);

    assert_non_null(text);
    assert_int_equal(close(child->out), 0);
    while ((got = read(child->in, text + size, capacity - 1 - size)) > 0)
        size += (size_t)got;
    assert_int_equal(got, 0);
    text[size] = '\0';
    return text;
}

static void assert_ends(struct child *child, int expected)
{
    int status;

    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
    assert_int_equal(close(child->in), 0);
}

/* Waits until the child has stopped itself. */
static void wait_stopped(const struct child *child)
{
    int status;

    assert_int_equal(waitpid(child->pid, &status, WUNTRACED), child->pid);
    assert_true(WIFSTOPPED(status));
}

/* Is `text` the lines 0..count-1 of these, each whole and in order? Returns what follows. */
static const char *skip_lines(const char *text, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char expected[64];
        const char *end = strchr(text, '\n');
        int size = snprintf(expected, sizeof(expected), "action: n | result: success | n: %u", i);
        assert_non_null(end);
        assert_true(end - text > size);
        assert_memory_equal(end - size, expected, size);
        text = end + 1;
    }
    return text;
}

/* Lets a child go on that has stopped itself, and reads all that it logs: these lines, each whole
 * and in order, and nothing else. */
static void assert_goes_on_with(struct child *child, unsigned lines)
{
    wait_stopped(child);
    assert_int_equal(kill(child->pid, SIGCONT), 0);
    char *text = read_all(child);
    assert_string_equal(skip_lines(text, lines), "");
    free(text);
    assert_ends(child, 0);
}

static void log_lines(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        LOG(INFO, "n", SUCCESS, LOG_UINT("n", i));
}

/* ------------------------------------------------------------------ a reader that stalls */

static int log_and_stop(void)
{
    log_lines(STALL_LINES);
    (void)raise(SIGSTOP); /* the parent reads nothing before */
    log_output_finish(LOG_NO_LIMIT);
    return 0;
}

/* The writer does not wait, and nothing is lost or torn once the reader goes on. */
static void test_stall(void **state)
{
    (void)state;
    for (enum kind kind = PIPE; kind < KIND_COUNT; kind++) {
        struct child child = start(kind, log_and_stop);
        assert_goes_on_with(&child, STALL_LINES);
    }
}

/* What others have open is not made non-blocking. */
static void test_shared_flags(void **state)
{
    (void)state;
    for (enum kind kind = PIPE; kind < KIND_COUNT; kind++) {
        struct child child = start(kind, log_and_stop);
        wait_stopped(&child);
        int flags = fcntl(child.out, F_GETFL);
        assert_int_equal(flags & O_NONBLOCK, kind == PIPE_NONBLOCKING ? O_NONBLOCK : 0);
        assert_int_equal(kill(child.pid, SIGCONT), 0);
        free(read_all(&child));
        assert_ends(&child, 0);
    }
}

/* Four writers on one pipe that is not read for a while: all lines arrive, none is torn. */
static int log_from_many(void)
{
    pid_t pids[4];
    int failed = 0;

    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            log_output_forked();
            log_lines(STALL_LINES);
            log_output_finish(LOG_NO_LIMIT);
            _exit(0);
        }
    }
    (void)raise(SIGSTOP);
    for (int i = 0; i < 4; i++) {
        int status = 1;
        failed |= waitpid(pids[i], &status, 0) != pids[i] || status != 0;
    }
    return failed;
}

static void test_many_writers(void **state)
{
    (void)state;
    for (enum kind kind = PIPE; kind <= PIPE_NOT_REOPENED; kind++) {
        unsigned lines = 0;
        struct child child = start(kind, log_from_many);
        wait_stopped(&child);
        assert_int_equal(kill(child.pid, SIGCONT), 0);
        char *text = read_all(&child);
        for (char *at = text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
            *end = '\0';
            assert_non_null(strstr(at, " INFO     action: n | result: success | n: "));
            assert_true(strlen(at) < 80);
            lines++;
        }
        assert_int_equal(lines, 4 * STALL_LINES);
        free(text);
        assert_ends(&child, 0);
    }
}

/* ------------------------------------------------------------------ marks and limits */

/* Returns how many lines were logged until the output was full. */
static unsigned fill_to_mark(void)
{
    unsigned lines = 0;

    while (!log_output_is_full())
        LOG(INFO, "n", SUCCESS, LOG_UINT("n", lines++));
    return lines;
}

static int check_marks(void)
{
    struct pollfd ready = {.fd = log_output_fd(), .events = POLLIN};
    uint64_t begin = clock_monotonic_ms();
    unsigned lines = fill_to_mark();

    if (lines < LOG_PENDING_MAX / 200 || lines > LOG_PENDING_MAX / 50)
        return 1;
    if (poll(&ready, 1, 0) != 0 || log_output_room_since_ms() < begin)
        return 2;
    (void)raise(SIGSTOP); /* from here on it is read */
    while (log_output_is_full()) {
        if (poll(&ready, 1, 10000) != 1)
            return 3;
        log_output_on_ready();
    }
    uint64_t room_ms = log_output_room_since_ms();
    if (room_ms < begin || room_ms > clock_monotonic_ms())
        return 4;
    log_output_finish(LOG_NO_LIMIT);
    return poll(&ready, 1, 0) == 0 ? 0 : 5; /* is not watched without need */
}

/* It says when it is full and when there is room, and its descriptor when it can be written. */
static void test_marks(void **state)
{
    struct child child = start(PIPE, check_marks);

    (void)state;
    wait_stopped(&child);
    assert_int_equal(kill(child.pid, SIGCONT), 0);
    free(read_all(&child));
    assert_ends(&child, 0);
}

static int log_more_than_fits(void)
{
    (void)raise(SIGSTOP);
    log_lines(2 * LOG_PENDING_MAX / 60);
    log_output_finish(LOG_NO_LIMIT);
    return 0;
}

/* Beyond what it may keep it waits for the reader, and loses nothing. */
static void test_more_than_fits(void **state)
{
    (void)state;
    for (enum kind kind = PIPE; kind < KIND_COUNT; kind++) {
        struct child child = start(kind, log_more_than_fits);
        assert_goes_on_with(&child, 2 * LOG_PENDING_MAX / 60);
    }
}

static int stop_while_full(void)
{
    uint64_t begin = clock_monotonic_ms();

    (void)raise(SIGTERM); /* is blocked: the loop would take it later */
    log_lines(2 * LOG_PENDING_MAX / 60);
    log_output_finish(LOG_NO_LIMIT);
    uint64_t took_ms = clock_monotonic_ms() - begin;
    return took_ms >= LOG_STOP_MS && took_ms < 20 * LOG_STOP_MS ? 0 : 1;
}

/* A signal to stop ends the wait for a reader that never reads, half a second later. */
static void test_stop_while_full(void **state)
{
    (void)state;
    for (enum kind kind = PIPE; kind < KIND_COUNT; kind++) {
        struct child child = start(kind, stop_while_full);
        assert_ends(&child, 0);
        assert_int_equal(close(child.out), 0);
    }
}

/* Ends as the parent asked: all of its processes have half a second together. */
static int stop_all(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        log_output_forked();
        log_lines(STALL_LINES);
        uint64_t begin = clock_monotonic_ms();
        log_output_finish(LOG_NO_LIMIT);
        _exit(clock_monotonic_ms() - begin < 10 * LOG_STOP_MS ? 0 : 1);
    }
    log_lines(STALL_LINES);
    uint64_t begin = clock_monotonic_ms();
    log_output_stop_all();
    if (waitpid(pid, &status, 0) != pid || status != 0)
        return 1;
    log_output_finish(LOG_NO_LIMIT);
    return clock_monotonic_ms() - begin < 10 * LOG_STOP_MS ? 0 : 2;
}

static void test_stop_all(void **state)
{
    struct child child = start(PIPE, stop_all);

    (void)state;
    assert_ends(&child, 0);
    assert_int_equal(close(child.out), 0);
}

static int finish_within_limit(void)
{
    log_lines(STALL_LINES);
    uint64_t begin = clock_monotonic_ms();
    log_output_finish(200);
    uint64_t took_ms = clock_monotonic_ms() - begin;
    return took_ms >= 200 && took_ms < 2000 ? 0 : 1;
}

static void test_finish_limit(void **state)
{
    struct child child = start(PIPE, finish_within_limit);

    (void)state;
    assert_ends(&child, 0);
    assert_int_equal(close(child.out), 0);
}

/* ------------------------------------------------------------------ errors */

/* A file that may not grow: lines are dropped; when it may, a line says how many, and begins a line
 * of its own, although part of a dropped one was written. */
static void test_file_limit(void **state)
{
    int fd = memfd_create("log", 0);
    const off_t limit = 200;
    char text[2000] = "";

    (void)state;
    assert_true(fd >= 0);
    (void)fflush(stdout);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit size = {(rlim_t)limit, RLIM_INFINITY};
        (void)dup2(fd, STDOUT_FILENO);
        log_output_open();
        (void)setrlimit(RLIMIT_FSIZE, &size);
        log_lines(20);
        size.rlim_cur = RLIM_INFINITY;
        (void)setrlimit(RLIMIT_FSIZE, &size);
        LOG(INFO, "after", SUCCESS);
        LOG(INFO, "after", SUCCESS);
        _exit(0);
    }
    struct child child = {pid, dup(fd), -1};
    assert_ends(&child, 0);
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    assert_int_equal(close(fd), 0);
    const char *cut = skip_lines(text, 3);
    assert_true(cut < text + limit && text[limit] == '\n');
    char expected[2000];
    (void)snprintf(expected, sizeof(expected),
                   "%.20sERROR    action: log | result: fail | omitted: 17\n"
                   "%.20sINFO     action: after | result: success\n"
                   "%.20sINFO     action: after | result: success\n",
                   text + limit + 1, text + limit + 71, text + limit + 132);
    assert_string_equal(text + limit + 1, expected);
}

static int log_without_reader(void)
{
    (void)raise(SIGSTOP);
    log_lines(STALL_LINES);
    log_output_finish(LOG_NO_LIMIT);
    return 7;
}

/* Nobody reads any more: no signal, no wait. */
static void test_no_reader(void **state)
{
    (void)state;
    for (enum kind kind = PIPE; kind < KIND_COUNT; kind++) {
        struct child child = start(kind, log_without_reader);
        wait_stopped(&child);
        assert_int_equal(close(child.in), 0);
        assert_int_equal(close(child.out), 0);
        assert_int_equal(kill(child.pid, SIGCONT), 0);
        child.in = dup(STDIN_FILENO);
        assert_ends(&child, 7);
    }
}

/* ------------------------------------------------------------------ other */

static int fork_with_lines_kept(void)
{
    int status;

    log_lines(STALL_LINES);
    pid_t pid = fork();
    if (pid == 0) {
        log_output_forked();
        log_output_finish(LOG_NO_LIMIT);
        _exit(0);
    }
    (void)raise(SIGSTOP);
    log_output_finish(LOG_NO_LIMIT);
    return waitpid(pid, &status, 0) == pid ? status : 1;
}

/* What a parent keeps is not written by its children as well. */
static void test_fork(void **state)
{
    struct child child = start(PIPE, fork_with_lines_kept);

    (void)state;
    assert_goes_on_with(&child, STALL_LINES);
}

static unsigned calls;

static void count_call(void)
{
    calls++;
}

static bool needs(int fd)
{
    int fds[LOG_FDS_MAX];
    size_t count = log_output_fds(fds);
    bool is_in = false;

    for (size_t i = 0; i < count; i++)
        is_in |= fds[i] == fd;
    return is_in;
}

static int call_later(void)
{
    struct pollfd ready = {.fd = log_output_fd(), .events = POLLIN};
    uint64_t begin = clock_monotonic_ms();

    log_output_on_ready();
    log_output_call_later(100, count_call);
    log_output_on_ready();
    if (calls != 0 || poll(&ready, 1, 10000) != 1 || clock_monotonic_ms() - begin < 99)
        return 1;
    log_output_on_ready();
    log_output_on_ready();
    if (calls != 1 || poll(&ready, 1, 0) != 0)
        return 2;
    return needs(ready.fd) && !needs(99) ? 0 : 3;
}

static void test_call_later(void **state)
{
    struct child child = start(PIPE, call_later);

    (void)state;
    assert_ends(&child, 0);
    assert_int_equal(close(child.out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stall),          cmocka_unit_test(test_shared_flags),
        cmocka_unit_test(test_many_writers),   cmocka_unit_test(test_marks),
        cmocka_unit_test(test_more_than_fits), cmocka_unit_test(test_stop_while_full),
        cmocka_unit_test(test_stop_all),       cmocka_unit_test(test_finish_limit),
        cmocka_unit_test(test_file_limit),     cmocka_unit_test(test_no_reader),
        cmocka_unit_test(test_fork),           cmocka_unit_test(test_call_later),
    };

    return cmocka_run_group_tests_name("log_output", tests, NULL, NULL);
}
