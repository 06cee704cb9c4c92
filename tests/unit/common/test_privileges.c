/* What a process gives up. Each case is a process of its own, because nothing here can be undone.
 */
#include "cmocka_all.h"
#include "log_output.h"
#include "privileges.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIGH_FD 900 /* above everything that is open */

/* The linker's --wrap gives this its name. */
int __real_close_range(unsigned first, unsigned last, int flags);
int __wrap_close_range(unsigned first, unsigned last, int flags);

static bool has_close_range; /* does the kernel know it? */

int __wrap_close_range(unsigned first, unsigned last, int flags)
{
    return has_close_range ? __real_close_range(first, last, flags) : -1;
}

/* Runs it in a process, and checks that it returns 0. */
static void assert_in_process(int (*run)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* Opens the next free descriptor. */
static int open_one(void)
{
    return open("/dev/null", O_RDONLY);
}

static int keep_some(void)
{
    int ends[2];

    if (pipe(ends) < 0 || dup2(ends[1], STDOUT_FILENO) < 0)
        return 1;
    log_output_open(); /* to a pipe, for which it opens a descriptor of its own */
    int first = open_one();
    int second = open_one();
    int third = open_one();
    if (dup2(first, HIGH_FD) != HIGH_FD || third <= second || third >= HIGH_FD)
        return 1;
    const int kept[] = {-1, second};
    privileges_keep_fds(kept, 2);
    if (is_open(first) || !is_open(second) || is_open(third) || is_open(HIGH_FD))
        return 2;
    if (!is_open(0) || !is_open(1) || !is_open(2) || !is_open(log_output_fd()))
        return 3;
    int of_log[LOG_FDS_MAX];
    size_t count = log_output_fds(of_log);
    for (size_t i = 0; i < count; i++) {
        if (!is_open(of_log[i]))
            return 4;
    }
    return count == 2 ? 0 : 5;
}

static int keep_none(void)
{
    int first = open_one();

    if (dup2(first, HIGH_FD) != HIGH_FD)
        return 1;
    privileges_keep_fds(NULL, 0);
    return is_open(first) || is_open(HIGH_FD) ? 2 : 0;
}

/* Those that are named and those of the log stay open, all others are closed. */
static void test_keep_fds(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        has_close_range = i == 0;
        assert_in_process(keep_some);
        assert_in_process(keep_none);
    }
}

static int give_up(void)
{
    for (int i = 0; i < 2; i++) {
        if (!privileges_give_up() || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
            return 1;
    }
    return 0;
}

/* Whoever has started the test may have given it up before: then nothing is to be seen. */
static void test_give_up(void **state)
{
    (void)state;
    assert_in_process(give_up);
}

static int leave_no_core(void)
{
    struct rlimit before;
    struct rlimit after;

    if (getrlimit(RLIMIT_CORE, &before) < 0)
        return 1;
    privileges_leave_no_core();
    if (getrlimit(RLIMIT_CORE, &after) < 0 || after.rlim_cur != 0)
        return 2;
    return after.rlim_max == before.rlim_max ? 0 : 3;
}

/* The hard limit stays, so that it can be raised for a search. */
static void test_leave_no_core(void **state)
{
    (void)state;
    assert_in_process(leave_no_core);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_fds),
        cmocka_unit_test(test_give_up),
        cmocka_unit_test(test_leave_no_core),
    };

    return cmocka_run_group_tests_name("privileges", tests, NULL, NULL);
}
