/* The supervisor, with a ledger, a coordinator and workers of the test's own: real processes, which
 * do what a script in shared memory says. The supervisor runs in a process of its own, too, and its
 * log goes to a pipe, which the test reads to know how far it is.
 */
#include "cmocka_all.h"
#include "coordinator.h"
#include "ledger_process.h"
#include "log.h"
#include "signals.h"
#include "store_csv.h"
#include "supervisor.h"
#include "tmpdir.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIVES_MAX 8
#define WAIT_S 30 /* for anything, on a busy machine */

/* What one life of the ledger is like. */
enum life {
    LIFE_GOOD,      /* recovers, waits for SIGTERM, ends with 0 */
    LIFE_RECOVERS,  /* never gets that far; ends with 0 at SIGTERM */
    LIFE_NO_START,  /* the recovery ends in an error */
    LIFE_GONE,      /* recovers, then finds that the folder is gone */
    LIFE_UNCERTAIN, /* recovers, then a sync fails */
    LIFE_KILLED,    /* recovers, then is killed */
    LIFE_DRAWS,     /* recovers, holds the draw, waits for the acknowledgement, then as LIFE_GOOD */
    LIFE_DRAWN      /* recovers a draw that was held, the same */
};

/* Shared with all processes of the server. */
struct script {
    enum life lives[LIVES_MAX]; /* of the ledger, in their order; then the last one again */
    atomic_uint ledgers;        /* lives begun */
    atomic_uint stops;          /* processes that have ended at SIGTERM */
    unsigned ledger_stop;       /* which of these they were, from 1 */
    unsigned coordinator_stop;
    unsigned last_worker_stop;
    atomic_uint acks;       /* of the draw, that ledgers have got */
    atomic_bool hangs;      /* workers do not end at SIGTERM */
    atomic_uint scanners;   /* that the coordinator was given */
    atomic_bool is_fd_open; /* a process has got descriptors that are not for it */
};

static struct script *script;

struct fixture {
    struct server_settings settings;
    char *folder;
    pid_t pid; /* of the supervisor; 0 = reaped */
    int log;   /* the reading end of its stdout */
    char text[65536];
    size_t size;
};

static void wait_for_sigterm(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    while (sigwaitinfo(&set, NULL) < 0)
        continue;
}

static void ledger_tell(const struct ledger_config *config, const struct ledger_tells *told)
{
    if (send(config->control_fd, told, sizeof(*told), 0) != (ssize_t)sizeof(*told))
        _exit(90);
}

static int ledger_fail(const struct ledger_config *config, const char *reason, int status)
{
    struct ledger_tells told = {.kind = LEDGER_TELLS_REASON};

    errbuf_set(&told.text, "%s", reason);
    ledger_tell(config, &told);
    return status;
}

static void ledger_wait_ack(const struct ledger_config *config)
{
    struct pollfd poll_fd = {.fd = config->control_fd, .events = POLLIN};
    struct ledger_tells told;

    if (poll(&poll_fd, 1, WAIT_S * 1000) != 1 ||
        recv(config->control_fd, &told, sizeof(told), 0) != (ssize_t)sizeof(told))
        _exit(91);
    atomic_fetch_add(&script->acks, 1);
}

int ledger_run(const struct ledger_config *config)
{
    unsigned number = atomic_fetch_add(&script->ledgers, 1);
    enum life life = script->lives[number < LIVES_MAX ? number : LIVES_MAX - 1];
    struct ledger_tells ready = {
        .kind = LEDGER_TELLS_READY,
        .phase = life == LIFE_DRAWN ? DRAW_DRAWN : DRAW_OPEN,
        .winners = 12,
    };

    if (life == LIFE_NO_START)
        return ledger_fail(config, "it is damaged", LEDGER_EXIT_NO_START);
    if (life != LIFE_RECOVERS)
        ledger_tell(config, &ready);
    if (life == LIFE_GONE)
        return ledger_fail(config, "it is gone", LEDGER_EXIT_GONE);
    if (life == LIFE_UNCERTAIN)
        return ledger_fail(config, "a sync failed", LEDGER_EXIT_UNCERTAIN);
    if (life == LIFE_KILLED)
        (void)raise(SIGKILL);
    if (life == LIFE_DRAWS)
        ledger_tell(config, &(struct ledger_tells){.kind = LEDGER_TELLS_DRAWN, .winners = 12});
    if (life == LIFE_DRAWS || life == LIFE_DRAWN)
        ledger_wait_ack(config);
    wait_for_sigterm();
    script->ledger_stop = atomic_fetch_add(&script->stops, 1) + 1;
    return 0;
}

