#include "capture.h"
#include "clock.h"
#include "cmocka_all.h"
#include "log.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIME "2024-08-21 22:11:15"

static time_t wall_now = 1724278275; /* 2024-08-21 22:11:15 UTC */

static uint64_t monotonic(void)
{
    return 0;
}

static time_t wall(void)
{
    return wall_now;
}

static uint32_t random_bits(void)
{
    return 0;
}

static const struct clock_source fake = {monotonic, wall, random_bits};

static int begin(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZ", "UTC0", 1), 0);
    tzset();
    clock_replace(&fake);
    wall_now = 1724278275;
    log_set_level(LOG_DEBUG);
    return 0;
}

static int end(void **state)
{
    (void)state;
    clock_replace(NULL);
    return 0;
}

/* Runs before any log_set_level: the default level is INFO. */
static void test_default_level(void **state)
{
    (void)state;
    assert_false(log_enabled(LOG_DEBUG));
    assert_true(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_CRITICAL));
}

/* A line matches the contract byte by byte. */
static void test_line_to_the_letter(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    LOG(INFO, "apuesta_almacenada", SUCCESS, LOG_TEXT("dni", "30904465"), LOG_UINT("numero", 7574));
    LOG(ERROR, "apuesta_recibida", FAIL, LOG_UINT("cantidad", 150));
    LOG(INFO, "accept_connections", IN_PROGRESS);
    LOG(DEBUG, "a", SUCCESS);
    LOG(WARNING, "a", SUCCESS);
    LOG(CRITICAL, "a", SUCCESS);
    capture_end(&capture);
    assert_string_equal(capture.text, TIME
                        " INFO     action: apuesta_almacenada | result: success | dni: 30904465 | "
                        "numero: 7574\n" TIME
                        " ERROR    action: apuesta_recibida | result: fail | cantidad: 150\n" TIME
                        " INFO     action: accept_connections | result: in_progress\n" TIME
                        " DEBUG    action: a | result: success\n" TIME
                        " WARNING  action: a | result: success\n" TIME
                        " CRITICAL action: a | result: success\n");
    capture_free(&capture);
}

/* With the system's clock too, a line matches the pattern that scripts look for. */
static void test_line_matches_pattern(void **state)
{
    const char *pattern = "^[0-9]{4}-[0-1][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9] "
                          "(DEBUG|INFO|WARNING|ERROR|CRITICAL) {1,5}action: [a-z_]+ \\| "
                          "result: (success|fail|in_progress)( \\| [a-z_]+: [^|\n]*)*\n$";
    struct capture capture;
    regex_t regex;

    (void)state;
    clock_replace(NULL);
    capture_begin(&capture);
    LOG(INFO, "receive_message", SUCCESS, LOG_TEXT("ip", "172.25.125.3"),
        LOG_TEXT("msg", "[CLIENT 1] Message N\xc2\xb0"
                        "1"));
    capture_end(&capture);
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    int result = regexec(&regex, capture.text, 0, NULL, 0);
    regfree(&regex);
    assert_int_equal(result, 0);
    capture_free(&capture);
}

/* Every line is one write, also when it is cut. */
static void test_one_write_per_line(void **state)
{
    static char big[3 * LOG_LINE_MAX];
    struct capture capture;

    (void)state;
    memset(big, 'x', sizeof(big));
    capture_begin(&capture);
    for (int i = 0; i < 20; i++) {
        LOG(INFO, "small", SUCCESS, LOG_INT("i", i));
        LOG(INFO, "big", SUCCESS, LOG_SIZED("text", big, sizeof(big)));
    }
    capture_end(&capture);
    assert_int_equal(capture.writes, 40);
    size_t at = 0;
    for (size_t i = 0; i < capture.writes; i++) {
        at += capture.sizes[i];
        assert_int_equal(capture.text[at - 1], '\n');
        assert_true(capture.sizes[i] <= LOG_LINE_MAX);
    }
    capture_free(&capture);
}

/* No byte of a value can start another detail or another line; other characters are unchanged. */
static void test_values_are_escaped(void **state)
{
    char value[256];
    struct capture capture;

    (void)state;
    for (int i = 0; i < 256; i++)
        value[i] = (char)i;
    capture_begin(&capture);
    LOG(INFO, "a", SUCCESS, LOG_SIZED("all", value, sizeof(value)),
        LOG_TEXT("two", "x | result: fail\r\ny"), LOG_TEXT("tab", "\t"));
    capture_end(&capture);
    const char *prefix = TIME " INFO     action: a | result: success | all: ";
    assert_memory_equal(capture.text, prefix, strlen(prefix));
    const char *all = capture.text + strlen(prefix);
    for (int i = 0; i < 256; i++) {
        char expected = (char)i;
        if (i == '|')
            expected = '/';
        else if (i < 0x20 || i == 0x7f)
            expected = ' ';
        else if (i >= 0x80) /* no two of them make a character */
            expected = '?';
        assert_int_equal(all[i], expected);
    }
    assert_string_equal(all + 256, " | two: x / result: fail  y | tab:  \n");
    assert_int_equal(capture.writes, 1);
    capture_free(&capture);
}

