/* An agency's settings: every key, from YAML and the environment, and the errors of bad ones. */
#include "capture.h"
#include "client_settings.h"
#include "clock.h"
#include "cmocka_all.h"
#include "settings.h"
#include "settings_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define VKEY "lottery+8a433f5c+AR0NTznGHbTy9WPgUvz33QFULKfWJPB9ZaSOZcN+SdYw" /* of some key */

static const char *const variables[] = {
    "CLI_ID",          "CLI_SERVER_ADDRESS",  "CLI_LOOP_AMOUNT",
    "CLI_LOOP_PERIOD", "CLI_LOG_LEVEL",       "CLI_BATCH_MAXAMOUNT",
    "CLI_MODE",        "CLI_BETS_FILE",       "CLI_CONNECT_TIMEOUT",
    "CLI_START_DELAY", "CLI_BETS_ENCODING",   "CLI_BETS_DELIMITER",
    "CLI_BETS_HEADER", "CLI_BETS_ALLOWEMPTY", "CLI_WINNERS_FILE",
    "CLI_DRAW",        "CLI_SEAL_CHECK",      "CLI_SEAL_FILE",
    "CLI_SEAL_KEY",    "CLI_TLS_CERT",        "CLI_TLS_KEY",
    "CLI_TLS_CA",      "CLI_TLS_SERVERNAME",  "CLI_LOG_FORMAT",
    "LOG_FORMAT"};

struct fixture {
    struct settings_file file;
    struct client_settings settings;
    struct errbuf err;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    settings_file_begin(&f->file, "config.yaml", variables, COUNT(variables));
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    settings_file_end(&f->file);
    free(f);
    return 0;
}

static enum status load_file(const char *path, struct client_settings *out, struct errbuf *err)
{
    const struct settings_sources sources = {.path = path};

    return client_settings_load(&sources, out, err);
}

static enum status load_file_without_id(const char *path, struct client_settings *out,
                                        struct errbuf *err)
{
    const struct settings_sources sources = {.path = path};

    return client_settings_load_without_id(&sources, out, err);
}

static enum status load_bytes(struct fixture *f, const char *bytes, size_t size)
{
    settings_file_write(&f->file, bytes, size);
    memset(&f->settings, 0, sizeof(f->settings));
    errbuf_set(&f->err, "%s", "");
    return load_file(f->file.path, &f->settings, &f->err);
}

static enum status load(struct fixture *f, const char *text)
{
    return load_bytes(f, text, strlen(text));
}

static void assert_loads(struct fixture *f, const char *text)
{
    if (load(f, text) != STATUS_OK)
        fail_msg("\"%s\": %s", text, f->err.text);
}

static void assert_untouched(const struct fixture *f)
{
    static const struct client_settings untouched;

    assert_memory_equal(&f->settings, &untouched, sizeof(untouched));
}

/* Loading fails with "file:line: " and this text, and does not change the settings. */
static void assert_refused(struct fixture *f, const char *text, unsigned line, const char *reason)
{
    char expected[600];

    (void)snprintf(expected, sizeof(expected), "%s:%u: %s", f->file.path, line, reason);
    assert_int_equal(load(f, text), STATUS_INVALID);
    assert_string_equal(f->err.text, expected);
    assert_untouched(f);
}

/* Loading fails at this line; the rest of the text comes from libyaml. */
static void assert_refused_at(struct fixture *f, const char *text, unsigned line)
{
    char place[300];

    (void)snprintf(place, sizeof(place), "%s:%u: ", f->file.path, line);
    assert_int_equal(load(f, text), STATUS_INVALID);
    if (strncmp(f->err.text, place, strlen(place)) != 0)
        fail_msg("\"%s\": %s", text, f->err.text);
    assert_true(strlen(f->err.text) > strlen(place));
    assert_untouched(f);
}

