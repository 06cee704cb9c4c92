/* Signals to this process itself: every test ends with both blocked and none pending. */
#include "cmocka_all.h"
#include "loop.h"
#include "stop_signals.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

struct fixture {
    uv_loop_t loop;
    struct stop_signals signals;
    unsigned stops;
};

static void on_stop(void *context)
{
    ((struct fixture *)context)->stops++;
}

static void begin(struct fixture *f)
{
    stop_signals_block();
    loop_begin(&f->loop);
    f->stops = 0;
}

static enum status begin_reports(struct fixture *f)
{
    return stop_signals_start(&f->signals, &(struct stop_signals_config){&f->loop, on_stop, f});
}

/* Removes a signal that a test has left pending, so that the next test starts without it. */
static bool take_pending(int number)
{
    sigset_t pending;
    sigset_t one;
    int taken;

    assert_int_equal(sigpending(&pending), 0);
    if (sigismember(&pending, number) == 0)
        return false;
    sigemptyset(&one);
    sigaddset(&one, number);
    assert_int_equal(sigwait(&one, &taken), 0);
    return true;
}

/* Each signal is reported, one after the other. */
static void test_reported(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGINT};
    struct fixture f;

    (void)state;
    begin(&f);
    assert_int_equal(begin_reports(&f), STATUS_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(kill(getpid(), numbers[i]), 0);
        loop_until_count(&f.loop, &f.stops, i + 1, "on_stop");
    }
    loop_turn(&f.loop);
    assert_int_equal(f.stops, 3);
    stop_signals_close(&f.signals);
    loop_end(&f.loop);
}

/* A signal that arrives before the start is not lost. */
static void test_before_the_start(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(begin_reports(&f), STATUS_OK);
    loop_until_count(&f.loop, &f.stops, 1, "on_stop");
    stop_signals_close(&f.signals);
    loop_end(&f.loop);
}

/* A signal that arrives after the end neither kills the process nor is reported; the descriptor is
 * closed. */
static void test_after_the_end(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    assert_int_equal(begin_reports(&f), STATUS_OK);
    int fd = f.signals.fd;
    stop_signals_close(&f.signals);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(kill(getpid(), SIGINT), 0);
    loop_end(&f.loop);
    assert_int_equal(f.stops, 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_true(take_pending(SIGTERM));
    assert_true(take_pending(SIGINT));
}

/* Without a free descriptor the start fails, and nothing stays open. */
static void test_no_descriptor(void **state)
{
    struct rlimit limit;
    struct fixture f;

    (void)state;
    begin(&f);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(begin_reports(&f), STATUS_IO);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    loop_end(&f.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reported),
        cmocka_unit_test(test_before_the_start),
        cmocka_unit_test(test_after_the_end),
        cmocka_unit_test(test_no_descriptor),
    };

    return cmocka_run_group_tests_name("stop_signals", tests, NULL, NULL);
}
