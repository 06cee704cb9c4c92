/* The progress line, on a terminal whose other end the test holds. */
#include "cmocka_all.h"
#include "fake_clock.h"
#include "progress.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WIPE "\r\033[K"
#define TEXT_SIZE 512

/* stdout and stderr as they were, and where their output can be read. */
struct fixture {
    int saved_out;
    int saved_err;
    int master; /* of the terminal */
};

static int open_terminal(int *master)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (*master < 0 || grantpt(*master) != 0 || unlockpt(*master) != 0)
        return -1;
    return open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static void begin(struct fixture *f, bool out_is_terminal, bool err_is_terminal)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int terminal = open_terminal(&f->master);

    assert_true(nowhere >= 0);
    assert_true(terminal >= 0);
    fake_clock_begin(1000);
    (void)fflush(stdout);
    (void)fflush(stderr);
    f->saved_out = dup(STDOUT_FILENO);
    f->saved_err = dup(STDERR_FILENO);
    assert_true(dup2(out_is_terminal ? terminal : nowhere, STDOUT_FILENO) >= 0);
    assert_true(dup2(err_is_terminal ? terminal : nowhere, STDERR_FILENO) >= 0);
    assert_int_equal(close(terminal), 0);
    assert_int_equal(close(nowhere), 0);
}

/* Reads what was written to the terminal since the last call. */
static void read_terminal(struct fixture *f, char out[TEXT_SIZE])
{
    (void)fflush(stderr);
    ssize_t size = read(f->master, out, TEXT_SIZE - 1);
    out[size > 0 ? size : 0] = '\0';
}

/* Restores both. Only then may the test assert anything: before that, a failure would be printed on
 * the test's terminal. */
static void end(struct fixture *f)
{
    (void)fflush(stdout);
    (void)fflush(stderr);
    (void)dup2(f->saved_out, STDOUT_FILENO);
    (void)dup2(f->saved_err, STDERR_FILENO);
    (void)close(f->saved_out);
    (void)close(f->saved_err);
    (void)close(f->master);
    fake_clock_end();
}

/* On a terminal: bets sent, the rate since the start, what it waits for; then erased, once. */
static void test_on_a_terminal(void **state)
{
    struct progress progress;
    struct fixture f;
    char begun[TEXT_SIZE];
    char later[TEXT_SIZE];
    char wiped[TEXT_SIZE];
    char wiped_again[TEXT_SIZE];

    (void)state;
    begin(&f, true, true);
    progress_init(&progress);
    progress_show(&progress, 0, 500, "connecting");
    read_terminal(&f, begun);
    fake_clock.now_ms += 2000;
    progress_show(&progress, 300, 500, "sending");
    read_terminal(&f, later);
    progress_clear(&progress);
    read_terminal(&f, wiped);
    progress_clear(&progress);
    read_terminal(&f, wiped_again);
    end(&f);
    assert_string_equal(begun, WIPE "0/500 bets, 0/s, connecting\r");
    assert_string_equal(later, WIPE "300/500 bets, 150/s, sending\r");
    assert_string_equal(wiped, WIPE);
    assert_string_equal(wiped_again, "");
}

/* If stdout or stderr is not a terminal, there are only log lines. */
static void test_in_a_pipe(void **state)
{
    static const bool is_terminal[][2] = {{false, true}, {true, false}, {false, false}};
    struct progress progress;
    struct fixture f;
    char text[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin(&f, is_terminal[i][0], is_terminal[i][1]);
        progress_init(&progress);
        progress_show(&progress, 1, 2, "sending");
        progress_clear(&progress);
        read_terminal(&f, text);
        end(&f);
        assert_string_equal(text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_a_terminal),
        cmocka_unit_test(test_in_a_pipe),
    };

    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