static void assert_defaults(const struct client_settings *settings)
{
    assert_string_equal(settings->server_address, "server:12345");
    assert_int_equal(settings->loop_amount, 5);
    assert_true(settings->loop_period == 5 * NS_PER_S);
    assert_int_equal(settings->log_level, LOG_INFO);
    assert_int_equal(settings->log_format, LOG_FORMAT_TEXT);
    assert_int_equal(settings->batch_max_amount, 150);
    assert_int_equal(settings->mode, CLIENT_MODE_LOTTERY);
    assert_string_equal(settings->bets_file, "./bets.csv");
    assert_int_equal(settings->bets_format.encoding, BETS_ENCODING_UTF_8);
    assert_int_equal(settings->bets_format.delimiter, BETS_DELIMITER_COMMA);
    assert_int_equal(settings->bets_format.header, BETS_HEADER_NONE);
    assert_int_equal(settings->bets_format.empty, BETS_EMPTY_REFUSED);
    assert_string_equal(settings->winners_file, "");
    assert_string_equal(settings->draw, "");
    assert_int_equal(settings->seal_check, SEAL_CHECK_NO);
    assert_string_equal(settings->seal_file, "");
    assert_string_equal(settings->seal_key, "");
    assert_false(client_settings_want_seal(settings));
    assert_string_equal(settings->tls_cert, "");
    assert_string_equal(settings->tls_key, "");
    assert_string_equal(settings->tls_ca, "");
    assert_string_equal(settings->tls_server_name, "");
    assert_false(client_settings_have_tls(settings));
    assert_true(settings->connect_timeout == 120 * NS_PER_S);
    assert_true(settings->start_delay == 0);
}

/* All settings but the id have a default, with an empty file and without a file. */
static void test_defaults(void **state)
{
    static const char *const texts[] = {"", "\n", "# nothing\n", "{}\n", "\xef\xbb\xbf"};
    struct fixture *f = *state;

    assert_int_equal(setenv("CLI_ID", "7", 1), 0);
    assert_int_equal(load_file(f->file.path, &f->settings, &f->err), STATUS_OK);
    assert_defaults(&f->settings);
    assert_int_equal(f->settings.id, 7);
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_loads(f, texts[i]);
        assert_defaults(&f->settings);
    }
}

/* Every key of the file sets its own field. */
static void test_every_key(void **state)
{
    struct fixture *f = *state;

    assert_loads(f, "id: 4294967295\n"
                    "server:\n"
                    "  address: \"central.example:80\"\n"
                    "loop:\n"
                    "  amount: 2\n"
                    "  period: 1m30s\n"
                    "log:\n"
                    "  level: DEBUG\n"
                    "  format: journal\n"
                    "batch:\n"
                    "  maxAmount: 1\n"
                    "mode: echo\n"
                    "bets:\n"
                    "  file: /data/agency.csv\n"
                    "  encoding: utf-16\n"
                    "  delimiter: \";\"\n"
                    "  header: skip\n"
                    "  allowEmpty: true\n"
                    "winners:\n"
                    "  file: /data/winners.txt\n"
                    "connect:\n"
                    "  timeout: 300ms\n"
                    "start:\n"
                    "  delay: 3s\n"
                    "draw: 2026-11-25-nocturna\n"
                    "seal:\n"
                    "  check: yes\n"
                    "  file: /data/seal.txt\n"
                    "  key: " VKEY "\n"
                    "tls:\n"
                    "  cert: /data/agency.crt\n"
                    "  key: /data/agency.key\n"
                    "  ca: /data/ca.crt\n"
                    "  serverName: central.example\n");
    assert_true(f->settings.id == UINT32_MAX);
    assert_string_equal(f->settings.server_address, "central.example:80");
    assert_int_equal(f->settings.loop_amount, 2);
    assert_true(f->settings.loop_period == 90 * NS_PER_S);
    assert_int_equal(f->settings.log_level, LOG_DEBUG);
    assert_int_equal(f->settings.log_format, LOG_FORMAT_JOURNAL);
    assert_int_equal(f->settings.batch_max_amount, 1);
    assert_int_equal(f->settings.mode, CLIENT_MODE_ECHO);
    assert_string_equal(f->settings.bets_file, "/data/agency.csv");
    assert_int_equal(f->settings.bets_format.encoding, BETS_ENCODING_UTF_16);
    assert_int_equal(f->settings.bets_format.delimiter, BETS_DELIMITER_SEMICOLON);
    assert_int_equal(f->settings.bets_format.header, BETS_HEADER_SKIP);
    assert_int_equal(f->settings.bets_format.empty, BETS_EMPTY_ALLOWED);
    assert_string_equal(f->settings.winners_file, "/data/winners.txt");
    assert_string_equal(f->settings.draw, "2026-11-25-nocturna");
    assert_int_equal(f->settings.seal_check, SEAL_CHECK_YES);
    assert_string_equal(f->settings.seal_file, "/data/seal.txt");
    assert_string_equal(f->settings.seal_key, VKEY);
    assert_string_equal(f->settings.tls_cert, "/data/agency.crt");
    assert_string_equal(f->settings.tls_key, "/data/agency.key");
    assert_string_equal(f->settings.tls_ca, "/data/ca.crt");
    assert_string_equal(f->settings.tls_server_name, "central.example");
    assert_true(client_settings_have_tls(&f->settings));
    assert_true(f->settings.connect_timeout == 300 * NS_PER_MS);
    assert_true(f->settings.start_delay == 3 * NS_PER_S);
}

