#include "assertion.h"
#include "cmocka_all.h"
#include "log.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs `body` in a child with its stdout in `out`; returns the child's wait status. */
static int run_child(void (*body)(void), char *out, size_t size)
{
    int fds[2];
    size_t got = 0;
    int status;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)close(fds[0]);
        (void)close(fds[1]);
        (void)signal(SIGABRT, SIG_DFL); /* cmocka's own would go on with the test */
        body();
        _exit(0);
    }
    (void)close(fds[1]);
    for (ssize_t n; (n = read(fds[0], out + got, size - 1 - got)) > 0;)
        got += (size_t)n;
    out[got] = '\0';
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_true_thing(void)
{
    ASSERT(1 + 1 == 2);
}

static void assert_false_thing(void)
{
    ASSERT(1 + 1 == 3);
}

static void assert_false_thing_while_holding(void)
{
    log_hold();
    LOG(INFO, "before", SUCCESS);
    ASSERT(1 + 1 == 4);
}

/* A true condition has no effect. */
static void test_holds(void **state)
{
    char out[1024];

    (void)state;
    int status = run_child(assert_true_thing, out, sizeof(out));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(out, "");
}

/* A false condition ends the process; the log has the condition and the file's path in the project.
 */
static void test_fails(void **state)
{
    char out[1024];

    (void)state;
    int status = run_child(assert_false_thing, out, sizeof(out));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(out, "CRITICAL action: assert | result: fail | condition: 1 + 1 == 3 | "
                                "file: tests/unit/common/test_assertion.c | line: "));
}

/* Lines that are being collected are not lost with the process, least of all that one. */
static void test_fails_while_lines_are_held(void **state)
{
    char out[1024];

    (void)state;
    int status = run_child(assert_false_thing_while_holding, out, sizeof(out));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    const char *before = strstr(out, "action: before | result: success\n");
    assert_non_null(before);
    assert_non_null(strstr(before, "condition: 1 + 1 == 4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds),
        cmocka_unit_test(test_fails),
        cmocka_unit_test(test_fails_while_lines_are_held),
    };

    return cmocka_run_group_tests_name("assertion", tests, NULL, NULL);
}
