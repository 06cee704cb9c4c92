/* Keeping processes alive: real processes, with a fake clock and a fork that can fail.
 *
 * A child that is to stay alive waits for a signal; one that is to end exits with a given status.
 * Nothing sleeps: the test waits for a child's end without reaping it. Like process 1, the test
 * inherits the orphans of its children.
 */
#include "capture.h"
#include "children.h"
#include "cmocka_all.h"
#include "fake_clock.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 3
#define FIRST_MS 50
#define MAX_MS 400
#define HEALTHY_MS 5000
#define LIVES (-1) /* an exit status: the child waits for a signal */
#define LAST 42    /* an exit status after which the owner wants no other child */

/* The linker's --wrap gives these their names. */
pid_t __real_fork(void);
pid_t __wrap_fork(void);

static unsigned failing_forks; /* how many of the next forks fail */
static unsigned forks;         /* calls of fork */
static bool was_stopping;      /* what the owner of the last child was told */

pid_t __wrap_fork(void)
{
    forks++;
    if (failing_forks == 0)
        return __real_fork();
    failing_forks--;
    errno = EAGAIN;
    return -1;
}

/* What a child is to do, and what its owner saw of it. */
struct life {
    int status; /* what to end with, or LIVES */
    int number; /* a signal to end by; 0 = none */
    int told;   /* a pipe to which it writes a byte once it runs; -1 = none */
    unsigned ends;
    int last_status; /* of waitpid */
};

struct fixture {
    struct child items[CHILDREN];
    struct children children;
    struct life lives[CHILDREN];
    char *log; /* what the last logged call wrote; owned */
};

static int run_life(void *context)
{
    const struct life *life = context;

    if (life->told >= 0 && write(life->told, "x", 1) != 1)
        _exit(99);
    if (life->number != 0)
        (void)raise(life->number);
    while (life->status == LIVES)
        (void)pause();
    _exit(life->status); /* exit() would run the test program's exit handlers */
}

static bool on_end(void *context, int status, bool is_stopping)
{
    struct life *life = context;

    life->ends++;
    life->last_status = status;
    was_stopping = is_stopping;
    return !WIFEXITED(status) || WEXITSTATUS(status) != LAST;
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->children = (struct children){f->items, CHILDREN};
    for (unsigned i = 0; i < CHILDREN; i++) {
        f->lives[i] = (struct life){LIVES, 0, -1, 0, 0};
        child_init(&f->items[i], &(struct child_config){
                                     .role = i == 0 ? "coordinator" : "worker",
                                     .index = i == 0 ? 0 : i - 1,
                                     .run = run_life,
                                     .on_end = i == 0 ? NULL : on_end,
                                     .context = &f->lives[i],
                                     .first_restart_ms = FIRST_MS,
                                     .max_restart_ms = MAX_MS,
                                 });
    }
    fake_clock_begin(1000000);
    log_set_level(LOG_INFO);
    failing_forks = 0;
    forks = 0;
    *state = f;
    return 0;
}