/* The ledger's ends are not open in other processes. */
static bool has_seqpacket(void)
{
    for (int fd = 3; fd < 64; fd++) {
        int type;
        socklen_t size = sizeof(type);
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET)
            return true;
    }
    return false;
}

int coordinator_run(const struct coordinator_config *config)
{
    script->scanners = config->scanners;
    if (has_seqpacket())
        script->is_fd_open = true;
    wait_for_sigterm();
    script->coordinator_stop = atomic_fetch_add(&script->stops, 1) + 1;
    return 0;
}

int worker_run(const struct worker_config *config)
{
    if (has_seqpacket() || fcntl(config->listen_fd, F_GETFD) < 0)
        script->is_fd_open = true;
    do
        wait_for_sigterm();
    while (script->hangs);
    script->last_worker_stop = atomic_fetch_add(&script->stops, 1) + 1;
    return 0;
}

enum status store_csv_open(const struct store_csv_config *config, struct draw *draw,
                           struct store **out, struct store_csv_report *report, struct errbuf *err)
{
    (void)config;
    (void)draw;
    (void)out;
    (void)report;
    (void)err;
    return STATUS_IO; /* our ledger opens none */
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->folder = tmpdir_make();
    f->settings = (struct server_settings){
        .ip = "127.0.0.1", .listen_backlog = 5, .workers = 2, .log_level = LOG_DEBUG};
    (void)snprintf(f->settings.data_dir, sizeof(f->settings.data_dir), "%s", f->folder);
    script = mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(script != MAP_FAILED);
    *state = f;
    return 0;
}

/* Whatever has happened: kills the supervisor, and so its children, of which the pipe's end tells.
 */
static int end(void **state)
{
    struct fixture *f = *state;
    char rest[4096];

    if (f->pid > 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, NULL, 0);
    }
    while (read(f->log, rest, sizeof(rest)) > 0)
        continue;
    (void)close(f->log);
    (void)munmap(script, sizeof(*script));
    tmpdir_remove(f->folder);
    free(f);
    return 0;
}

/* Starts the server; `lives` are the first ones of its ledger, the others are good. */
static void start(struct fixture *f, const enum life *lives, size_t count)
{
    int fds[2];

    if (count > 0)
        memcpy(script->lives, lives, count * sizeof(*lives));
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)close(fds[0]);
        (void)close(fds[1]);
        (void)signal(SIGCHLD, SIG_IGN); /* as a careless parent would leave it */
        signals_init();
        log_set_level(f->settings.log_level);
        _exit(supervisor_run(&f->settings));
    }
    assert_int_equal(close(fds[1]), 0);
    f->log = fds[0];
}

/* Reads more of the log. False at its end. */
static bool read_more(struct fixture *f)
{
    struct pollfd poll_fd = {.fd = f->log, .events = POLLIN};

    if (poll(&poll_fd, 1, WAIT_S * 1000) != 1)
        fail_msg("nothing more within %d s after: %s", WAIT_S, f->text);
    ssize_t size = read(f->log, f->text + f->size, sizeof(f->text) - 1 - f->size);
    assert_true(size >= 0);
    f->size += (size_t)size;
    return size > 0;
}

