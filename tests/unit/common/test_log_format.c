/* The forms of lines other than text, whose tests are in test_log.c. */
#include "capture.h"
#include "clock.h"
#include "cmocka_all.h"
#include "log.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIME "2024-08-21T22:11:15+00:00"
#define JSON_PREFIX                                                                                \
    "{\"time\":\"" TIME "\",\"level\":\"INFO\",\"action\":\"a\",\"result\":\"success\""

static time_t wall_now;

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

static void set_zone(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

static int begin(void **state)
{
    (void)state;
    set_zone("UTC0");
    clock_replace(&fake);
    wall_now = 1724278275; /* 2024-08-21 22:11:15 UTC */
    log_set_level(LOG_DEBUG);
    log_set_format(LOG_FORMAT_JSON);
    return 0;
}

static int end(void **state)
{
    (void)state;
    clock_replace(NULL);
    log_set_format(LOG_FORMAT_TEXT);
    return 0;
}

static void log_each_level(void)
{
    LOG(INFO, "apuesta_almacenada", SUCCESS, LOG_TEXT("dni", "30904465"), LOG_UINT("numero", 7574));
    LOG(ERROR, "apuesta_recibida", FAIL, LOG_UINT("cantidad", 150));
    LOG(INFO, "accept_connections", IN_PROGRESS);
    LOG(DEBUG, "a", SUCCESS);
    LOG(WARNING, "a", SUCCESS);
    LOG(CRITICAL, "a", SUCCESS);
}

/* Every level and result as JSON, byte by byte; one write each. */
static void test_json_to_the_letter(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    log_each_level();
    capture_end(&capture);
    assert_string_equal(
        capture.text,
        "{\"time\":\"" TIME "\",\"level\":\"INFO\",\"action\":\"apuesta_almacenada\","
        "\"result\":\"success\",\"dni\":\"30904465\",\"numero\":7574}\n"
        "{\"time\":\"" TIME "\",\"level\":\"ERROR\",\"action\":\"apuesta_recibida\","
        "\"result\":\"fail\",\"cantidad\":150}\n"
        "{\"time\":\"" TIME "\",\"level\":\"INFO\",\"action\":\"accept_connections\","
        "\"result\":\"in_progress\"}\n"
        "{\"time\":\"" TIME "\",\"level\":\"DEBUG\",\"action\":\"a\",\"result\":\"success\"}\n"
        "{\"time\":\"" TIME "\",\"level\":\"WARNING\",\"action\":\"a\",\"result\":\"success\"}\n"
        "{\"time\":\"" TIME "\",\"level\":\"CRITICAL\",\"action\":\"a\",\"result\":\"success\"}\n");
    assert_int_equal(capture.writes, 6);
    capture_free(&capture);
}

/* For the journal, a line has the priority of syslog and no time. */
static void test_journal_to_the_letter(void **state)
{
    struct capture capture;

    (void)state;
    log_set_format(LOG_FORMAT_JOURNAL);
    capture_begin(&capture);
    log_each_level();
    capture_end(&capture);
    assert_string_equal(capture.text,
                        "<6>INFO     action: apuesta_almacenada | result: success | "
                        "dni: 30904465 | numero: 7574\n"
                        "<3>ERROR    action: apuesta_recibida | result: fail | cantidad: 150\n"
                        "<6>INFO     action: accept_connections | result: in_progress\n"
                        "<7>DEBUG    action: a | result: success\n"
                        "<4>WARNING  action: a | result: success\n"
                        "<2>CRITICAL action: a | result: success\n");
    assert_int_equal(capture.writes, 6);
    capture_free(&capture);
}

/* In both, a line in text but for its time is the same as the text. */
static void test_journal_is_text(void **state)
{
    struct capture text;
    struct capture journal;

    (void)state;
    log_set_format(LOG_FORMAT_TEXT);
    capture_begin(&text);
    LOG(WARNING, "a", FAIL, LOG_TEXT("k", "x | result: fail\r\n\xff"), LOG_INT("n", -1));
    capture_end(&text);
    log_set_format(LOG_FORMAT_JOURNAL);
    capture_begin(&journal);
    LOG(WARNING, "a", FAIL, LOG_TEXT("k", "x | result: fail\r\n\xff"), LOG_INT("n", -1));
    capture_end(&journal);
    assert_string_equal(journal.text + strlen("<4>"), text.text + strlen("2024-08-21 22:11:15 "));
    capture_free(&text);
    capture_free(&journal);
}

/* Integers are numbers, up to both ends of their range; all else is text, also what looks like a
 * number. */
static void test_json_numbers(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    LOG(INFO, "a", SUCCESS, LOG_UINT("u", UINT64_MAX), LOG_UINT("z", 0),
        LOG_INT("least", INT64_MIN), LOG_INT("most", INT64_MAX), LOG_TEXT("text", "0"),
        LOG_TEXT("null", NULL), LOG_SIZED("null_too", NULL, 5), LOG_SIZED("part", "abcdef", 3));
    capture_end(&capture);
    assert_string_equal(capture.text, JSON_PREFIX
                        ",\"u\":18446744073709551615,\"z\":0,\"least\":-9223372036854775808,"
                        "\"most\":9223372036854775807,\"text\":\"0\",\"null\":\"\","
                        "\"null_too\":\"\",\"part\":\"abc\"}\n");
    capture_free(&capture);
}

/* No value can end its string. */
static void test_json_is_escaped(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    LOG(INFO, "a", SUCCESS, LOG_TEXT("k", "\",\"x\":\"\\\n\xff|"), LOG_TEXT("next", "\\"));
    capture_end(&capture);
    assert_string_equal(capture.text,
                        JSON_PREFIX ",\"k\":\"\\\",\\\"x\\\":\\\"\\\\\\u000a\\ufffd|\","
                                    "\"next\":\"\\\\\"}\n");
    capture_free(&capture);
}

/* A line that is too long ends within a string, and is a whole object all the same; nothing follows
 * the cut. */
static void test_json_cut_within_a_string(void **state)
{
    static char text[LOG_LINE_MAX + 100];
    const size_t capacity = LOG_LINE_MAX - strlen(JSON_PREFIX ",\"k\":\"\"}\n");

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t size = capacity - 20; size < capacity + 20; size++) {
        struct capture capture;
        size_t whole = strlen(JSON_PREFIX ",\"k\":\"\",\"n\":1}\n") + size;
        capture_begin(&capture);
        LOG(INFO, "a", SUCCESS, LOG_SIZED("k", text, size), LOG_UINT("n", 1));
        capture_end(&capture);
        if (whole > LOG_LINE_MAX) /* the number is missing, or the string is cut as well */
            whole = size < capacity ? whole - strlen(",\"n\":1") : LOG_LINE_MAX;
        assert_int_equal(capture.size, whole);
        assert_string_equal(capture.text + capture.size - 3,
                            strstr(capture.text, "\"n\"") != NULL ? "1}\n" : "\"}\n");
        capture_free(&capture);
    }
}