/* Kills the remaining children: none outlives its case. */
static int end(void **state)
{
    struct fixture *f = *state;

    children_signal(&f->children, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
    fake_clock_end();
    free(f->log);
    free(f);
    return 0;
}

/* Waits until the process has ended, but does not reap it. */
static void wait_end(pid_t pid)
{
    siginfo_t info;

    assert_true(pid > 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

/* Reaps all that have ended, and keeps the log lines in f->log. Nothing is forked meanwhile: a
 * child would keep the captured stdout open. Returns how many of ours had ended. */
static unsigned reap(struct fixture *f, bool is_stopping)
{
    struct capture capture;
    struct child *child;
    unsigned count = 0;
    int status;

    was_stopping = is_stopping;
    capture_begin(&capture);
    while ((child = children_reap(&f->children, &status)) != NULL) {
        assert_int_equal(child->pid, 0);
        child_end(child, status, is_stopping);
        count++;
    }
    capture_end(&capture);
    assert_int_equal(was_stopping, is_stopping);
    free(f->log);
    f->log = strdup(capture.text);
    capture_free(&capture);
    assert_non_null(f->log);
    return count;
}

static void assert_logged(const struct fixture *f, const char *text)
{
    if (strstr(f->log, text) == NULL)
        fail_msg("\"%s\" is not in: %s", text, f->log);
}

/* Starts child `i`, which ends by itself, and reaps it. Returns how long its restart has to wait.
 */
static uint64_t start_and_reap(struct fixture *f, unsigned i, uint64_t life_ms)
{
    (void)children_start_due(&f->children);
    wait_end(f->items[i].pid);
    fake_clock.now_ms += life_ms;
    assert_int_equal(reap(f, false), 1);
    assert_int_equal(f->items[i].pid, 0);
    return f->items[i].restart_ms - fake_clock.now_ms;
}

/* All are started at once, each as a process of its own, and only once. */
static void test_start(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(children_running(&f->children), 0);
    assert_int_equal(children_start_due(&f->children), -1);
    assert_int_equal(children_running(&f->children), CHILDREN);
    for (unsigned i = 0; i < CHILDREN; i++)
        assert_int_equal(kill(f->items[i].pid, 0), 0);
    assert_int_not_equal(f->items[0].pid, f->items[1].pid);
    assert_int_equal(children_start_due(&f->children), -1);
    assert_int_equal(forks, CHILDREN);
    assert_int_equal(reap(f, false), 0);
    assert_string_equal(f->log, "");
    assert_int_equal(children_running(&f->children), CHILDREN);
}

/* When a child ends, its status or signal is logged, its owner is told, the others go on, and the
 * child is started again when it is due. */
static void test_restart(void **state)
{
    struct fixture *f = *state;

    f->lives[1].status = 3;
    f->lives[2].number = SIGKILL;
    (void)children_start_due(&f->children);
    wait_end(f->items[1].pid);
    wait_end(f->items[2].pid);
    assert_int_equal(reap(f, false), 2);
    assert_logged(f, "action: close_process | result: fail | process: worker | index: 0 | pid: ");
    assert_logged(f, " | reason: exit status 3\n");
    assert_logged(f, " | reason: killed by signal 9 (Killed)\n");
    assert_logged(f, "action: restart_process | result: in_progress | process: worker | "
                     "index: 0 | wait_ms: 25\n");
    assert_logged(f, "process: worker | index: 1 | wait_ms: 25\n");
    assert_int_equal(f->lives[1].ends, 1);
    assert_int_equal(f->lives[2].ends, 1);
    assert_true(WIFEXITED(f->lives[1].last_status) && WEXITSTATUS(f->lives[1].last_status) == 3);
    assert_true(WIFSIGNALED(f->lives[2].last_status));
    assert_int_equal(children_running(&f->children), 1);

    fake_clock.now_ms += 24;
    assert_int_equal(children_start_due(&f->children), 1);
    assert_int_equal(children_running(&f->children), 1);
    fake_clock.now_ms += 1;
    assert_int_equal(children_start_due(&f->children), -1);
    assert_int_equal(children_running(&f->children), CHILDREN);
}

/* Exit status 0 while nothing asked for a stop is a failure too, and the child is started again. */
static void test_exit_0_while_running(void **state)
{
    struct fixture *f = *state;

    f->lives[0].status = 0;
    assert_int_equal(start_and_reap(f, 0, 0), FIRST_MS / 2);
    assert_logged(f, "action: close_process | result: fail | process: coordinator | index: 0");
    assert_logged(f, " | reason: exit status 0\n");
}

/* A child that keeps dying waits longer each time, up to the maximum. After a healthy life the
 * waits are short again. */
static void test_backoff(void **state)
{
    static const uint64_t waits[] = {25, 50, 100, 200, 200, 200};
    struct fixture *f = *state;

    f->lives[1].status = 1;
    for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        assert_int_equal(start_and_reap(f, 1, 10), waits[i]);
        fake_clock.now_ms = f->items[1].restart_ms;
    }
    assert_int_equal(start_and_reap(f, 1, HEALTHY_MS - 1), 200);
    fake_clock.now_ms = f->items[1].restart_ms;
    assert_int_equal(start_and_reap(f, 1, HEALTHY_MS), 25);
    assert_int_equal(f->lives[1].ends, 8);
}

/* The wait is that of the child which is due first. */
static void test_wait_for_the_first(void **state)
{
    struct fixture *f = *state;

    f->lives[1].status = 1;
    assert_int_equal(start_and_reap(f, 1, 0), 25);
    fake_clock.now_ms += 25;
    assert_int_equal(start_and_reap(f, 1, 0), 50);
    fake_clock.now_ms += 20;
    assert_int_equal(kill(f->items[2].pid, SIGKILL), 0);
    wait_end(f->items[2].pid);
    assert_int_equal(reap(f, false), 1); /* 2 is due in 25, 1 in 30 */
    assert_int_equal(children_start_due(&f->children), 25);
    fake_clock.now_ms += 25;
    assert_int_equal(children_start_due(&f->children), 5);
}

/* A fork that fails is logged, and tried again like the restart of a child that died. */
static void test_fork_fails(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    failing_forks = CHILDREN + 1;
    capture_begin(&capture);
    int wait = children_start_due(&f->children);
    capture_end(&capture);
    f->log = strdup(capture.text);
    capture_free(&capture);
    assert_int_equal(wait, 25);
    assert_int_equal(children_running(&f->children), 0);
    assert_logged(f, "ERROR    action: start_process | result: fail | process: coordinator | "
                     "index: 0 | reason: Resource temporarily unavailable\n");
    assert_logged(f, "process: worker | index: 1 | reason: Resource temporarily unavailable\n");
    assert_int_equal(children_start_due(&f->children), 25);
    assert_int_equal(forks, CHILDREN); /* not before they are due */

    fake_clock.now_ms += 25;
    assert_int_equal(children_start_due(&f->children), 50); /* the first one failed again */
    assert_int_equal(children_running(&f->children), CHILDREN - 1);
    fake_clock.now_ms += 50;
    assert_int_equal(children_start_due(&f->children), -1);
    assert_int_equal(f->lives[1].ends, 0);
}

/* A child whose owner wants no other is not started again: no restart is planned or logged. Before
 * a stop, that of a sibling is. */
static void test_owner_wants_no_other(void **state)
{
    struct fixture *f = *state;

    f->lives[2].status = LAST;
    (void)children_start_due(&f->children);
    wait_end(f->items[2].pid);
    assert_int_equal(reap(f, false), 1);
    assert_logged(f, " | reason: exit status 42\n");
    assert_null(strstr(f->log, "restart_process"));
    assert_int_equal(f->lives[2].ends, 1);

    assert_int_equal(kill(f->items[1].pid, SIGTERM), 0);
    wait_end(f->items[1].pid);
    assert_int_equal(reap(f, false), 1);
    assert_logged(f, "killed by signal 15 (Terminated)\n");
    assert_logged(f, "restart_process");

    /* While stopping, what the owner wants does not matter. */
    assert_int_equal(kill(f->items[0].pid, SIGKILL), 0);
    wait_end(f->items[0].pid);
    assert_int_equal(reap(f, true), 1);
    assert_null(strstr(f->log, "restart_process"));
}

/* A pid whose process was reaped may be another's: no signal is sent to it, and it is not taken for
 * a child's again. */
static void test_reaped_pids(void **state)
{
    struct fixture *f = *state;
    int status;

    f->lives[1].status = 1;
    (void)children_start_due(&f->children);
    pid_t pid = f->items[1].pid;
    wait_end(pid);
    struct child *child = children_reap(&f->children, &status);
    assert_ptr_equal(child, &f->items[1]);
    assert_int_equal(child->pid, 0);
    assert_int_equal(child->last_pid, pid);
    assert_int_equal(children_running(&f->children), CHILDREN - 1);
    children_signal(&f->children, SIGSTOP); /* would stop this process, too, if it went to pid 0 */
    assert_null(children_reap(&f->children, &status));
    children_signal(&f->children, SIGCONT);
}

/* A part of the children is started, counted and signalled by itself; the others are not touched.
 */
static void test_part(void **state)
{
    struct fixture *f = *state;
    struct children part = {f->items + 1, 1};

    assert_int_equal(children_start_due(&part), -1);
    assert_int_equal(children_running(&f->children), 1);
    assert_int_equal(children_start_due(&f->children), -1);
    assert_int_equal(children_running(&f->children), CHILDREN);
    assert_int_equal(children_running(&part), 1);
    children_signal(&part, SIGKILL);
    wait_end(f->items[1].pid);
    assert_int_equal(reap(f, true), 1);
    assert_int_equal(children_running(&part), 0);
    assert_int_equal(children_running(&f->children), CHILDREN - 1);
}

/* A stop: the signal reaches all children that run, and only those. Exit status 0 is a success, any
 * other end is logged as a failure, and none is started again. */
static void test_stop(void **state)
{
    struct fixture *f = *state;

    f->lives[0].status = 0;
    (void)children_start_due(&f->children);
    wait_end(f->items[0].pid);
    assert_int_equal(reap(f, true), 1);
    assert_logged(f, "INFO     action: close_process | result: success | process: coordinator | "
                     "index: 0 | pid: ");
    assert_null(strstr(f->log, "reason"));
    assert_null(strstr(f->log, "restart_process"));
    assert_int_equal(children_running(&f->children), 2);

    children_signal(&f->children, SIGTERM); /* pid 0 would be our whole process group */
    wait_end(f->items[1].pid);
    wait_end(f->items[2].pid);
    assert_int_equal(reap(f, true), 2);
    assert_logged(f, "ERROR    action: close_process | result: fail | process: worker | index: 1");
    assert_logged(f, "killed by signal 15 (Terminated)\n");
    assert_null(strstr(f->log, "restart_process"));
    assert_int_equal(children_running(&f->children), 0);
    assert_int_equal(f->lives[1].ends, 1);
}

/* An orphan that we inherit is reaped, and does not count as one of the children. */
static void test_orphan(void **state)
{
    struct fixture *f = *state;
    siginfo_t info;
    pid_t orphan;
    int fds[2];

    assert_int_equal(children_start_due(&f->children), -1);
    assert_int_equal(pipe(fds), 0);
    pid_t parent = __real_fork();
    assert_true(parent >= 0);
    if (parent == 0) {
        orphan = __real_fork();
        if (orphan == 0)
            _exit(LAST);
        _exit(write(fds[1], &orphan, sizeof(orphan)) == sizeof(orphan) ? 0 : 1);
    }
    assert_int_equal(read(fds[0], &orphan, sizeof(orphan)), sizeof(orphan));
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(close(fds[1]), 0);
    wait_end(parent);
    wait_end(orphan); /* ours now */
    assert_int_equal(reap(f, false), 0);
    assert_string_equal(f->log, "");
    assert_int_equal(children_running(&f->children), CHILDREN);
    assert_int_equal(waitid(P_PID, (id_t)orphan, &info, WEXITED | WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* However the supervisor dies, the kernel kills its children. */
static void test_the_supervisor_dies(void **state)
{
    struct fixture *f = *state;
    pid_t pids[CHILDREN];
    int fds[2];
    int told[2];
    char byte;

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(pipe(told), 0);
    for (unsigned i = 0; i < CHILDREN; i++)
        f->lives[i].told = told[1];
    pid_t supervisor = __real_fork();
    assert_true(supervisor >= 0);
    if (supervisor == 0) {
        (void)children_start_due(&f->children);
        for (unsigned i = 0; i < CHILDREN; i++) {
            if (read(told[0], &byte, 1) != 1) /* each of them runs */
                _exit(1);
            pids[i] = f->items[i].pid;
        }
        _exit(write(fds[1], pids, sizeof(pids)) == sizeof(pids) ? 0 : 1);
    }
    assert_int_equal(read(fds[0], pids, sizeof(pids)), sizeof(pids));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(close(fds[i]), 0);
        assert_int_equal(close(told[i]), 0);
    }
    for (unsigned i = 0; i < CHILDREN; i++) {
        int status;
        wait_end(supervisor);
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGKILL);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_start),
        CASE(test_restart),
        CASE(test_exit_0_while_running),
        CASE(test_backoff),
        CASE(test_wait_for_the_first),
        CASE(test_fork_fails),
        CASE(test_owner_wants_no_other),
        CASE(test_reaped_pids),
        CASE(test_part),
        CASE(test_stop),
        CASE(test_orphan),
        CASE(test_the_supervisor_dies),
    };

    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return EXIT_FAILURE;
    return cmocka_run_group_tests_name("children", tests, NULL, NULL);
}
