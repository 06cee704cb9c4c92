/* Which bytes end a line of an agency's CSV file, and which only seem to. */
#include "cmocka_all.h"

#include "bets_file.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROW "Santiago Lionel,Lorca,30904465,1999-03-17,7574"

static struct errbuf err;

/* Checks a file with this text, and sets *rows to the number of its rows. */
static enum status check(const char *dir, const char *text, uint64_t *rows)
{
    const struct bets_format format = {.empty = BETS_EMPTY_ALLOWED};
    struct bets_file *file;
    char path[300];
    bool is_done = false;

    (void)snprintf(path, sizeof(path), "%s/bets.csv", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
    assert_int_equal(bets_file_open(path, &format, 1, &file, &err), STATUS_OK);
    enum status status = bets_file_check(file, &is_done, &err);
    assert_true(status != STATUS_OK || is_done);
    *rows = bets_file_rows(file);
    bets_file_close(file);
    return status;
}

static int setup(void **state)
{
    *state = tmpdir_make();
    return 0;
}

static int teardown(void **state)
{
    tmpdir_remove(*state);
    return 0;
}

/* LF, CRLF, blank lines, and a last line that has no end. */
static void takes_every_line_end(void **state)
{
    static const struct {
        const char *text;
        uint64_t rows;
    } cases[] = {{"", 0},
                 {"\n\r\n", 0},
                 {ROW, 1},
                 {ROW "\r", 1},
                 {ROW "\n" ROW, 2},
                 {ROW "\r\n\r\n\n" ROW "\r\n", 2},
                 {ROW "\r\r\n" ROW "\n", 2}};
    uint64_t rows;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(check(*state, cases[i].text, &rows), STATUS_OK);
        assert_int_equal(rows, cases[i].rows);
    }
}

/* A carriage return alone ends nothing, wherever it is: two rows on one line are an error. */
static void refuses_a_carriage_return_within_a_line(void **state)
{
    static const char *const cases[] = {ROW "\n" ROW "\r" ROW, ROW "\n" ROW "\r" ROW "\n",
                                        ROW "\n\r" ROW "\n", ROW "\nAna\r,Paz,1,1999-03-17,1\n",
                                        ROW "\n\"Ana\r\",Paz,1,1999-03-17,1\n"};
    uint64_t rows;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(check(*state, cases[i], &rows), STATUS_INVALID);
        assert_non_null(strstr(err.text, "bets.csv:2: a carriage return within a line"));
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        CASE(takes_every_line_end),
        CASE(refuses_a_carriage_return_within_a_line),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