/* An escape is never cut, and a number never loses digits. */
static void test_json_cut_keeps_escapes_and_numbers(void **state)
{
    static char text[LOG_LINE_MAX + 100];
    const size_t capacity = LOG_LINE_MAX - strlen(JSON_PREFIX ",\"k\":\"\"}\n");

    (void)state;
    for (size_t fits = 0; fits <= 6; fits++) { /* bytes of \u000a */
        struct capture capture;
        memset(text, 'x', sizeof(text));
        text[capacity - fits] = '\n';
        capture_begin(&capture);
        LOG(INFO, "a", SUCCESS, LOG_SIZED("k", text, sizeof(text)));
        capture_end(&capture);
        assert_int_equal(capture.size, LOG_LINE_MAX - (fits < 6 ? fits : 0));
        assert_string_equal(capture.text + capture.size - 4, fits < 6 ? "x\"}\n" : "a\"}\n");
        capture_free(&capture);
    }
    for (size_t left = 0; left < 30; left++) { /* bytes for ,"n":18446744073709551615 */
        struct capture capture;
        bool has_room = left >= strlen(",\"n\":18446744073709551615");
        memset(text, 'x', sizeof(text));
        capture_begin(&capture);
        LOG(INFO, "a", SUCCESS, LOG_SIZED("k", text, capacity - left), LOG_UINT("n", UINT64_MAX),
            LOG_TEXT("z", ""));
        capture_end(&capture);
        assert_int_equal(strstr(capture.text, "\"n\":18446744073709551615}\n") != NULL, has_room);
        assert_int_equal(strstr(capture.text, "\"n\"") != NULL, has_room);
        assert_null(strstr(capture.text, "\"z\""));
        capture_free(&capture);
    }
}

/* Also when there would be room for it, because what was cut is long when it is escaped. */
static void test_json_nothing_follows_a_cut(void **state)
{
    static char text[LOG_LINE_MAX];
    const size_t capacity = LOG_LINE_MAX - strlen(JSON_PREFIX ",\"k\":\"\"}\n");

    (void)state;
    for (size_t left = 0; left < 14; left++) { /* bytes for two escapes, for U+E0041 */
        struct capture capture;
        const bool has_room = left >= 12;
        memset(text, 'x', sizeof(text));
        memcpy(text + capacity - left, "\xf3\xa0\x81\x81", 4);
        capture_begin(&capture);
        LOG(INFO, "a", SUCCESS, LOG_SIZED("k", text, capacity - left + 4), LOG_UINT("n", 1),
            LOG_TEXT("z", ""));
        capture_end(&capture);
        assert_string_equal(capture.text + capture.size - 4, has_room ? "1\"}\n" : "x\"}\n");
        capture_free(&capture);
    }
}