/* Keys may be written with dots, in flow style, quoted, and with CRLF. */
static void test_other_spellings(void **state)
{
    static const char *const texts[] = {
        "id: 3\nlog.level: ERROR\n",
        "{id: 3, log: {level: ERROR}}",
        "{\"id\": \"3\", 'log': {\"level\": 'ERROR'}}\n",
        "id: 3\r\nlog:\r\n  level: ERROR\r\n",
        "---\nid: 003\nlog: {level: ERROR}\n...\n",
        "\xef\xbb\xbfid: 3 # three\nlog:\n\n      level:   ERROR   \n",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_loads(f, texts[i]);
        assert_int_equal(f->settings.id, 3);
        assert_int_equal(f->settings.log_level, LOG_ERROR);
    }
}

/* The file that comes with the agency is valid and has the defaults. */
static void test_own_file(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(setenv("CLI_ID", "1", 1), 0);
    assert_int_equal(load_file(CONFIG_YAML, &f->settings, &f->err), STATUS_OK);
    assert_defaults(&f->settings);
}

/* The id has no default. */
static void test_id_is_missing(void **state)
{
    struct fixture *f = *state;
    char expected[400];

    (void)snprintf(expected, sizeof(expected),
                   "%s: id: missing, and neither CLI_ID in the environment nor --id", f->file.path);
    assert_int_equal(load_file(f->file.path, &f->settings, &f->err), STATUS_INVALID);
    assert_string_equal(f->err.text, expected);
    assert_int_equal(load(f, "mode: echo\n"), STATUS_INVALID);
    assert_string_equal(f->err.text, expected);
    assert_untouched(f);
}

/* What needs no id loads without one, but everything else has to be right. */
static void test_without_id(void **state)
{
    struct fixture *f = *state;

    settings_file_write(&f->file, "bets.header: skip\n", strlen("bets.header: skip\n"));
    assert_int_equal(load_file_without_id(f->file.path, &f->settings, &f->err), STATUS_OK);
    assert_int_equal(f->settings.bets_format.header, BETS_HEADER_SKIP);
    settings_file_write(&f->file, "id: 0\n", strlen("id: 0\n"));
    assert_int_equal(load_file_without_id(f->file.path, &f->settings, &f->err), STATUS_INVALID);
}

/* An error has the file, the line, the key and the reason. */
static void test_errors_name_the_line(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "ids: 1\n", 1, "ids: unknown key");
    assert_refused(f, "id: 1\nlog:\n\n  # loud\n  levels: INFO\n", 5, "log.levels: unknown key");
    assert_refused(f, "id: 1\nID: 1\n", 2, "ID: unknown key");
    assert_refused(f, "id: 1\nlevel: INFO\n", 2, "level: unknown key");
    assert_refused(f, "id: 0\n", 1, "id: \"0\" is not a number of 1..4294967295");
    assert_refused(f, "id: 4294967296\n", 1, "id: \"4294967296\" is not a number of 1..4294967295");
    assert_refused(f, "id: one\n", 1, "id: \"one\" is not a number of 1..4294967295");
    assert_refused(f, "id: 1_0\n", 1, "id: \"1_0\" is not a number of 1..4294967295");
    assert_refused(f, "id: \" 1\"\n", 1, "id: \" 1\" is not a number of 1..4294967295");
    assert_refused(f, "id:\n", 1, "id: \"\" is not a number of 1..4294967295");
    assert_refused(f, "id: 1\nbatch:\n  maxAmount: 0\n", 3,
                   "batch.maxAmount: \"0\" is not a number of 1..4294967295");
    assert_refused(f, "id: 1\nloop:\n  amount: -1\n", 3,
                   "loop.amount: \"-1\" is not a number of 0..4294967295");
    assert_refused(f, "log:\n  level: loud\n", 2,
                   "log.level: \"loud\" is not one of DEBUG|INFO|WARNING|ERROR|CRITICAL");
    assert_refused(f, "mode: raffle\n", 1, "mode: \"raffle\" is not one of lottery|bet|echo");
    assert_refused(f, "server:\n  address: server\n", 2,
                   "server.address: \"server\" is not host:port, or up to 8 of them with commas in "
                   "between");
    assert_refused(
        f, "server:\n  address: server:0\n", 2,
        "server.address: \"server:0\" is not host:port, or up to 8 of them with commas in "
        "between");
    assert_refused(f, "server:\n  address: :80\n", 2,
                   "server.address: \":80\" is not host:port, or up to 8 of them with commas in "
                   "between");
    assert_refused(f, "bets:\n  file: ''\n", 2, "bets.file: \"\" is not a text of 1..511 bytes");
    assert_refused(f, "bets:\n  encoding: latin1\n", 2,
                   "bets.encoding: \"latin1\" is not one of "
                   "utf-8|windows-1252|iso-8859-1|utf-16|utf-16le|utf-16be");
    assert_refused(f, "bets:\n  delimiter: x\n", 2, "bets.delimiter: \"x\" is not one of ,|;|tab");
    assert_refused(f, "bets:\n  header: yes\n", 2, "bets.header: \"yes\" is not one of none|skip");
    assert_refused(f, "bets:\n  allowEmpty: 1\n", 2,
                   "bets.allowEmpty: \"1\" is not one of false|true");
}

