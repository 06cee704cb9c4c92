#include "capture.h"
#include "cmocka_all.h"
#include "draw_id.h"
#include "log.h"
#include "settings.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct program {
    uint32_t port;
    uint32_t guard;
    char folder[SETTING_TEXT_SIZE];
    enum log_level level;
    int64_t period;
    uint32_t mode;
    char address[SETTING_TEXT_SIZE];
    uint32_t any;
    uint64_t time_s;
    char draw[DRAW_ID_MAX + 1];
    char listen[SETTING_TEXT_SIZE];
};

#define FIELD(name) offsetof(struct program, name)

static const struct setting settings[] = {
    {"port", "TEST_PORT", SETTING_UINT, FIELD(port), 1, 65535, NULL},
    {"folder", "TEST_FOLDER", SETTING_TEXT, FIELD(folder), 0, 0, NULL},
    {"level", "TEST_LEVEL", SETTING_LEVEL, FIELD(level), 0, 0, NULL},
    {"period", "TEST_PERIOD", SETTING_DURATION, FIELD(period), 10, 0, NULL},
    {"mode", "TEST_MODE", SETTING_CHOICE, FIELD(mode), 0, 0, "lottery|bet|echo"},
    {"address", "TEST_ADDRESS", SETTING_ADDRESSES, FIELD(address), 0, 0, NULL},
    {"any", "TEST_ANY", SETTING_UINT, FIELD(any), 0, UINT32_MAX, NULL},
    {"time", "TEST_TIME", SETTING_TIME, FIELD(time_s), 0, 0, NULL},
    {"draw", "TEST_DRAW", SETTING_DRAW_ID, FIELD(draw), 0, 0, NULL},
    {"listen", "TEST_LISTEN", SETTING_LISTEN, FIELD(listen), 0, 0, NULL},
};
static const struct settings_table table = {settings, sizeof(settings) / sizeof(settings[0])};

static const struct program defaults = {
    .port = 1, .guard = 2, .folder = ".", .level = LOG_INFO, .period = 3, .address = "a:1"};

static int clear_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < table.count; i++)
        assert_int_equal(unsetenv(settings[i].variable), 0);
    return 0;
}

/* What is in a file of a key instead of its name is refused, and no error repeats any of it. */
static void test_a_key_for_a_value(void **state)
{
    static const char *const names[] = {"folder", "port", "mode"};
    struct program program = defaults;
    char key[1024] = "-----BEGIN EC PRIVATE KEY-----\n";
    struct errbuf err;

    (void)state;
    for (size_t size = 40; size < sizeof(key) - 1; size += 300) {
        memset(key + strlen(key), 'Q', size - strlen(key));
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            struct settings_seen seen = {0};
            assert_int_equal(settings_set(&table, &program, &seen, "f:1", names[i], key, &err),
                             STATUS_INVALID);
            assert_non_null(strstr(err.text, "where the name of its file should be"));
            assert_null(strstr(err.text, "BEGIN"));
            assert_null(strstr(err.text, "QQ"));
        }
    }
    assert_string_equal(program.folder, defaults.folder);
}

/* Every kind of setting accepts its values and writes them to its own field only. */
static void test_every_kind(void **state)
{
    struct program program = defaults;
    struct settings_seen seen = {0};
    struct errbuf err;

    (void)state;
    assert_int_equal(settings_set(&table, &program, &seen, "f:1", "port", "65535", &err), 0);
    assert_int_equal(settings_set(&table, &program, &seen, "f:2", "folder", "/var/lib", &err), 0);
    assert_int_equal(settings_set(&table, &program, &seen, "f:3", "level", "debug", &err), 0);
    assert_int_equal(settings_set(&table, &program, &seen, "f:4", "period", "1m30s", &err), 0);
    assert_int_equal(settings_set(&table, &program, &seen, "f:5", "mode", "echo", &err), 0);
    assert_int_equal(settings_set(&table, &program, &seen, "f:6", "address", "b:2", &err), 0);
    assert_int_equal(settings_set(&table, &program, &seen, "f:7", "any", "4294967295", &err), 0);
    assert_true(settings_is_list(&table, "address"));
    assert_false(settings_is_list(&table, "folder"));
    assert_false(settings_is_list(&table, "nonsense"));
    assert_int_equal(
        settings_set(&table, &program, &seen, "f:8", "time", "1970-01-01T00:00:01+00:00", &err), 0);
    assert_int_equal(settings_set(&table, &program, &seen, "f:9", "draw", "2026-nocturna", &err),
                     0);
    assert_int_equal(settings_set(&table, &program, &seen, "f:10", "listen", "[::1]:0", &err), 0);
    assert_int_equal(program.port, 65535);
    assert_int_equal(program.guard, 2);
    assert_string_equal(program.folder, "/var/lib");
    assert_int_equal(program.level, LOG_DEBUG);
    assert_true(program.period == INT64_C(90000000000));
    assert_int_equal(program.mode, 2);
    assert_string_equal(program.address, "b:2");
    assert_true(program.any == UINT32_MAX);
    assert_true(program.time_s == 1);
    assert_string_equal(program.draw, "2026-nocturna");
    seen = (struct settings_seen){0};
    assert_int_equal(settings_set(&table, &program, &seen, "f:9", "draw", "", &err), 0);
    assert_string_equal(program.draw, "");
    assert_string_equal(program.listen, "[::1]:0");
    assert_int_equal(settings_set(&table, &program, &seen, "f:10", "listen", "", &err), 0);
    assert_string_equal(program.listen, "");
}