/* A line is cut at LOG_LINE_MAX and keeps its newline, and nothing follows the cut. */
static void test_cut_keeps_newline(void **state)
{
    const char *prefix = TIME " INFO     action: a | result: success | k: ";
    const size_t capacity = LOG_LINE_MAX - 1 - strlen(prefix);
    static char text[LOG_LINE_MAX + 100];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t size = capacity - 20; size < capacity + 20; size++) {
        struct capture capture;
        capture_begin(&capture);
        LOG(INFO, "a", SUCCESS, LOG_SIZED("k", text, size), LOG_TEXT("next", "y"));
        capture_end(&capture);
        size_t whole = strlen(prefix) + size + strlen(" | next: y") + 1;
        assert_int_equal(capture.size, whole < LOG_LINE_MAX ? whole : LOG_LINE_MAX);
        assert_int_equal(capture.text[capture.size - 1], '\n');
        assert_ptr_equal(strchr(capture.text, '\n'), capture.text + capture.size - 1);
        capture_free(&capture);
    }
}

/* A cut never leaves part of a UTF-8 sequence, however many of its bytes would fit. */
static void test_cut_keeps_utf8_whole(void **state)
{
    static const char *const characters[] = {"\xc2\xb0", "\xe2\x82\xac", "\xf0\x9f\x8e\xb0"};
    const char *prefix = TIME " INFO     action: a | result: success | k: ";
    const size_t capacity = LOG_LINE_MAX - 1 - strlen(prefix);
    static char text[LOG_LINE_MAX + 100];

    (void)state;
    for (size_t c = 0; c < 3; c++) {
        size_t size = strlen(characters[c]);
        for (size_t fits = 0; fits <= size; fits++) {
            struct capture capture;
            memset(text, 'x', sizeof(text));
            memcpy(text + capacity - fits, characters[c], size);
            capture_begin(&capture);
            LOG(INFO, "a", SUCCESS, LOG_SIZED("k", text, sizeof(text)), LOG_TEXT("next", "y"));
            capture_end(&capture);
            assert_int_equal(capture.size, LOG_LINE_MAX - (fits < size ? fits : 0));
            assert_int_equal(capture.text[capture.size - 1], '\n');
            if (fits < size)
                assert_int_equal(capture.text[capture.size - 2], 'x');
            capture_free(&capture);
        }
    }
}

/* For every level, lines below it are not written, and lines at or above it are. */
static void test_levels(void **state)
{
    (void)state;
    for (int level = 0; level < LOG_LEVEL_COUNT; level++) {
        struct capture capture;
        log_set_level((enum log_level)level);
        capture_begin(&capture);
        LOG(DEBUG, "a", SUCCESS);
        LOG(INFO, "a", SUCCESS);
        LOG(WARNING, "a", SUCCESS);
        LOG(ERROR, "a", SUCCESS);
        LOG(CRITICAL, "a", SUCCESS);
        log_write(LOG_DEBUG, "direct", LOG_SUCCESS, NULL, 0);
        capture_end(&capture);
        assert_int_equal(capture.writes, LOG_LEVEL_COUNT - level + (level == LOG_DEBUG ? 1 : 0));
        assert_non_null(strstr(capture.text, log_level_name((enum log_level)level)));
        capture_free(&capture);
    }
}

/* The details of a line that is not written are not even computed. */
static void test_dropped_line_costs_nothing(void **state)
{
    struct capture capture;
    int computed = 0;

    (void)state;
    log_set_level(LOG_INFO);
    capture_begin(&capture);
    LOG(DEBUG, "a", SUCCESS, LOG_INT("n", ++computed));
    LOG(INFO, "a", SUCCESS, LOG_INT("n", ++computed));
    capture_end(&capture);
    assert_int_equal(computed, 1);
    capture_free(&capture);
}

