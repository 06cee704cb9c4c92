#include "capture.h"
#include "cmocka_all.h"
#include "fake_clock.h"
#include "forked.h"
#include "log_limit.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PERIOD_MS (1000 / LOG_LIMIT_PER_S)

/* Each test begins long after the one before, so that its limits have all to give. */
static int begin(void **state)
{
    static uint64_t now_ms;

    (void)state;
    now_ms += 1000 * 1000;
    fake_clock_begin(now_ms);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_clock_end();
    return 0;
}

static void log_one(unsigned number)
{
    LOG_LIMITED(5, ERROR, "kind", FAIL, LOG_UINT("n", number));
}

static void log_another(void)
{
    LOG_LIMITED(2, INFO, "other", SUCCESS);
}

/* How many of the lines that were captured have this text? */
static unsigned count(const struct capture *capture, const char *text)
{
    unsigned found = 0;

    for (const char *at = capture->text; (at = strstr(at, text)) != NULL; at++)
        found++;
    return found;
}

/* A burst, then as many as time gives back, then a line that says how many are missing. */
static void test_limit(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    for (unsigned i = 0; i < 100; i++)
        log_one(i);
    fake_clock.now_ms += 2 * PERIOD_MS;
    for (unsigned i = 100; i < 200; i++)
        log_one(i);
    log_limits_tell();
    log_limits_tell();
    capture_end(&capture);
    assert_int_equal(count(&capture, "action: kind | result: fail | n: "), 7);
    assert_non_null(strstr(capture.text, "n: 4\n"));
    assert_non_null(strstr(capture.text, "n: 101\n"));
    assert_int_equal(count(&capture, "omitted"), 1);
    assert_non_null(strstr(capture.text, "ERROR    action: kind | result: fail | omitted: 193\n"));
    capture_free(&capture);
}

/* Each place in the code has its own limit, and its count is told with its level and result. */
static void test_kinds(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    for (unsigned i = 0; i < 6; i++) {
        log_one(i);
        log_another();
    }
    log_limits_tell();
    capture_end(&capture);
    assert_int_equal(count(&capture, "action: kind | result: fail | n: "), 5);
    assert_int_equal(count(&capture, "action: other | result: success\n"), 2);
    assert_non_null(strstr(capture.text, "ERROR    action: kind | result: fail | omitted: 1\n"));
    assert_non_null(
        strstr(capture.text, "INFO     action: other | result: success | omitted: 4\n"));
    capture_free(&capture);
}

/* Without a loop that calls later, a later line tells what is missing. */
static void test_told_by_a_later_line(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    for (unsigned i = 0; i < 8; i++)
        log_one(i);
    fake_clock.now_ms += 2 * LOG_LIMIT_TELL_MS;
    log_another();
    capture_end(&capture);
    assert_non_null(strstr(capture.text, "n: 4\n"));
    assert_non_null(strstr(capture.text, "omitted: 3\n"));
    capture_free(&capture);
}

/* What a process has omitted, it tells itself, and those that it forks do not. */
static void test_forked(void **state)
{
    struct capture capture;
    pid_t parent = getpid();
    int status = -1;

    (void)state;
    capture_begin(&capture);
    for (unsigned i = 0; i < 8; i++)
        log_one(i);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        forked_end_with(parent);
        for (unsigned i = 8; i < 10; i++)
            log_one(i);
        log_limits_tell();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    log_limits_tell();
    capture_end(&capture);
    assert_int_equal(count(&capture, "omitted"), 2);
    assert_int_equal(count(&capture, "omitted: 2\n"), 1);
    assert_int_equal(count(&capture, "omitted: 3\n"), 1);
    capture_free(&capture);
}

/* Lines below the level count nothing. */
static void test_level(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    log_set_level(LOG_CRITICAL);
    for (unsigned i = 0; i < 100; i++)
        log_one(i);
    log_set_level(LOG_INFO);
    log_one(100);
    log_limits_tell();
    capture_end(&capture);
    assert_non_null(strstr(capture.text, "n: 100\n"));
    assert_int_equal(count(&capture, "omitted"), 0);
    capture_free(&capture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_limit, begin, end),
        cmocka_unit_test_setup_teardown(test_kinds, begin, end),
        cmocka_unit_test_setup_teardown(test_told_by_a_later_line, begin, end),
        cmocka_unit_test_setup_teardown(test_forked, begin, end),
        cmocka_unit_test_setup_teardown(test_level, begin, end),
    };

    return cmocka_run_group_tests_name("log_limit", tests, NULL, NULL);
}
