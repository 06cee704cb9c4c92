/* Masks and dispositions of signals, in processes of the test's own that start with bad ones. */
#include "cmocka_all.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a parent may have left: everything ignored and blocked. */
static void inherit_the_worst(void)
{
    sigset_t all;

    for (int number = 1; number <= SIGRTMAX; number++)
        (void)signal(number, SIG_IGN);
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
}

static bool is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static bool is_blocked(int number)
{
    sigset_t set;

    return sigprocmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, number) == 1;
}

/* Runs `check` in a process of its own, which ends with the number of the check that failed. */
static void in_process(int (*check)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(check());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Returns the first signal that is not as the table in signals.h says; 0 when all are. */
static int first_wrong(bool is_child, bool is_hup_ignored)
{
    for (int number = 1; number <= SIGRTMAX; number++) {
        if (number > SIGSYS && number < SIGRTMIN)
            continue; /* the C library's own */
        bool is_asking = number == SIGTERM || number == SIGINT;
        bool blocked =
            is_asking || (number == SIGCHLD && !is_child) || (number == SIGHUP && !is_hup_ignored);
        bool ignored =
            number == SIGPIPE || number == SIGXFSZ || (number == SIGHUP && is_hup_ignored);
        if (is_blocked(number) != blocked || is_ignored(number) != ignored)
            return number;
    }
    return 0;
}

static int check_worst(void)
{
    inherit_the_worst();
    signals_init();
    return first_wrong(false, true);
}

static int check_plain(void)
{
    signals_init();
    return first_wrong(false, false);
}

static int check_child(void)
{
    inherit_the_worst();
    signals_init();
    signals_init_child();
    return first_wrong(true, true);
}

static int check_plain_child(void)
{
    signals_init();
    signals_init_child();
    return first_wrong(true, false);
}

/* Whatever was inherited, everything is as the table says; only SIGHUP may stay ignored. */
static void test_table(void **state)
{
    (void)state;
    in_process(check_worst);
    in_process(check_plain);
    in_process(check_child);
    in_process(check_plain_child);
}

static void on_signal(int number)
{
    (void)number;
}

static int check_handler(void)
{
    struct sigaction action;

    (void)signal(SIGSEGV, on_signal);
    signals_init();
    return sigaction(SIGSEGV, NULL, &action) == 0 && action.sa_handler == on_signal ? 0 : 1;
}

/* A handler is not inherited: it is one of a sanitizer, and stays. */
static void test_handler(void **state)
{
    (void)state;
    in_process(check_handler);
}

/* A child of a process that once ignored SIGCHLD can be waited for, and its end is reported. */
static int check_sigchld(void)
{
    inherit_the_worst();
    signals_init();
    int fd = signals_open();
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    if (fd < 0)
        return 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(7);
    if (poll(&poll_fd, 1, 30000) != 1)
        return 2;
    const struct signals_taken taken = signals_take(fd);
    if (taken.is_stop || taken.is_reload)
        return 3;
    int status;
    if (waitpid(pid, &status, 0) != pid)
        return 4;
    return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : 5;
}

static void test_sigchld(void **state)
{
    (void)state;
    in_process(check_sigchld);
}

/* A stop that was asked for before anybody reads is not lost, and each of the two signals is one;
 * all that have arrived are taken at once. */
static int check_stop(void)
{
    static const int numbers[] = {SIGTERM, SIGINT};

    signals_init();
    for (unsigned i = 0; i < 2; i++) {
        (void)raise(numbers[i]);
        (void)raise(SIGCHLD);
        int fd = signals_open();
        if (fd < 0)
            return 1;
        if (!signals_take(fd).is_stop || signals_take(fd).is_stop)
            return 2;
        (void)raise(SIGCHLD);
        if (signals_take(fd).is_stop)
            return 3;
        if ((fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
            return 4;
        (void)close(fd);
    }
    return 0;
}

static void test_stop(void **state)
{
    (void)state;
    in_process(check_stop);
}

/* SIGHUP asks for new settings, and tells who has sent it; it is no stop, and a stop is not that.
 */
static int check_reload(void)
{
    signals_init();
    (void)kill(getpid(), SIGHUP);
    int fd = signals_open();
    struct signals_taken taken = signals_take(fd);
    if (!taken.is_reload || taken.is_stop || taken.uid != getuid())
        return 1;
    (void)raise(SIGTERM);
    taken = signals_take(fd);
    if (taken.is_reload || !taken.is_stop)
        return 2;
    (void)raise(SIGTERM);
    (void)kill(getpid(), SIGHUP);
    taken = signals_take(fd);
    return taken.is_reload && taken.is_stop ? 0 : 3;
}

/* Where it was ignored, it stays so: whoever started the server wants it to outlive a terminal. */
static int check_ignored_reload(void)
{
    (void)signal(SIGHUP, SIG_IGN);
    signals_init();
    int fd = signals_open();
    (void)kill(getpid(), SIGHUP);
    return signals_take(fd).is_reload ? 1 : 0;
}

static void test_reload(void **state)
{
    (void)state;
    in_process(check_reload);
    in_process(check_ignored_reload);
}

/* Without a free descriptor there is an error. */
static int check_no_descriptor(void)
{
    while (dup(STDIN_FILENO) >= 0)
        continue;
    return signals_open() == -1 && errno == EMFILE ? 0 : 1;
}

static void test_no_descriptor(void **state)
{
    (void)state;
    in_process(check_no_descriptor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),         cmocka_unit_test(test_handler),
        cmocka_unit_test(test_sigchld),       cmocka_unit_test(test_stop),
        cmocka_unit_test(test_no_descriptor), cmocka_unit_test(test_reload),
    };

    return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