static unsigned count_of(const struct fixture *f, const char *text)
{
    unsigned count = 0;

    for (const char *at = f->text; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void wait_line(struct fixture *f, const char *text, unsigned count)
{
    while (count_of(f, text) < count) {
        if (!read_more(f))
            fail_msg("\"%s\" is not %u times in: %s", text, count, f->text);
    }
}

/* Waits for the end, with all of the log, and returns the exit status. */
static int finish(struct fixture *f)
{
    int status;

    while (read_more(f))
        continue;
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    f->pid = 0;
    assert_true(WIFEXITED(status));
    assert_false(script->is_fd_open);
    return WEXITSTATUS(status);
}

static void wait_until(bool (*condition)(void))
{
    for (unsigned tries = 0; !condition(); tries++) {
        assert_true(tries < WAIT_S * 1000);
        (void)nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

static int stop(struct fixture *f)
{
    assert_int_equal(kill(f->pid, SIGTERM), 0);
    return finish(f);
}

static void assert_before(const struct fixture *f, const char *first, const char *second)
{
    const char *one = strstr(f->text, first);
    const char *two = strstr(f->text, second);

    if (one == NULL || two == NULL || one > two)
        fail_msg("\"%s\" is not before \"%s\" in: %s", first, second, f->text);
}

/* The ledger comes first and goes last; nobody can connect before it has recovered. */
static void test_order(void **state)
{
    struct fixture *f = *state;

    start(f, NULL, 0);
    wait_line(f, "action: start_process", 4);
    assert_int_equal(stop(f), 0);
    assert_before(f, "start_process | result: success | process: ledger", "action: listen");
    assert_before(f, "action: listen", "process: coordinator");
    assert_before(f, "action: listen", "process: worker");
    assert_int_equal(count_of(f, "action: close_process | result: success"), 4);
    assert_int_equal(script->last_worker_stop, 2);
    assert_int_equal(script->coordinator_stop, 3);
    assert_int_equal(script->ledger_stop, 4);
    assert_int_equal(count_of(f, "result: fail"), 0);
    assert_non_null(strstr(f->text, "action: exit | result: success\n"));
    assert_true(script->scanners >= 1);
}

static bool has_ledger(void)
{
    return script->ledgers > 0;
}

/* A stop that is asked for while the ledger recovers is a stop like any other. */
static void test_stop_while_it_recovers(void **state)
{
    static const enum life lives[] = {LIFE_RECOVERS};
    struct fixture *f = *state;

    start(f, lives, 1);
    wait_until(has_ledger);
    assert_int_equal(stop(f), 0);
    assert_int_equal(count_of(f, "action: listen"), 0);
    assert_int_equal(count_of(f, "start_process"), 1);
    assert_int_equal(count_of(f, "result: fail"), 0);
    assert_non_null(strstr(f->text, "action: exit | result: success\n"));
}

/* A stop while the ledger waits for its restart: no other one is started. */
static void test_stop_while_it_is_away(void **state)
{
    static const enum life lives[] = {LIFE_KILLED, LIFE_KILLED, LIFE_KILLED, LIFE_KILLED,
                                      LIFE_KILLED, LIFE_KILLED, LIFE_KILLED, LIFE_KILLED};
    struct fixture *f = *state;

    start(f, lives, LIVES_MAX);
    wait_line(f, "action: restart_process", 5); /* the wait is at least 400 ms long now */
    unsigned ledgers = script->ledgers;
    assert_int_equal(stop(f), 0);
    assert_int_equal(script->ledgers, ledgers);
    assert_int_equal(script->coordinator_stop, 3);
    assert_int_equal(count_of(f, "action: close_process | result: success"), 3);
}

/* The first recovery ends in an error: the server does not start. */
static void test_no_start(void **state)
{
    static const enum life lives[] = {LIFE_NO_START};
    char expected[600];
    struct fixture *f = *state;

    start(f, lives, 1);
    assert_int_equal(finish(f), 1);
    (void)snprintf(
        expected, sizeof(expected),
        "CRITICAL action: start | result: fail | reason: data directory %s: it is damaged\n",
        f->folder);
    assert_non_null(strstr(f->text, expected));
    assert_int_equal(script->ledgers, 1);
    assert_int_equal(count_of(f, "action: listen"), 0);
    assert_int_equal(count_of(f, "action: exit"), 0);
}

/* A port that is taken is found after the recovery; the ledger ends cleanly. */
static void test_port_taken(void **state)
{
    struct fixture *f = *state;

    (void)strcpy(f->settings.ip, "192.0.2.1"); /* not of this machine */
    start(f, NULL, 0);
    assert_int_equal(finish(f), 1);
    assert_non_null(strstr(f->text, "CRITICAL action: start | result: fail | reason: bind: "));
    assert_int_equal(script->ledger_stop, 1);
    assert_int_equal(count_of(f, "action: start_process"), 1);
}

/* A folder that is not there, or that another server works on. */
static void test_folder(void **state)
{
    struct fixture *f = *state;

    (void)strcat(f->settings.data_dir, "/nowhere");
    start(f, NULL, 0);
    assert_int_equal(finish(f), 1);
    assert_non_null(strstr(f->text, "action: start | result: fail | reason: data directory "));
    assert_int_equal(script->ledgers, 0);
    assert_int_equal(close(f->log), 0);
    f->size = 0;
    memset(f->text, 0, sizeof(f->text));

    *strrchr(f->settings.data_dir, '/') = '\0';
    start(f, NULL, 0);
    wait_line(f, "action: start_process", 4);
    struct fixture second = *f;
    second.size = 0;
    memset(second.text, 0, sizeof(second.text));
    start(&second, NULL, 0);
    assert_int_equal(finish(&second), 1);
    assert_non_null(strstr(second.text, "another server works on this folder\n"));
    assert_int_equal(close(second.log), 0);
    assert_int_equal(stop(f), 0);
}

/* Kills and failed syncs: the others live on, and the ledger comes back. */
static void test_restarts(void **state)
{
    static const enum life lives[] = {LIFE_KILLED, LIFE_UNCERTAIN, LIFE_NO_START, LIFE_NO_START,
                                      LIFE_KILLED};
    struct fixture *f = *state;

    start(f, lives, 5);
    wait_line(f, "start_process | result: success | process: ledger", 6);
    wait_line(f, "process: worker | index: 1", 1);
    assert_int_equal(stop(f), 0);
    assert_int_equal(count_of(f, "start_process | result: success | process: worker"), 2);
    assert_int_equal(count_of(f, "action: listen"), 1);
    assert_int_equal(count_of(f, "action: ledger | result: fail | reason: it is damaged\n"), 2);
    assert_int_equal(count_of(f, "action: ledger | result: fail | reason: a sync failed\n"), 1);
}

/* Three recoveries in a row that end in an error end the server, and the others in good order. */
static void test_three_failures(void **state)
{
    static const enum life lives[] = {LIFE_KILLED, LIFE_NO_START, LIFE_NO_START, LIFE_NO_START};
    struct fixture *f = *state;

    start(f, lives, 4);
    assert_int_equal(finish(f), 1);
    assert_int_equal(script->ledgers, 4);
    assert_non_null(
        strstr(f->text, "CRITICAL action: store | result: fail | reason: data directory "));
    assert_non_null(strstr(f->text, ": it is damaged\n"));
    assert_int_equal(count_of(f, "action: close_process | result: success"), 3);
    assert_int_equal(script->coordinator_stop, 3);
    assert_int_equal(count_of(f, "action: exit"), 0);
}

/* So does a folder that is gone. */
static void test_gone(void **state)
{
    static const enum life lives[] = {LIFE_GONE};
    struct fixture *f = *state;

    start(f, lives, 1);
    assert_int_equal(finish(f), 1);
    assert_int_equal(script->ledgers, 1);
    assert_non_null(strstr(f->text, ": it is gone\n"));
    assert_int_equal(count_of(f, "action: exit"), 0);
}

static bool has_ack(void)
{
    return script->acks == 1;
}

static bool has_two_acks(void)
{
    return script->acks == 2;
}

/* The draw is logged once and each ledger gets its acknowledgement, across lives. */
static void test_sorteo(void **state)
{
    static const enum life lives[] = {LIFE_DRAWS, LIFE_DRAWN};
    struct fixture *f = *state;

    start(f, lives, 2);
    wait_line(f, "INFO     action: sorteo | result: success | ganadores: 12\n", 1);
    wait_until(has_ack);
    const char *pid = strstr(f->text, "process: ledger");
    assert_int_equal(kill((pid_t)atoi(strstr(pid, "pid: ") + 5), SIGKILL), 0);
    wait_line(f, "start_process | result: success | process: ledger", 2);
    wait_until(has_two_acks);
    assert_int_equal(stop(f), 0);
    assert_int_equal(count_of(f, "sorteo"), 1);
}

/* A worker that does not end is killed in time for the others to end by themselves. */
static void test_hanging_workers(void **state)
{
    struct fixture *f = *state;

    script->hangs = true;
    start(f, NULL, 0);
    wait_line(f, "action: start_process", 4);
    assert_int_equal(stop(f), 0);
    assert_int_equal(count_of(f, "killed by signal 9"), 2);
    assert_int_equal(script->coordinator_stop, 1);
    assert_int_equal(script->ledger_stop, 2);
}

/* In mode echo there is neither ledger nor coordinator nor folder. */
static void test_echo(void **state)
{
    struct fixture *f = *state;

    f->settings.mode = SERVER_MODE_ECHO;
    (void)strcat(f->settings.data_dir, "/nowhere");
    start(f, NULL, 0);
    wait_line(f, "action: start_process", 2);
    assert_int_equal(stop(f), 0);
    assert_int_equal(script->ledgers, 0);
    assert_int_equal(count_of(f, "action: close_process | result: success"), 2);
    assert_int_equal(count_of(f, "coordinator"), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_order),
        CASE(test_stop_while_it_recovers),
        CASE(test_stop_while_it_is_away),
        CASE(test_no_start),
        CASE(test_port_taken),
        CASE(test_folder),
        CASE(test_restarts),
        CASE(test_three_failures),
        CASE(test_gone),
        CASE(test_sorteo),
        CASE(test_hanging_workers),
        CASE(test_echo),
    };

    return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