/* The error for a bad value has place, key, value and what is expected; the target is unchanged. */
static void test_bad_values(void **state)
{
    static const struct {
        const char *key;
        const char *value;
        const char *text;
    } cases[] = {
        {"port", "0", "config:7: port: \"0\" is not a number of 1..65535"},
        {"port", "65536", "config:7: port: \"65536\" is not a number of 1..65535"},
        {"port", "4294967297", "config:7: port: \"4294967297\" is not a number of 1..65535"},
        {"port", "", "config:7: port: \"\" is not a number of 1..65535"},
        {"port", "12 ", "config:7: port: \"12 \" is not a number of 1..65535"},
        {"any", "4294967296", "config:7: any: \"4294967296\" is not a number of 0..4294967295"},
        {"any", "-1", "config:7: any: \"-1\" is not a number of 0..4294967295"},
        {"folder", "", "config:7: folder: \"\" is not a text of 1..511 bytes"},
        {"time", "",
         "config:7: time: \"\" is not a time with its offset, like "
         "2026-11-25T21:00:00-03:00"},
        {"time", "1970-01-01T00:00:00Z",
         "config:7: time: \"1970-01-01T00:00:00Z\" is not a time with its offset, like "
         "2026-11-25T21:00:00-03:00"},
        {"time", "2026-11-25T21:00:00",
         "config:7: time: \"2026-11-25T21:00:00\" is not a time with its offset, like "
         "2026-11-25T21:00:00-03:00"},
        {"draw", "../x",
         "config:7: draw: \"../x\" is not a draw's id: up to 64 letters, digits, - and _, the "
         "first a letter or digit, and not \"current\""},
        {"draw", "current",
         "config:7: draw: \"current\" is not a draw's id: up to 64 letters, digits, - and _, the "
         "first a letter or digit, and not \"current\""},
        {"listen", "localhost:1",
         "config:7: listen: \"localhost:1\" is not a port, or an IP address and a port, like 9090, "
         "0.0.0.0:9090 or [::1]:9090"},
        {"level", "LOUD",
         "config:7: level: \"LOUD\" is not one of DEBUG|INFO|WARNING|ERROR|CRITICAL"},
        {"period", "9ms",
         "config:7: period: \"9ms\" is not a duration of at least 10ms, like 5s or 1m30s"},
        {"period", "9.999999ms",
         "config:7: period: \"9.999999ms\" is not a duration of at least 10ms, like 5s or 1m30s"},
        {"period", "5",
         "config:7: period: \"5\" is not a duration of at least 10ms, like 5s or 1m30s"},
        {"mode", "", "config:7: mode: \"\" is not one of lottery|bet|echo"},
        {"mode", "be", "config:7: mode: \"be\" is not one of lottery|bet|echo"},
        {"mode", "bets", "config:7: mode: \"bets\" is not one of lottery|bet|echo"},
        {"mode", "bet|echo", "config:7: mode: \"bet|echo\" is not one of lottery|bet|echo"},
        {"mode", "Echo", "config:7: mode: \"Echo\" is not one of lottery|bet|echo"},
        {"address", "server",
         "config:7: address: \"server\" is not host:port, or up to 8 of them with commas in "
         "between"},
        {"address", "a:1,",
         "config:7: address: \"a:1,\" is not host:port, or up to 8 of them with commas in between"},
        {"address", "server:0",
         "config:7: address: \"server:0\" is not host:port, or up to 8 of them with commas in "
         "between"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct program program = defaults;
        struct settings_seen seen = {0};
        struct errbuf err;
        assert_int_equal(
            settings_set(&table, &program, &seen, "config:7", cases[i].key, cases[i].value, &err),
            STATUS_INVALID);
        assert_string_equal(err.text, cases[i].text);
        assert_memory_equal(&program, &defaults, sizeof(program));
    }
}

/* The value of a choice is its index in the list. */
static void test_choices(void **state)
{
    static const char *const names[] = {"lottery", "bet", "echo"};

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct program program = defaults;
        struct settings_seen seen = {0};
        program.mode = 99;
        assert_int_equal(settings_set(&table, &program, &seen, "f:1", "mode", names[i], NULL), 0);
        assert_int_equal(program.mode, i);
    }
}