/* Durations are those of Go: with a unit, and not negative. */
static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"0", 0},
                {"0s", 0},
                {"1ns", 1},
                {"1.5s", 3 * NS_PER_S / 2},
                {"5s", 5 * NS_PER_S},
                {"1h", 3600 * NS_PER_S},
                {"1m30s", 90 * NS_PER_S}};
    static const char *const bad[] = {"5", "s", "-1s", "5 s", "5x", "1e3s", "9999999999h"};
    struct fixture *f = *state;
    char text[128];
    char reason[256];

    for (size_t i = 0; i < COUNT(good); i++) {
        (void)snprintf(text, sizeof(text), "id: 1\nloop:\n  period: %s\n", good[i].text);
        assert_loads(f, text);
        assert_true(f->settings.loop_period == good[i].ns);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        (void)snprintf(text, sizeof(text), "id: 1\nconnect:\n  timeout: %s\n", bad[i]);
        (void)snprintf(reason, sizeof(reason),
                       "connect.timeout: \"%s\" is not a duration of at least 0ms, like 5s or "
                       "1m30s",
                       bad[i]);
        assert_refused(f, text, 3, reason);
    }
}

/* A key given twice is an error: in one mapping, in two, and in its two spellings. */
static void test_given_twice(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "id: 1\nid: 1\n", 2, "id: given twice");
    assert_refused(f, "log:\n  level: INFO\nid: 1\nlog:\n  level: INFO\n", 5,
                   "log.level: given twice");
    assert_refused(f, "log:\n  level: INFO\nlog.level: INFO\n", 3, "log.level: given twice");
}

/* Several addresses: with commas, or as a list; the setting has them with commas. */
static void test_several_addresses(void **state)
{
    struct fixture *f = *state;

    assert_loads(f, "id: 1\nserver:\n  address: \"a:1, [::1]:2\"\n");
    assert_string_equal(f->settings.server_address, "a:1, [::1]:2");
    assert_loads(f, "id: 1\nserver:\n  address:\n    - a:1\n    - '[::1]:2'\n    - b:3\n");
    assert_string_equal(f->settings.server_address, "a:1,[::1]:2,b:3");
    assert_loads(f, "id: 1\nserver.address: ['a:1']\n");
    assert_string_equal(f->settings.server_address, "a:1");
    assert_refused(
        f, "id: 1\nserver:\n  address: []\n", 3,
        "server.address: \"\" is not host:port, or up to 8 of them with commas in between");
    assert_refused(f, "id: 1\nserver:\n  address: [a:1, b]\n", 3,
                   "server.address: \"a:1,b\" is not host:port, or up to 8 of them with commas in "
                   "between");
    assert_refused(f, "id: 1\nserver:\n  address:\n    - a:1\n    - [b:1]\n", 5,
                   "a value in a list has to be a word or a number");
}

/* A list that is longer than a text may be is refused where it becomes too long. */
static void test_long_list(void **state)
{
    struct fixture *f = *state;
    char text[1200] = "id: 1\nserver.address:\n";

    for (int i = 0; i < 6; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "- %0120d:1\n", i);
    assert_refused(f, text, 7, "the list is too long");
}