/* The time is local, with its offset from UTC, of whole minutes; and it follows the clock. */
static void test_json_time(void **state)
{
    static const struct {
        const char *zone; /* as POSIX writes them: hours to the west */
        time_t wall;
        const char *text;
    } cases[] = {
        {"ART3", 1724278274, "2024-08-21T19:11:14-03:00"},
        {"IST-5:30", 1724278276, "2024-08-22T03:41:16+05:30"},
        {"NST3:30NDT,M3.2.0,M11.1.0", 1724278277, "2024-08-21T19:41:17-02:30"},
        {"LMT3:53:48", 1724278278, "2024-08-21T18:18:18-03:53"},
        {"LMT-0:00:20", 1724278279, "2024-08-21T22:11:19+00:00"},
        {"UTC0", 1735689599, "2024-12-31T23:59:59+00:00"},
        {"UTC0", 1735689600, "2025-01-01T00:00:00+00:00"},
        {"UTC0", 1735689599, "2024-12-31T23:59:59+00:00"},
        {"ART3", 0, "1970-01-01T00:00:00+00:00"}, /* there it was still 1969 */
        {"ART3", -1000, "1970-01-01T00:00:00+00:00"},
        {"UTC0", LONG_MAX, "9999-12-31T23:59:59+00:00"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct capture capture;
        set_zone(cases[i].zone);
        wall_now = cases[i].wall;
        capture_begin(&capture);
        LOG(INFO, "a", SUCCESS);
        capture_end(&capture);
        assert_memory_equal(capture.text + strlen("{\"time\":\""), cases[i].text,
                            strlen(cases[i].text));
        capture_free(&capture);
    }
}

/* The form changes from one line to the next, within a second, and each has the time in its own
 * way. */
static void test_change(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    for (int i = 0; i < 2; i++) {
        log_set_format(LOG_FORMAT_TEXT);
        LOG(INFO, "a", SUCCESS);
        log_set_format(LOG_FORMAT_JSON);
        LOG(INFO, "a", SUCCESS);
        log_set_format(LOG_FORMAT_JOURNAL);
        LOG(INFO, "a", SUCCESS);
    }
    capture_end(&capture);
#define THREE                                                                                      \
    "2024-08-21 22:11:15 INFO     action: a | result: success\n" JSON_PREFIX "}\n"                 \
    "<6>INFO     action: a | result: success\n"
    assert_string_equal(capture.text, THREE THREE);
    capture_free(&capture);
}

/* The names are those of the settings; any other changes nothing. */
static void test_names(void **state)
{
    static const char *const wrong[] = {"", "JSON", "json ", "xml", "text|json", NULL};
    char names[64];
    struct capture capture;

    (void)state;
    (void)snprintf(names, sizeof(names), "%s|%s|%s", log_format_name(LOG_FORMAT_TEXT),
                   log_format_name(LOG_FORMAT_JSON), log_format_name(LOG_FORMAT_JOURNAL));
    assert_string_equal(names, LOG_FORMAT_NAMES);
    assert_string_equal(log_format_name((enum log_format)3), "?");
    assert_true(log_set_format_by_name("journal"));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(log_set_format_by_name(wrong[i]));
    capture_begin(&capture);
    LOG(INFO, "a", SUCCESS);
    log_set_format_by_name("json");
    LOG(INFO, "a", SUCCESS);
    log_set_format_by_name("text");
    LOG(INFO, "a", SUCCESS);
    capture_end(&capture);
    assert_string_equal(capture.text, "<6>INFO     action: a | result: success\n" JSON_PREFIX "}\n"
                                      "2024-08-21 22:11:15 INFO     action: a | result: success\n");
    capture_free(&capture);
}

/* Held lines, and the one that says how many are missing, have the same form as all others. */
static void test_held_and_omitted(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    log_hold();
    LOG(INFO, "a", SUCCESS);
    LOG(INFO, "a", SUCCESS);
    log_release();
    assert_int_equal(close(STDOUT_FILENO), 0);
    LOG(INFO, "a", SUCCESS);
    capture_end(&capture);
    assert_string_equal(capture.text, JSON_PREFIX "}\n" JSON_PREFIX "}\n");
    assert_int_equal(capture.writes, 1);
    capture_free(&capture);
    capture_begin(&capture);
    LOG(INFO, "a", SUCCESS);
    capture_end(&capture);
    assert_string_equal(capture.text,
                        "{\"time\":\"" TIME "\",\"level\":\"ERROR\",\"action\":\"log\","
                        "\"result\":\"fail\",\"omitted\":1}\n" JSON_PREFIX "}\n");
    capture_free(&capture);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_json_to_the_letter),
        CASE(test_journal_to_the_letter),
        CASE(test_journal_is_text),
        CASE(test_json_numbers),
        CASE(test_json_is_escaped),
        CASE(test_json_cut_within_a_string),
        CASE(test_json_cut_keeps_escapes_and_numbers),
        CASE(test_json_nothing_follows_a_cut),
        CASE(test_json_time),
        CASE(test_change),
        CASE(test_names),
        CASE(test_held_and_omitted),
    };

    return cmocka_run_group_tests_name("log_format", tests, NULL, NULL);
}