/* A key that is not in the table is refused, also a part of one or one in upper case. */
static void test_unknown_key(void **state)
{
    static const char *const unknown[] = {"", "ports", "por", "PORT", "TEST_PORT", " port"};
    struct program program = defaults;
    struct settings_seen seen = {0};
    struct errbuf err;

    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_int_equal(settings_set(&table, &program, &seen, "config:9", unknown[i], "1", &err),
                         STATUS_INVALID);
        assert_memory_equal(err.text, "config:9: ", 10);
        assert_non_null(strstr(err.text, "unknown key"));
    }
    assert_int_equal(seen.bits, 0);
    assert_memory_equal(&program, &defaults, sizeof(program));
}

/* A key may be given once; the second time it is refused, whatever the value, and changes nothing.
 */
static void test_given_twice(void **state)
{
    struct program program = defaults;
    struct settings_seen seen = {0};
    struct errbuf err;

    (void)state;
    assert_int_equal(settings_set(&table, &program, &seen, "f:1", "port", "80", &err), 0);
    assert_int_equal(settings_set(&table, &program, &seen, "f:2", "any", "5", &err), 0);
    assert_int_equal(settings_set(&table, &program, &seen, "f:3", "port", "80", &err),
                     STATUS_INVALID);
    assert_string_equal(err.text, "f:3: port: given twice");
    assert_int_equal(settings_set(&table, &program, &seen, "f:4", "any", "6", &err),
                     STATUS_INVALID);
    assert_int_equal(program.port, 80);
    assert_int_equal(program.any, 5);
}

/* The last of SETTINGS_MAX settings is remembered as well as the first. */
static void test_as_many_as_allowed(void **state)
{
    static struct setting many[SETTINGS_MAX];
    static char names[SETTINGS_MAX][16];
    const struct settings_table full = {many, SETTINGS_MAX};
    uint32_t values[SETTINGS_MAX] = {0};
    struct settings_seen seen = {0};
    struct errbuf err;

    (void)state;
    for (uint32_t i = 0; i < SETTINGS_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "key%u", i);
        many[i] =
            (struct setting){names[i], names[i], SETTING_UINT, i * sizeof(*values), 0, 100, NULL};
    }
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < SETTINGS_MAX; i++)
            assert_int_equal(settings_set(&full, values, &seen, "f:1", names[i], "7", &err),
                             turn == 0 ? STATUS_OK : STATUS_INVALID);
    }
    for (uint32_t i = 0; i < SETTINGS_MAX; i++)
        assert_int_equal(values[i], 7);
}

/* Text and addresses may be as long as their field; one byte more is refused. */
static void test_text_capacity(void **state)
{
    char text[SETTING_TEXT_SIZE + 1];
    struct program program = defaults;
    struct settings_seen seen = {0};

    (void)state;
    memset(text, 'x', sizeof(text));
    text[SETTING_TEXT_SIZE] = '\0';
    assert_int_equal(settings_set(&table, &program, &seen, "f:1", "folder", text, NULL),
                     STATUS_INVALID);
    memcpy(text + SETTING_TEXT_SIZE - 3, ":80", 4);
    assert_int_equal(settings_set(&table, &program, &seen, "f:1", "address", text, NULL),
                     STATUS_INVALID);
    assert_memory_equal(&program, &defaults, sizeof(program));
    seen.bits = 0;
    memset(text, 'x', sizeof(text));
    text[SETTING_TEXT_SIZE - 1] = '\0';
    assert_int_equal(settings_set(&table, &program, &seen, "f:1", "folder", text, NULL), 0);
    assert_string_equal(program.folder, text);
    memcpy(text + SETTING_TEXT_SIZE - 4, ":80", 4);
    assert_int_equal(settings_set(&table, &program, &seen, "f:1", "address", text, NULL), 0);
    assert_string_equal(program.address, text);
    assert_int_equal(program.level, defaults.level);
    assert_int_equal(program.any, defaults.any);
}

/* The environment overrides the file; what is not in it stays. */
static void test_environment_wins(void **state)
{
    struct program program = defaults;
    struct settings_seen seen = {0};
    struct errbuf err;

    (void)state;
    assert_int_equal(settings_set(&table, &program, &seen, "f:1", "port", "80", &err), 0);
    assert_int_equal(settings_set(&table, &program, &seen, "f:2", "any", "5", &err), 0);
    assert_int_equal(setenv("TEST_PORT", "81", 1), 0);
    assert_int_equal(setenv("TEST_MODE", "bet", 1), 0);
    assert_int_equal(setenv("TEST_PERIOD", "5s", 1), 0);
    assert_int_equal(settings_read_environment(&table, &program, &err), STATUS_OK);
    assert_int_equal(program.port, 81);
    assert_int_equal(program.any, 5);
    assert_int_equal(program.mode, 1);
    assert_true(program.period == INT64_C(5000000000));
    assert_string_equal(program.folder, defaults.folder);
}