/* A value is a word or a number; a group of settings is a mapping. */
static void test_wrong_kinds(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "id: 1\nserver: [a, b]\n", 2, "a value has to be a word or a number");
    assert_refused(f, "id:\n  - 1\n", 2, "a value has to be a word or a number");
    assert_refused(f, "server: here:80\n", 1, "server: unknown key");
    assert_refused(f, "id: {a: 1}\n", 1, "id.a: unknown key");
    assert_refused(f, "id: {}\nlog: {level: x}\n", 2,
                   "log.level: \"x\" is not one of DEBUG|INFO|WARNING|ERROR|CRITICAL");
    assert_refused(f, "- id\n- 1\n", 1, "settings have to be key: value");
    assert_refused(f, "\nid\n", 2, "settings have to be key: value");
    assert_refused(f, "id: 1\n? [a, b]\n: 2\n", 2, "a key has to be a word");
    assert_refused(f, "? {a: b}\n: 2\n", 1, "a key has to be a word");
}

/* Nesting deeper than any setting is refused where it begins, however deep it gets. */
static void test_deep_nesting(void **state)
{
    enum { DEPTH = 900 };
    struct fixture *f = *state;
    char text[DEPTH * 5 + 1];
    size_t size = 0;

    assert_refused(f, "server:\n  address:\n    host: a\n", 3,
                   "a value has to be a word or a number");
    for (int i = 0; i < DEPTH; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "{a: ");
    memset(text + size, '}', DEPTH);
    assert_int_equal(load_bytes(f, text, size + DEPTH), STATUS_INVALID);
    memset(text, '[', sizeof(text));
    assert_int_equal(load_bytes(f, text, sizeof(text)), STATUS_INVALID);
    assert_untouched(f);
}

/* Anchors and aliases are part of YAML: an alias counts as the node that it names, and one that
 * contains itself is an error. */
static void test_anchors_and_aliases(void **state)
{
    struct fixture *f = *state;

    assert_loads(f, "id: &seven 7\nloop:\n  amount: *seven\n");
    assert_int_equal(f->settings.id, 7);
    assert_int_equal(f->settings.loop_amount, 7);
    assert_refused_at(f, "id: 1\nmode: *nobody\n", 2);
    assert_refused(f, "log: &log\n  level: *log\n", 1, "a value has to be a word or a number");
    assert_refused(f, "log: &log {level: INFO}\nserver: *log\n", 1, "server.level: unknown key");
}

/* The error of a file that is not YAML names the line. */
static void test_syntax_errors(void **state)
{
    struct fixture *f = *state;

    assert_refused_at(f, "id: 1\nlog: {level: INFO\n", 3);
    assert_refused_at(f, "id: 1\n\tmode: echo\n", 2);
    assert_refused_at(f, "id: 1\nmode: \"echo\n", 3);
    assert_refused_at(f, "id: 1\nmode: a: b\n", 2);
    assert_refused_at(f, "id: 1\n  mode: echo\n", 2);
    assert_int_equal(load(f, "id: \xff\xfe\n"), STATUS_INVALID);
    assert_untouched(f);
}

/* A NUL byte does not hide the rest of its value, or key. */
static void test_nul_byte(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "id: 1\nmode: \"echo\\0x\"\n", 2, "a NUL byte in a value");
    assert_refused(f, "\"id\\0x\": 1\n", 1, "a key has to be a word");
}

/* Keys and values of any length are either read whole or refused. */
static void test_long_texts(void **state)
{
    struct fixture *f = *state;
    char name[600];
    char text[700];

    for (size_t size = 500; size < 530; size++) {
        memset(name, 'x', size);
        name[size] = '\0';
        (void)snprintf(text, sizeof(text), "id: 1\nbets:\n  file: %s\n", name);
        assert_int_equal(load(f, text), size < 512 ? STATUS_OK : STATUS_INVALID);
        if (size < 512)
            assert_string_equal(f->settings.bets_file, name);
    }
    for (size_t size = 120; size < 140; size++) {
        memset(name, 'k', size);
        name[size] = '\0';
        (void)snprintf(text, sizeof(text), "id: 1\n%s: 1\n", name);
        assert_refused_at(f, text, 2);
    }
}

