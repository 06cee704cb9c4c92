/* The progress line, on a terminal whose other end the test holds. */
#include "cmocka_all.h"
#include "fake_clock.h"
#include "progress.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
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
    (void)unsetenv("TERM");
    (void)unsetenv("NO_COLOR");
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

/* On a terminal: bets stored, the rate of what this run has sent, what it waits for; then erased,
 * once; then the summary. The time ends when the server has all, however long the draw takes. */
static void test_on_a_terminal(void **state)
{
    struct progress progress;
    struct fixture f;
    char begun[TEXT_SIZE];
    char later[TEXT_SIZE];
    char waiting[TEXT_SIZE];
    char wiped[TEXT_SIZE];
    char wiped_again[TEXT_SIZE];
    char summary[TEXT_SIZE];

    (void)state;
    begin(&f, true, true);
    progress_init(&progress);
    progress_show(&progress, 0, 500, "connecting");
    read_terminal(&f, begun);
    fake_clock.now_ms += 60000;
    progress_begin(&progress, 100);
    fake_clock.now_ms += 2000;
    progress_begin(&progress, 300); /* after another connection: the run goes on */
    progress_show(&progress, 300, 500, "sending");
    read_terminal(&f, later);
    fake_clock.now_ms += 2500;
    progress_end(&progress);
    fake_clock.now_ms += 60000;
    progress_end(&progress);
    progress_show(&progress, 500, 500, "waiting for the draw");
    read_terminal(&f, waiting);
    progress_clear(&progress);
    read_terminal(&f, wiped);
    progress_clear(&progress);
    read_terminal(&f, wiped_again);
    progress_sum_up(&progress, 500, 7);
    read_terminal(&f, summary);
    end(&f);
    assert_string_equal(begun, "0/500 bets, 0/s, connecting\r");
    assert_string_equal(later, WIPE "300/500 bets, 100/s, sending\r");
    assert_string_equal(waiting, WIPE "500/500 bets, 88/s, waiting for the draw\r");
    assert_string_equal(wiped, WIPE);
    assert_string_equal(wiped_again, "");
    assert_string_equal(summary, "400 of 500 bets sent in 4.5 s, 88/s; 7 winners\r\n");
}

/* The line never fills the terminal's, so that the cursor stays in it. */
static void test_narrow_terminal(void **state)
{
    struct progress progress;
    struct fixture f;
    char text[TEXT_SIZE];

    (void)state;
    begin(&f, true, true);
    const struct winsize size = {.ws_row = 5, .ws_col = 12};
    int result = ioctl(STDERR_FILENO, TIOCSWINSZ, &size);
    progress_init(&progress);
    progress_show(&progress, 12, 500, "connecting");
    read_terminal(&f, text);
    end(&f);
    assert_int_equal(result, 0);
    assert_string_equal(text, "12/500 bets\r");
}

/* With NO_COLOR there is no escape sequence: blanks wipe the line. */
static void test_no_color(void **state)
{
    struct progress progress;
    struct fixture f;
    char text[TEXT_SIZE];

    (void)state;
    begin(&f, true, true);
    (void)setenv("NO_COLOR", "1", 1);
    progress_init(&progress);
    (void)unsetenv("NO_COLOR");
    progress_show(&progress, 1, 2, "x");
    progress_show(&progress, 2, 2, "y");
    progress_clear(&progress);
    read_terminal(&f, text);
    end(&f);
    assert_string_equal(text, "1/2 bets, 0/s, x\r"
                              "\r                \r2/2 bets, 0/s, y\r"
                              "\r                \r");
}

/* A terminal that knows nothing shows the summary alone. */
static void test_dumb_terminal(void **state)
{
    struct progress progress;
    struct fixture f;
    char text[TEXT_SIZE];

    (void)state;
    begin(&f, true, true);
    (void)setenv("TERM", "dumb", 1);
    progress_init(&progress);
    (void)unsetenv("TERM");
    progress_begin(&progress, 0);
    progress_show(&progress, 1, 2, "x");
    progress_clear(&progress);
    progress_end(&progress);
    progress_sum_up(&progress, 2, 0);
    read_terminal(&f, text);
    end(&f);
    assert_string_equal(text, "2 bets sent in 0.0 s, 0/s; 0 winners\r\n");
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
        progress_sum_up(&progress, 2, 0);
        read_terminal(&f, text);
        end(&f);
        assert_string_equal(text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_a_terminal), cmocka_unit_test(test_narrow_terminal),
        cmocka_unit_test(test_no_color),      cmocka_unit_test(test_dumb_terminal),
        cmocka_unit_test(test_in_a_pipe),
    };

    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