/* A bad value in the environment, also an empty one, is an error that names the variable. */
static void test_environment_errors(void **state)
{
    struct program program = defaults;
    struct errbuf err;

    (void)state;
    assert_int_equal(setenv("TEST_PORT", "seven", 1), 0);
    assert_int_equal(settings_read_environment(&table, &program, &err), STATUS_INVALID);
    assert_string_equal(err.text, "environment: TEST_PORT: \"seven\" is not a number of 1..65535");
    assert_int_equal(setenv("TEST_PORT", "", 1), 0);
    assert_int_equal(settings_read_environment(&table, &program, &err), STATUS_INVALID);
    assert_int_equal(program.port, defaults.port);
    assert_int_equal(settings_read_environment(&table, &program, NULL), STATUS_INVALID);
}

/* The command line comes last; of an option that was given twice the last one counts. */
static void test_arguments(void **state)
{
    struct settings_sources sources = {.path = "f"};
    struct program program = defaults;
    struct errbuf err;

    (void)state;
    assert_int_equal(setenv("TEST_PORT", "81", 1), 0);
    settings_add_argument(&sources, "--port", "port", "7");
    settings_add_argument(&sources, "--mode", "mode", "bet");
    settings_add_argument(&sources, "-p", "port", "82");
    assert_int_equal(settings_read_environment(&table, &program, &err), STATUS_OK);
    assert_int_equal(settings_read_arguments(&table, &program, &sources, &err), STATUS_OK);
    assert_int_equal(program.port, 82);
    assert_int_equal(program.mode, 1);
    settings_add_argument(&sources, "--port", "port", "0");
    assert_int_equal(settings_read_arguments(&table, &program, &sources, &err), STATUS_INVALID);
    assert_string_equal(err.text, "command line: --port: \"0\" is not a number of 1..65535");
}

/* The warnings about the environment, without the time before them. */
static void assert_warnings(const char *expected)
{
    static const char *const prefixes[] = {"TEST_", "OTHER_", NULL};
    struct capture capture;

    capture_begin(&capture);
    settings_warn_of_unknown(&table, prefixes);
    capture_end(&capture);
    const char *warning = strstr(capture.text, "WARNING");
    assert_string_equal(warning != NULL ? warning : "", expected);
    assert_int_equal(capture.writes, *expected != '\0');
    capture_free(&capture);
}

/* A variable that looks like a setting and is none is named, with the one that it may be. */
static void test_unknown_variables(void **state)
{
    (void)state;
    assert_warnings("");
    assert_int_equal(setenv("TEST_PORT", "81", 1), 0);
    assert_int_equal(setenv("ATEST_PORTS", "81", 1), 0);
    assert_warnings("");
    assert_int_equal(setenv("TEST_PROT", "81", 1), 0);
    assert_warnings("WARNING  action: config | result: success | variable: TEST_PROT | reason: "
                    "unknown variable: is it TEST_PORT?\n");
    assert_int_equal(unsetenv("TEST_PROT"), 0);
    assert_int_equal(setenv("OTHER_ENTIRELY_UNLIKE", "=", 1), 0);
    assert_warnings("WARNING  action: config | result: success | variable: OTHER_ENTIRELY_UNLIKE | "
                    "reason: unknown variable\n");
    assert_int_equal(unsetenv("OTHER_ENTIRELY_UNLIKE"), 0);
    assert_int_equal(unsetenv("ATEST_PORTS"), 0);
}

/* A very long value does not push the reason out of the error's text. */
static void test_error_names_reason_of_long_value(void **state)
{
    char value[2000];
    struct program program = defaults;
    struct settings_seen seen = {0};
    struct errbuf err;

    (void)state;
    memset(value, '9', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(settings_set(&table, &program, &seen, "f:1", "port", value, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "is not a number of 1..65535"));
    assert_int_equal(settings_set(&table, &program, &seen, "f:1", value, "1", &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "unknown key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_for_a_value),
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_unknown_key),
        cmocka_unit_test(test_given_twice),
        cmocka_unit_test(test_as_many_as_allowed),
        cmocka_unit_test(test_text_capacity),
        cmocka_unit_test_setup_teardown(test_environment_wins, clear_environment,
                                        clear_environment),
        cmocka_unit_test_setup_teardown(test_environment_errors, clear_environment,
                                        clear_environment),
        cmocka_unit_test_setup_teardown(test_arguments, clear_environment, clear_environment),
        cmocka_unit_test_setup_teardown(test_unknown_variables, clear_environment,
                                        clear_environment),
        cmocka_unit_test(test_error_names_reason_of_long_value),
    };

    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