/* A file that exists but cannot be read is an error that names it. */
static void test_unreadable_file(void **state)
{
    struct fixture *f = *state;
    char expected[400];

    assert_int_equal(setenv("CLI_ID", "1", 1), 0);
    assert_int_equal(mkdir(f->file.path, 0700), 0);
    assert_int_equal(load_file(f->file.path, &f->settings, &f->err), STATUS_IO);
    (void)snprintf(expected, sizeof(expected), "%s: Is a directory", f->file.path);
    assert_string_equal(f->err.text, expected);
    assert_int_equal(rmdir(f->file.path), 0);
    assert_int_equal(symlink(f->file.path, f->file.path), 0);
    assert_int_equal(load_file(f->file.path, &f->settings, &f->err), STATUS_IO);
    (void)snprintf(expected, sizeof(expected), "%s: Too many levels of symbolic links",
                   f->file.path);
    assert_string_equal(f->err.text, expected);
    assert_untouched(f);
}

/* The environment wins over the file, for every key. */
static void test_environment_wins(void **state)
{
    static const char *const values[] = {
        "9",  "a:1",      "1",     "1s",   "CRITICAL", "10",   "bet",    "b.csv", "2s",
        "3s", "utf-16be", "tab",   "skip", "true",     "w",    "d",      "yes",   "s",
        VKEY, "c.crt",    "c.key", "ca",   "name",     "json", "journal"};
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT(variables); i++)
        assert_int_equal(setenv(variables[i], values[i], 1), 0);
    assert_loads(f,
                 "{id: 1, server.address: 'b:2', loop.amount: 3, loop.period: 4s, "
                 "log.level: INFO, log.format: text, batch.maxAmount: 5, mode: echo, bets.file: c, "
                 "connect.timeout: 6s, start.delay: 7s}");
    assert_int_equal(f->settings.id, 9);
    assert_string_equal(f->settings.server_address, "a:1");
    assert_int_equal(f->settings.loop_amount, 1);
    assert_true(f->settings.loop_period == NS_PER_S);
    assert_int_equal(f->settings.log_level, LOG_CRITICAL);
    assert_int_equal(f->settings.log_format, LOG_FORMAT_JSON);
    assert_int_equal(f->settings.batch_max_amount, 10);
    assert_int_equal(f->settings.mode, CLIENT_MODE_BET);
    assert_string_equal(f->settings.bets_file, "b.csv");
    assert_int_equal(f->settings.bets_format.encoding, BETS_ENCODING_UTF_16BE);
    assert_int_equal(f->settings.bets_format.delimiter, BETS_DELIMITER_TAB);
    assert_int_equal(f->settings.bets_format.header, BETS_HEADER_SKIP);
    assert_int_equal(f->settings.bets_format.empty, BETS_EMPTY_ALLOWED);
    assert_string_equal(f->settings.winners_file, "w");
    assert_string_equal(f->settings.draw, "d");
    assert_int_equal(f->settings.seal_check, SEAL_CHECK_YES);
    assert_string_equal(f->settings.seal_file, "s");
    assert_string_equal(f->settings.seal_key, VKEY);
    assert_string_equal(f->settings.tls_cert, "c.crt");
    assert_string_equal(f->settings.tls_key, "c.key");
    assert_string_equal(f->settings.tls_ca, "ca");
    assert_string_equal(f->settings.tls_server_name, "name");
    assert_true(f->settings.connect_timeout == 2 * NS_PER_S);
    assert_true(f->settings.start_delay == 3 * NS_PER_S);
}

/* The variable that both programs have counts for the form of the log: over the file, and under the
 * agency's own. The file has no key of that name. */
static void test_shared_variable(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(setenv("LOG_FORMAT", "json", 1), 0);
    assert_loads(f, "id: 1\nlog.format: text\n");
    assert_int_equal(f->settings.log_format, LOG_FORMAT_JSON);
    assert_int_equal(setenv("CLI_LOG_FORMAT", "journal", 1), 0);
    assert_loads(f, "id: 1\nlog.format: text\n");
    assert_int_equal(f->settings.log_format, LOG_FORMAT_JOURNAL);
    assert_int_equal(setenv("LOG_FORMAT", "xml", 1), 0);
    assert_int_equal(load(f, "id: 1\n"), STATUS_INVALID);
    assert_string_equal(f->err.text,
                        "environment: LOG_FORMAT: \"xml\" is not one of text|json|journal");
    assert_int_equal(unsetenv("LOG_FORMAT"), 0);
    assert_int_equal(setenv("CLI_LOG_FORMAT", "", 1), 0);
    assert_int_equal(load(f, "id: 1\n"), STATUS_INVALID);
    assert_string_equal(f->err.text,
                        "environment: CLI_LOG_FORMAT: \"\" is not one of text|json|journal");
    assert_refused(f, "id: 1\nlog:\n  format: jsonl\n", 3,
                   "log.format: \"jsonl\" is not one of text|json|journal");
    assert_refused(f, "id: 1\nLOG_FORMAT: json\n", 2, "LOG_FORMAT: unknown key");
    assert_refused(f, "id: 1\n'': json\n", 2, ": unknown key");
}