/* Level names are found in upper and lower case; other names leave the output unchanged. */
static void test_level_names(void **state)
{
    static const char *const wrong[] = {"", " INFO", "INFO ", "INF", "INFOS", "TRACE", "1"};
    enum log_level level = LOG_CRITICAL;

    (void)state;
    for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
        assert_true(log_level_from_name(log_level_name((enum log_level)i), &level));
        assert_int_equal(level, i);
    }
    assert_true(log_level_from_name("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(log_level_from_name("Warning", &level));
    assert_int_equal(level, LOG_WARNING);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(log_level_from_name(wrong[i], &level));
    assert_int_equal(level, LOG_WARNING);
    assert_string_equal(log_level_name(LOG_LEVEL_COUNT), "?");
}

/* Numbers are printed in full at both ends of their range; NULL counts as empty. */
static void test_fields(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    LOG(INFO, "a", SUCCESS, LOG_UINT("u", UINT64_MAX), LOG_UINT("z", 0), LOG_UINT("t", 10),
        LOG_INT("least", INT64_MIN), LOG_INT("most", INT64_MAX), LOG_TEXT("null", NULL),
        LOG_SIZED("null_too", NULL, 5), LOG_SIZED("part", "abcdef", 3));
    capture_end(&capture);
    assert_string_equal(capture.text,
                        TIME " INFO     action: a | result: success | u: 18446744073709551615 | "
                             "z: 0 | t: 10 | least: -9223372036854775808 | "
                             "most: 9223372036854775807 | null:  | null_too:  | part: abc\n");
    capture_free(&capture);
}

/* The time follows the clock, also when that goes back, and is local time. */
static void test_time_follows(void **state)
{
    static const struct {
        time_t wall;
        const char *text;
    } cases[] = {
        {1724278275, "2024-08-21 22:11:15 "}, {1724278276, "2024-08-21 22:11:16 "},
        {1724278275, "2024-08-21 22:11:15 "}, {1735689599, "2024-12-31 23:59:59 "},
        {1735689600, "2025-01-01 00:00:00 "}, {0, "1970-01-01 00:00:00 "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct capture capture;
        wall_now = cases[i].wall;
        capture_begin(&capture);
        LOG(INFO, "a", SUCCESS);
        capture_end(&capture);
        assert_memory_equal(capture.text, cases[i].text, strlen(cases[i].text));
        capture_free(&capture);
    }
}

/* Logging keeps errno, also when stdout is closed. */
static void test_keeps_errno(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    errno = ENOSPC;
    LOG(INFO, "a", SUCCESS);
    int after_line = errno;
    assert_int_equal(close(STDOUT_FILENO), 0);
    errno = EDQUOT;
    LOG(INFO, "a", SUCCESS);
    int after_failure = errno;
    capture_end(&capture);
    assert_int_equal(after_line, ENOSPC);
    assert_int_equal(after_failure, EDQUOT);
    assert_int_equal(capture.writes, 1);
    capture_free(&capture);
    /* The next line that can be written follows one that says what is missing. */
    capture_begin(&capture);
    LOG(INFO, "a", SUCCESS);
    capture_end(&capture);
    assert_string_equal(capture.text,
                        TIME " ERROR    action: log | result: fail | omitted: 1\n" TIME
                             " INFO     action: a | result: success\n");
    capture_free(&capture);
}

/* Held lines are written in order and whole, several per atomic write; later lines are not held. */
static void test_hold(void **state)
{
    enum { LINES = 200 };
    struct capture capture;
    size_t at = 0;

    (void)state;
    capture_begin(&capture);
    log_hold();
    for (uint64_t i = 0; i < LINES; i++)
        LOG(INFO, "held", SUCCESS, LOG_UINT("n", i));
    log_release();
    LOG(INFO, "free", SUCCESS);
    LOG(INFO, "free", SUCCESS);
    log_hold();
    log_release();
    capture_end(&capture);
    for (size_t write = 0; write < capture.writes; write++) {
        at += capture.sizes[write];
        assert_true(capture.sizes[write] <= LOG_LINE_MAX);
        assert_int_equal(capture.text[at - 1], '\n');
    }
    const char *line = capture.text;
    for (unsigned i = 0; i < LINES; i++) {
        char expected[100];
        (void)snprintf(expected, sizeof(expected),
                       TIME " INFO     action: held | result: success | n: %u\n", i);
        assert_memory_equal(line, expected, strlen(expected));
        line += strlen(expected);
    }
    size_t held_writes = ((size_t)(line - capture.text) + LOG_LINE_MAX - 1) / LOG_LINE_MAX;
    assert_in_range(capture.writes, held_writes + 2, held_writes + 3);
    capture_free(&capture);
}

/* Nothing is written before the release. */
static void test_hold_keeps(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    log_hold();
    LOG(INFO, "held", SUCCESS);
    capture_end(&capture);
    assert_int_equal(capture.writes, 0);
    capture_free(&capture);
    capture_begin(&capture);
    log_release();
    capture_end(&capture);
    assert_string_equal(capture.text, TIME " INFO     action: held | result: success\n");
    capture_free(&capture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_level),
        cmocka_unit_test_setup_teardown(test_line_to_the_letter, begin, end),
        cmocka_unit_test_setup_teardown(test_line_matches_pattern, begin, end),
        cmocka_unit_test_setup_teardown(test_one_write_per_line, begin, end),
        cmocka_unit_test_setup_teardown(test_values_are_escaped, begin, end),
        cmocka_unit_test_setup_teardown(test_cut_keeps_newline, begin, end),
        cmocka_unit_test_setup_teardown(test_cut_keeps_utf8_whole, begin, end),
        cmocka_unit_test_setup_teardown(test_levels, begin, end),
        cmocka_unit_test_setup_teardown(test_dropped_line_costs_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_level_names, begin, end),
        cmocka_unit_test_setup_teardown(test_fields, begin, end),
        cmocka_unit_test_setup_teardown(test_time_follows, begin, end),
        cmocka_unit_test_setup_teardown(test_keeps_errno, begin, end),
        cmocka_unit_test_setup_teardown(test_hold, begin, end),
        cmocka_unit_test_setup_teardown(test_hold_keeps, begin, end),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