/* Each of the three settings asks for the seal. */
static void test_seal(void **state)
{
    static const char *const texts[] = {"seal.check: yes", "seal.file: s", ("seal.key: " VKEY)};
    struct fixture *f = *state;
    char text[256];

    for (size_t i = 0; i < COUNT(texts); i++) {
        (void)snprintf(text, sizeof(text), "id: 1\n%s\n", texts[i]);
        assert_loads(f, text);
        assert_true(client_settings_want_seal(&f->settings));
    }
    assert_loads(f, "id: 1\nseal.check: no\n");
    assert_false(client_settings_want_seal(&f->settings));
}

/* A key with a typing error or another name is refused, and the error says where it is. */
static void test_bad_keys(void **state)
{
    static const char *const keys[] = {"x", (VKEY "A"), ("b" VKEY),
                                       "lottery+00000000+AfOP4nNoq4HjTqOu0r2Y"};
    struct fixture *f = *state;
    char text[256];
    char place[300];

    (void)snprintf(place, sizeof(place), "%s: seal.key: ", f->file.path);
    for (size_t i = 0; i < COUNT(keys); i++) {
        (void)snprintf(text, sizeof(text), "id: 1\nseal.key: %s\n", keys[i]);
        assert_int_equal(load(f, text), STATUS_INVALID);
        assert_int_equal(strncmp(f->err.text, place, strlen(place)), 0);
        assert_true(strlen(f->err.text) > strlen(place));
        assert_untouched(f);
    }
    assert_int_equal(setenv("CLI_SEAL_KEY", "y", 1), 0);
    assert_int_equal(load(f, "id: 1\nseal.key: " VKEY "\n"), STATUS_INVALID);
    assert_int_equal(strncmp(f->err.text, "environment: CLI_SEAL_KEY: ", 27), 0);
}

/* Any part of TLS without the rest is refused, and the error names all that is missing. */
static void test_half_of_tls(void **state)
{
    static const struct {
        const char *given;
        const char *missing;
    } cases[] = {
        {"tls.cert: a\n", "tls.key, tls.ca: missing, and no CLI_TLS_KEY, CLI_TLS_CA"},
        {"tls.key: a\n", "tls.cert, tls.ca: missing, and no CLI_TLS_CERT, CLI_TLS_CA"},
        {"tls.ca: a\n", "tls.cert, tls.key: missing, and no CLI_TLS_CERT, CLI_TLS_KEY"},
        {"tls.cert: a\ntls.key: a\n", "tls.ca: missing, and no CLI_TLS_CA"},
        {"tls.cert: a\ntls.ca: a\n", "tls.key: missing, and no CLI_TLS_KEY"},
        {"tls.key: a\ntls.ca: a\n", "tls.cert: missing, and no CLI_TLS_CERT"},
        {"tls.serverName: a\n",
         "tls.cert, tls.key, tls.ca: missing, and no CLI_TLS_CERT, CLI_TLS_KEY, CLI_TLS_CA"},
    };
    struct fixture *f = *state;
    char text[128];
    char expected[600];

    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)snprintf(text, sizeof(text), "id: 1\n%s", cases[i].given);
        (void)snprintf(expected, sizeof(expected),
                       "%s: %s in the environment: for TLS set tls.cert, tls.key and tls.ca, for "
                       "none leave out all of tls.*",
                       f->file.path, cases[i].missing);
        assert_int_equal(load(f, text), STATUS_INVALID);
        assert_string_equal(f->err.text, expected);
        assert_untouched(f);
    }
    /* File and environment complete each other. */
    assert_int_equal(setenv("CLI_TLS_KEY", "b", 1), 0);
    assert_loads(f, "id: 1\ntls.cert: a\ntls.ca: a\n");
    assert_true(client_settings_have_tls(&f->settings));
}

/* A file of bets is checked without a connection. */
static void test_half_of_tls_without_id(void **state)
{
    struct fixture *f = *state;

    settings_file_write(&f->file, "tls.cert: a\n", strlen("tls.cert: a\n"));
    assert_int_equal(load_file_without_id(f->file.path, &f->settings, &f->err), STATUS_OK);
    assert_string_equal(f->settings.tls_cert, "a");
}

/* A bad value in the environment is an error, and so is one in the file that it overrides. */
static void test_environment_errors(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(setenv("CLI_BATCH_MAXAMOUNT", "many", 1), 0);
    assert_int_equal(load(f, "id: 1\n"), STATUS_INVALID);
    assert_string_equal(
        f->err.text, "environment: CLI_BATCH_MAXAMOUNT: \"many\" is not a number of 1..4294967295");
    assert_untouched(f);
    assert_int_equal(setenv("CLI_BATCH_MAXAMOUNT", "10", 1), 0);
    assert_refused(f, "batch:\n  maxAmount: x\n", 2,
                   "batch.maxAmount: \"x\" is not a number of 1..4294967295");
}

/* The config line begins as documented, with the period as Go prints it. */
static void test_log_line(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    assert_loads(f, "id: 1\nloop:\n  period: 90000ms\nlog:\n  level: DEBUG\nstart.delay: 1500ms\n"
                    "winners.file: w.txt\n");
    capture_begin(&capture);
    client_settings_log(&f->settings);
    capture_end(&capture);
    assert_non_null(strstr(capture.text, " INFO     action: config | result: success | "
                                         "client_id: 1 | server_address: server:12345 | "
                                         "loop_amount: 5 | loop_period: 1m30s | "
                                         "log_level: DEBUG | mode: lottery"));
    /* Newer values come last, so that the older ones keep their place. */
    assert_non_null(strstr(capture.text, " | connect_timeout: 2m0s | start_delay: 1.5s | "
                                         "bets_encoding: utf-8 | bets_delimiter: , | "
                                         "bets_header: none | bets_allow_empty: false | "
                                         "winners_file: w.txt | tls: off\n"));
    assert_int_equal(capture.writes, 1);
    capture_free(&capture);
    /* What is about draws only where it is set. */
    assert_loads(f, "id: 1\ndraw: a-1\nseal.file: s.txt\nseal.key: " VKEY "\n");
    capture_begin(&capture);
    client_settings_log(&f->settings);
    capture_end(&capture);
    assert_non_null(strstr(capture.text, " | winners_file:  | draw: a-1 | seal_check: yes | "
                                         "seal_file: s.txt | seal_key: " VKEY " | tls: off\n"));
    capture_free(&capture);
    assert_loads(f, "id: 1\ntls: {cert: a, key: b, ca: c}\n");
    capture_begin(&capture);
    client_settings_log(&f->settings);
    capture_end(&capture);
    assert_non_null(strstr(capture.text, " | winners_file:  | tls: on\n"));
    capture_free(&capture);
    assert_loads(f, "id: 1\ndraw: a-1\nseal.file: s.txt\nseal.key: " VKEY "\nlog.format: journal\n"
                    "tls: {cert: a, key: b, ca: c}\n");
    capture_begin(&capture);
    client_settings_log(&f->settings);
    capture_end(&capture);
    assert_non_null(
        strstr(capture.text, " | seal_key: " VKEY " | log_format: journal | tls: on\n"));
    capture_free(&capture);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_defaults),
        CASE(test_every_key),
        CASE(test_other_spellings),
        CASE(test_own_file),
        CASE(test_id_is_missing),
        CASE(test_without_id),
        CASE(test_errors_name_the_line),
        CASE(test_durations),
        CASE(test_given_twice),
        CASE(test_several_addresses),
        CASE(test_long_list),
        CASE(test_wrong_kinds),
        CASE(test_deep_nesting),
        CASE(test_anchors_and_aliases),
        CASE(test_syntax_errors),
        CASE(test_nul_byte),
        CASE(test_long_texts),
        CASE(test_unreadable_file),
        CASE(test_environment_wins),
        CASE(test_environment_errors),
        CASE(test_shared_variable),
        CASE(test_seal),
        CASE(test_bad_keys),
        CASE(test_half_of_tls),
        CASE(test_half_of_tls_without_id),
        CASE(test_log_line),
    };

    return cmocka_run_group_tests_name("client_settings", tests, NULL, NULL);
}
