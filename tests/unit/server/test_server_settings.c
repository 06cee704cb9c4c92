#include "capture.h"
#include "cmocka_all.h"
#include "server_settings.h"
#include "settings.h"
#include "settings_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const variables[] = {"SERVER_PORT",
                                        "SERVER_IP",
                                        "SERVER_LISTEN_BACKLOG",
                                        "LOGGING_LEVEL",
                                        "LOG_FORMAT",
                                        "SERVER_MODE",
                                        "SERVER_WORKERS",
                                        "SERVER_MAX_CONNECTIONS",
                                        "SERVER_MAX_CONNECTIONS_PER_IP",
                                        "SERVER_MAX_BUFFERED",
                                        "SERVER_HANDSHAKE_TIMEOUT",
                                        "SERVER_FRAME_TIMEOUT",
                                        "SERVER_IDLE_TIMEOUT",
                                        "SERVER_HTTP_ADDRESS",
                                        "SERVER_METRICS_PER_AGENCY",
                                        "LOTTERY_AGENCIES",
                                        "LOTTERY_WINNER_NUMBER",
                                        "LOTTERY_DATA_DIR",
                                        "LOTTERY_DRAW",
                                        "LOTTERY_SEAL",
                                        "LOTTERY_CLOSE_AT",
                                        "LOTTERY_DRAW_ID",
                                        "LOTTERY_SEAL_KEY",
                                        "TLS_CERT",
                                        "TLS_KEY",
                                        "TLS_CA",
                                        "TLS_CRL"};

struct fixture {
    struct settings_file file;
    struct server_settings settings;
    struct errbuf err;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    settings_file_begin(&f->file, "config.ini", variables, COUNT(variables));
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

static enum status load_file(const char *path, struct server_settings *out, struct errbuf *err)
{
    const struct settings_sources sources = {.path = path};

    return server_settings_load(&sources, out, err);
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

/* Loading must fail with "file:line: reason" and leave the settings unchanged. */
static void assert_refused(struct fixture *f, const char *text, unsigned line, const char *reason)
{
    static const struct server_settings untouched;
    char expected[600];

    (void)snprintf(expected, sizeof(expected), "%s:%u: %s", f->file.path, line, reason);
    assert_int_equal(load(f, text), STATUS_INVALID);
    assert_string_equal(f->err.text, expected);
    assert_memory_equal(&f->settings, &untouched, sizeof(untouched));
}

static void assert_defaults(const struct server_settings *settings)
{
    assert_int_equal(settings->port, 12345);
    assert_string_equal(settings->ip, "server");
    assert_int_equal(settings->listen_backlog, 5);
    assert_int_equal(settings->log_level, LOG_INFO);
    assert_int_equal(settings->log_format, LOG_FORMAT_TEXT);
    assert_int_equal(settings->mode, SERVER_MODE_LOTTERY);
    assert_int_equal(settings->workers, 0);
    assert_int_equal(settings->agencies, 5);
    assert_int_equal(settings->winner_number, 7574);
    assert_string_equal(settings->data_dir, ".");
    assert_int_equal(settings->draw, SERVER_DRAW_AUTO);
    assert_int_equal(settings->seal, SERVER_SEAL_UNSET);
    assert_false(server_settings_has_seal(settings));
    assert_true(settings->close_at_s == 0);
    assert_string_equal(settings->draw_id, "");
    assert_string_equal(settings->seal_key, "");
    assert_string_equal(settings->tls_crl, "");
    assert_false(server_settings_has_tls(settings));
    assert_true(settings->max_connections >= 1000);
    assert_true(settings->max_connections_per_ip >= 1000);
    assert_int_equal(settings->max_buffered, 1048576);
    assert_true(settings->handshake_timeout > 0);
    assert_true(settings->frame_timeout > 0);
    assert_true(settings->idle_timeout > 0);
}

/* Without a file, or with an empty one, all settings have their defaults. */
static void test_defaults(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load_file(f->file.path, &f->settings, &f->err), STATUS_OK);
    assert_defaults(&f->settings);
    assert_int_equal(load(f, ""), STATUS_OK);
    assert_defaults(&f->settings);
    assert_int_equal(load(f, "[DEFAULT]\n"), STATUS_OK);
    assert_defaults(&f->settings);
}

/* Every key of the file sets its own setting. */
static void test_every_key(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, "[DEFAULT]\n"
                             "SERVER_PORT = 1\n"
                             "SERVER_IP = 10.0.0.1\n"
                             "SERVER_LISTEN_BACKLOG = 2\n"
                             "LOGGING_LEVEL = DEBUG\n"
                             "LOG_FORMAT = journal\n"
                             "SERVER_MODE = echo\n"
                             "SERVER_WORKERS = 3\n"
                             "SERVER_MAX_CONNECTIONS = 4\n"
                             "SERVER_MAX_CONNECTIONS_PER_IP = 5\n"
                             "SERVER_MAX_BUFFERED = 11\n"
                             "SERVER_HANDSHAKE_TIMEOUT = 6s\n"
                             "SERVER_FRAME_TIMEOUT = 1m7s\n"
                             "SERVER_IDLE_TIMEOUT = 8000ms\n"
                             "SERVER_HTTP_ADDRESS = 0.0.0.0:12\n"
                             "SERVER_METRICS_PER_AGENCY = yes\n"
                             "LOTTERY_AGENCIES = 9\n"
                             "LOTTERY_WINNER_NUMBER = 10\n"
                             "LOTTERY_DATA_DIR = /var/lib/lottery\n"
                             "LOTTERY_DRAW = manual\n"
                             "LOTTERY_SEAL = no\n"
                             "LOTTERY_CLOSE_AT = 2026-11-25T21:00:00-03:00\n"
                             "LOTTERY_DRAW_ID = 2026-11-25-nocturna\n"
                             "LOTTERY_SEAL_KEY = /etc/lottery.pem\n"
                             "TLS_CERT = /etc/server.crt\n"
                             "TLS_KEY = /etc/server.key\n"
                             "TLS_CA = /etc/ca.crt\n"
                             "TLS_CRL = /etc/ca.crl\n"),
                     STATUS_OK);
    assert_int_equal(f->settings.port, 1);
    assert_string_equal(f->settings.ip, "10.0.0.1");
    assert_int_equal(f->settings.listen_backlog, 2);
    assert_int_equal(f->settings.log_level, LOG_DEBUG);
    assert_int_equal(f->settings.log_format, LOG_FORMAT_JOURNAL);
    assert_int_equal(f->settings.mode, SERVER_MODE_ECHO);
    assert_int_equal(f->settings.workers, 3);
    assert_int_equal(f->settings.max_connections, 4);
    assert_int_equal(f->settings.max_connections_per_ip, 5);
    assert_int_equal(f->settings.max_buffered, 11);
    assert_true(f->settings.handshake_timeout == INT64_C(6000000000));
    assert_true(f->settings.frame_timeout == INT64_C(67000000000));
    assert_true(f->settings.idle_timeout == INT64_C(8000000000));
    assert_string_equal(f->settings.http_address, "0.0.0.0:12");
    assert_int_equal(f->settings.metrics, SERVER_METRICS_PER_AGENCY);
    assert_int_equal(f->settings.agencies, 9);
    assert_int_equal(f->settings.winner_number, 10);
    assert_string_equal(f->settings.data_dir, "/var/lib/lottery");
    assert_int_equal(f->settings.draw, SERVER_DRAW_MANUAL);
    assert_int_equal(f->settings.seal, SERVER_SEAL_NO);
    assert_true(f->settings.close_at_s == 1795651200);
    assert_string_equal(f->settings.draw_id, "2026-11-25-nocturna");
    assert_string_equal(f->settings.seal_key, "/etc/lottery.pem");
    assert_string_equal(f->settings.tls_cert, "/etc/server.crt");
    assert_string_equal(f->settings.tls_key, "/etc/server.key");
    assert_string_equal(f->settings.tls_ca, "/etc/ca.crt");
    assert_string_equal(f->settings.tls_crl, "/etc/ca.crl");
    assert_true(server_settings_has_tls(&f->settings));
}

/* Where nothing else is set, a draw is sealed if an operator runs it. */
static void test_seal(void **state)
{
    static const struct {
        const char *text;
        bool has_seal;
    } cases[] = {
        {"[DEFAULT]\nLOTTERY_DRAW = auto\n", false},
        {"[DEFAULT]\nLOTTERY_DRAW = manual\n", true},
        {"[DEFAULT]\nLOTTERY_SEAL = no\n", false},
        {"[DEFAULT]\nLOTTERY_SEAL = yes\n", true},
        {"[DEFAULT]\nLOTTERY_DRAW = manual\nLOTTERY_SEAL = no\n", false},
        {"[DEFAULT]\nLOTTERY_DRAW = manual\nLOTTERY_SEAL = yes\n", true},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(load(f, cases[i].text), STATUS_OK);
        assert_int_equal(server_settings_has_seal(&f->settings), cases[i].has_seal);
    }
}

/* The observer is off unless it has an address; a port alone is one of this machine. */
static void test_http(void **state)
{
    struct fixture *f = *state;
    char ip[SERVER_HTTP_IP_SIZE];
    uint16_t port;

    assert_int_equal(load(f, "[DEFAULT]\n"), STATUS_OK);
    assert_false(server_settings_http(&f->settings, ip, &port));
    assert_int_equal(load(f, "[DEFAULT]\nSERVER_HTTP_ADDRESS =\n"), STATUS_OK);
    assert_false(server_settings_http(&f->settings, ip, &port));
    assert_int_equal(load(f, "[DEFAULT]\nSERVER_HTTP_ADDRESS = 9090\n"), STATUS_OK);
    assert_true(server_settings_http(&f->settings, ip, &port));
    assert_string_equal(ip, "127.0.0.1");
    assert_int_equal(port, 9090);
    assert_int_equal(load(f, "[DEFAULT]\nSERVER_HTTP_ADDRESS = [::1]:0\n"), STATUS_OK);
    assert_true(server_settings_http(&f->settings, ip, &port));
    assert_string_equal(ip, "::1");
    assert_int_equal(port, 0);
    assert_refused(f, "[DEFAULT]\nSERVER_HTTP_ADDRESS = localhost:9090\n", 2,
                   "SERVER_HTTP_ADDRESS: \"localhost:9090\" is not a port, or an IP address and a "
                   "port, like 9090, 0.0.0.0:9090 or [::1]:9090");
    assert_refused(f, "[DEFAULT]\nSERVER_METRICS_PER_AGENCY = true\n", 2,
                   "SERVER_METRICS_PER_AGENCY: \"true\" is not one of no|yes");
}

#define ONLY_MANUAL                                                                                \
    "LOTTERY_CLOSE_AT: only a draw that an operator runs has a closing time: set LOTTERY_DRAW to " \
    "manual as well, or remove it"

/* A closing time without an operator is refused where it was set, with what to do. */
static void test_closing_time(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "[DEFAULT]\n\nLOTTERY_CLOSE_AT = 2026-11-25T21:00:00Z\n", 3, ONLY_MANUAL);
    assert_refused(f, "[DEFAULT]\nLOTTERY_CLOSE_AT = 2026-11-25T21:00:00Z\nLOTTERY_DRAW = auto\n",
                   2, ONLY_MANUAL);
    assert_refused(f, "[DEFAULT]\nLOTTERY_CLOSE_AT = 21:00\n", 2,
                   "LOTTERY_CLOSE_AT: \"21:00\" is not a time with its offset, like "
                   "2026-11-25T21:00:00-03:00");
    assert_int_equal(setenv("LOTTERY_CLOSE_AT", "2026-11-25T21:00:00Z", 1), 0);
    assert_int_equal(load(f, ""), STATUS_INVALID);
    assert_string_equal(f->err.text, "environment: " ONLY_MANUAL);
    assert_int_equal(load(f, "[DEFAULT]\nLOTTERY_DRAW = manual\n"), STATUS_OK);
}

#define HALF_TLS(key, missing)                                                                     \
    key ": TLS needs certificate, key and authority: set " missing " as well, or none of "         \
        "TLS_CERT, TLS_KEY, TLS_CA and TLS_CRL"

/* Some of the settings of TLS without the others are refused where the last of them was set; the
 * list of revoked certificates alone may be missing. */
static void test_half_of_tls(void **state)
{
    static const struct {
        const char *text;
        const char *key;
        const char *missing;
    } cases[] = {
        {"TLS_CERT = a\n", "TLS_CERT", "TLS_KEY"},
        {"TLS_KEY = b\n", "TLS_KEY", "TLS_CERT"},
        {"TLS_CA = c\n", "TLS_CA", "TLS_CERT"},
        {"TLS_CRL = d\n", "TLS_CRL", "TLS_CERT"},
        {"TLS_KEY = b\nTLS_CERT = a\n", "TLS_CERT", "TLS_CA"},
        {"TLS_CERT = a\nTLS_CA = c\n", "TLS_CA", "TLS_KEY"},
        {"TLS_CERT = a\nTLS_CA = c\nTLS_CRL = d\n", "TLS_CRL", "TLS_KEY"},
        {"TLS_CERT = a\nTLS_KEY = b\nTLS_CA = c\n", NULL, NULL},
    };
    struct fixture *f = *state;
    char text[300];
    char reason[300];

    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned lines = 1;
        for (const char *at = cases[i].text; *at != '\0'; at++)
            lines += *at == '\n';
        (void)snprintf(text, sizeof(text), "[DEFAULT]\n%s", cases[i].text);
        if (cases[i].key == NULL) {
            assert_int_equal(load(f, text), STATUS_OK);
            continue;
        }
        (void)snprintf(reason, sizeof(reason), HALF_TLS("%s", "%s"), cases[i].key,
                       cases[i].missing);
        assert_refused(f, text, lines, reason);
    }
    assert_int_equal(setenv("TLS_CA", "c", 1), 0);
    assert_int_equal(load(f, "[DEFAULT]\nTLS_CERT = a\n"), STATUS_INVALID);
    assert_string_equal(f->err.text, "environment: " HALF_TLS("TLS_CA", "TLS_KEY"));
    assert_int_equal(load(f, "[DEFAULT]\nTLS_CERT = a\nTLS_KEY = b\n"), STATUS_OK);
    assert_string_equal(f->settings.tls_ca, "c");
    assert_int_equal(setenv("TLS_CA", "", 1), 0);
    assert_int_equal(load(f, ""), STATUS_INVALID);
}

/* The file that comes with the server is valid, and has the defaults. */
static void test_own_file(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load_file(CONFIG_INI, &f->settings, &f->err), STATUS_OK);
    assert_defaults(&f->settings);
}

/* Comments, blank lines, CRLF, spaces and tabs, ":" for "=", a byte order mark and a last line
 * without a line end are fine. */
static void test_lenient_where_it_is_harmless(void **state)
{
    static const char *const texts[] = {
        "[DEFAULT]\nSERVER_PORT=7\n",
        "[DEFAULT]\nSERVER_PORT=7",
        "[DEFAULT]\r\nSERVER_PORT = 7\r\n",
        "[DEFAULT]\r\nSERVER_PORT = 7",
        "\xef\xbb\xbf[DEFAULT]\nSERVER_PORT = 7\n",
        "\n\n; a comment\n# another\n[DEFAULT]\n\nSERVER_PORT\t=\t7  \n\n",
        "[DEFAULT]\nSERVER_PORT: 7\n",
        "[DEFAULT]\nSERVER_PORT = 7 ; of seven\n",
        "[DEFAULT]\n[DEFAULT]\nSERVER_PORT = 7\n",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        if (load(f, texts[i]) != STATUS_OK)
            fail_msg("text %zu: %s", i, f->err.text);
        assert_int_equal(f->settings.port, 7);
    }
}

/* An error names the file, the line, the key and the reason. */
static void test_errors_name_the_line(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "[DEFAULT]\nSERVER_PORTS = 1\n", 2, "SERVER_PORTS: unknown key");
    assert_refused(f, "; x\n\n[DEFAULT]\n# y\nserver_port = 1\n", 5, "server_port: unknown key");
    assert_refused(f, "[DEFAULT]\r\n\r\nX = 1", 3, "X: unknown key");
    assert_refused(f, "[DEFAULT]\nSERVER_PORT = 1\nLOGGING_LEVEL = INFO\nSERVER_PORT = 1\n", 4,
                   "SERVER_PORT: given twice");
    assert_refused(f, "[DEFAULT]\nSERVER_PORT = 1\n[DEFAULT]\nSERVER_PORT = 1\n", 4,
                   "SERVER_PORT: given twice");
    assert_refused(f, "[DEFAULT]\nSERVER_PORT = 65536\n", 2,
                   "SERVER_PORT: \"65536\" is not a number of 0..65535");
    assert_refused(f, "[DEFAULT]\nSERVER_PORT = -1\n", 2,
                   "SERVER_PORT: \"-1\" is not a number of 0..65535");
    assert_refused(f, "[DEFAULT]\nSERVER_PORT = 12_345\n", 2,
                   "SERVER_PORT: \"12_345\" is not a number of 0..65535");
    assert_refused(f, "[DEFAULT]\nSERVER_PORT =\n", 2,
                   "SERVER_PORT: \"\" is not a number of 0..65535");
    assert_refused(f, "[DEFAULT]\nSERVER_LISTEN_BACKLOG = 0\n", 2,
                   "SERVER_LISTEN_BACKLOG: \"0\" is not a number of 1..65535");
    /* as many bytes as the messages have that may wait: a larger limit would have no effect */
    assert_refused(f, "[DEFAULT]\nSERVER_MAX_BUFFERED = 8388609\n", 2,
                   "SERVER_MAX_BUFFERED: \"8388609\" is not a number of 1..8388608");
    assert_refused(f, "[DEFAULT]\nLOGGING_LEVEL = LOUD\n", 2,
                   "LOGGING_LEVEL: \"LOUD\" is not one of DEBUG|INFO|WARNING|ERROR|CRITICAL");
    assert_refused(f, "[DEFAULT]\nLOG_FORMAT = JSON\n", 2,
                   "LOG_FORMAT: \"JSON\" is not one of text|json|journal");
    assert_refused(f, "[DEFAULT]\nSERVER_MODE = bet\n", 2,
                   "SERVER_MODE: \"bet\" is not one of lottery|echo");
    assert_refused(f, "[DEFAULT]\nSERVER_IP =\n", 2,
                   "SERVER_IP: \"\" is not a text of 1..511 bytes");
    assert_refused(f, "[DEFAULT]\nLOTTERY_AGENCIES = 10001\n", 2,
                   "LOTTERY_AGENCIES: \"10001\" is not a number of 0..10000");
    assert_refused(f, "[DEFAULT]\nLOTTERY_WINNER_NUMBER = 10000\n", 2,
                   "LOTTERY_WINNER_NUMBER: \"10000\" is not a number of 0..9999");
    assert_refused(f, "[DEFAULT]\nSERVER_IDLE_TIMEOUT = 5\n", 2,
                   "SERVER_IDLE_TIMEOUT: \"5\" is not a duration of at least 1000ms, like 5s or "
                   "1m30s");
}

/* The smallest and the largest number of a range are valid. */
static void test_ends_of_ranges(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, "[DEFAULT]\nSERVER_PORT = 0\nLOTTERY_AGENCIES = 0\n"
                             "LOTTERY_WINNER_NUMBER = 0\nSERVER_WORKERS = 0\n"
                             "SERVER_LISTEN_BACKLOG = 1\n"),
                     STATUS_OK);
    assert_int_equal(f->settings.port, 0);
    assert_int_equal(f->settings.agencies, 0);
    assert_int_equal(load(f, "[DEFAULT]\nSERVER_PORT = 65535\nLOTTERY_AGENCIES = 10000\n"
                             "LOTTERY_WINNER_NUMBER = 9999\nSERVER_WORKERS = 256\n"
                             "SERVER_LISTEN_BACKLOG = 65535\n"),
                     STATUS_OK);
    assert_int_equal(f->settings.port, 65535);
    assert_int_equal(f->settings.agencies, SERVER_AGENCIES_MAX);
}

/* A key before the first section or in a section other than [DEFAULT] is an error. */
static void test_sections(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "SERVER_PORT = 1\n", 1, "SERVER_PORT: belongs in section [DEFAULT]");
    assert_refused(f, "[DEFAULT]\n[default]\nSERVER_PORT = 1\n", 3,
                   "SERVER_PORT: belongs in section [DEFAULT]");
    assert_refused(f, "[SERVER]\nSERVER_PORT = 1\n", 2,
                   "SERVER_PORT: belongs in section [DEFAULT]");
    assert_refused(f, "[DEFAULT ]\nSERVER_PORT = 1\n", 2,
                   "SERVER_PORT: belongs in section [DEFAULT]");
}

/* A line that is neither a section nor a setting is an error. */
static void test_lines_without_meaning(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "[DEFAULT]\nSERVER_PORT\n", 2, "neither [section] nor KEY = value");
    assert_refused(f, "\n[DEFAULT\nSERVER_PORT = 1\n", 2, "neither [section] nor KEY = value");
    assert_refused(f, "what is this?\n", 1, "neither [section] nor KEY = value");
}

/* The first of several errors is reported, whatever their kinds. */
static void test_first_error_is_reported(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "[DEFAULT]\nX = 1\nnothing\nSERVER_PORT = x\n", 2, "X: unknown key");
    assert_refused(f, "[DEFAULT]\nnothing\nX = 1\n", 2, "neither [section] nor KEY = value");
}

/* An indented line, which INI files may use to continue a value, is an error. */
static void test_indented_line(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, "[DEFAULT]\nSERVER_IP = a\n  b\n"), STATUS_INVALID);
    assert_int_equal(load(f, "[DEFAULT]\nSERVER_IP = a\n  SERVER_PORT = 1\n"), STATUS_INVALID);
}

/* A line is read as a whole or refused with its number; it is never cut silently. */
static void test_long_lines(void **state)
{
    struct fixture *f = *state;
    char text[2000];

    for (size_t length = 150; length < 1200; length++) {
        size_t size = (size_t)snprintf(text, sizeof(text), "[DEFAULT]\nLOTTERY_DATA_DIR = ");
        size_t value_at = size;
        memset(text + size, 'd', length);
        size += length;
        (void)snprintf(text + size, sizeof(text) - size, "\nSERVER_PORT = 7\n");
        enum status status = load(f, text);
        if (status == STATUS_OK) {
            text[value_at + length] = '\0';
            assert_string_equal(f->settings.data_dir, text + value_at);
            assert_int_equal(f->settings.port, 7);
        } else {
            char begin_of_text[300];
            (void)snprintf(begin_of_text, sizeof(begin_of_text), "%s:2: ", f->file.path);
            assert_memory_equal(f->err.text, begin_of_text, strlen(begin_of_text));
        }
        assert_int_equal(status == STATUS_OK, length <= 198 - strlen("LOTTERY_DATA_DIR = "));
    }
}

/* The same lengths are valid for a last line without a line end. */
static void test_long_last_line(void **state)
{
    struct fixture *f = *state;
    char text[300];

    for (int length = 150; length < 250; length++) {
        (void)snprintf(text, sizeof(text), "[DEFAULT]\nLOTTERY_DATA_DIR=%0*d", length, 0);
        enum status without_end = load(f, text);
        strcat(text, "\n");
        assert_int_equal(load(f, text), without_end);
    }
}

/* A NUL byte does not hide the rest of its line: it is an error. */
static void test_nul_byte(void **state)
{
    static const char text[] = "[DEFAULT]\nSERVER_PORT = 7\0 and more\nLOGGING_LEVEL = DEBUG\n";
    struct fixture *f = *state;

    assert_int_equal(load_bytes(f, text, sizeof(text) - 1), STATUS_INVALID);
    assert_non_null(strstr(f->err.text, ":2: "));
}

/* A file that exists but cannot be read is an error. */
static void test_unreadable_file(void **state)
{
    struct fixture *f = *state;
    char expected[400];

    assert_int_equal(mkdir(f->file.path, 0700), 0);
    assert_int_equal(load_file(f->file.path, &f->settings, &f->err), STATUS_IO);
    (void)snprintf(expected, sizeof(expected), "%s: Is a directory", f->file.path);
    assert_string_equal(f->err.text, expected);
}

/* The environment takes precedence over the file, and over the defaults if there is no file. */
static void test_environment_takes_precedence(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(setenv("SERVER_PORT", "81", 1), 0);
    assert_int_equal(setenv("LOTTERY_DATA_DIR", "/data", 1), 0);
    assert_int_equal(load_file(f->file.path, &f->settings, &f->err), STATUS_OK);
    assert_int_equal(f->settings.port, 81);
    assert_int_equal(load(f, "[DEFAULT]\nSERVER_PORT = 80\nLOTTERY_AGENCIES = 3\n"), STATUS_OK);
    assert_int_equal(f->settings.port, 81);
    assert_int_equal(f->settings.agencies, 3);
    assert_string_equal(f->settings.data_dir, "/data");
}

/* A bad value in the environment is an error, and so is one in the file that it overrides. */
static void test_environment_errors(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(setenv("SERVER_PORT", "http", 1), 0);
    assert_int_equal(load(f, "[DEFAULT]\nSERVER_PORT = 80\n"), STATUS_INVALID);
    assert_string_equal(f->err.text,
                        "environment: SERVER_PORT: \"http\" is not a number of 0..65535");
    assert_int_equal(setenv("SERVER_PORT", "81", 1), 0);
    assert_refused(f, "[DEFAULT]\nSERVER_PORT = x\n", 2,
                   "SERVER_PORT: \"x\" is not a number of 0..65535");
}

/* The config line begins with the keys that scripts rely on. */
static void test_log_line(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    assert_int_equal(load(f, "[DEFAULT]\nLOGGING_LEVEL = DEBUG\n"), STATUS_OK);
    capture_begin(&capture);
    server_settings_log(&f->settings);
    capture_end(&capture);
    assert_non_null(strstr(capture.text, " INFO     action: config | result: success | "
                                         "port: 12345 | listen_backlog: 5 | "
                                         "logging_level: DEBUG | "));
    assert_non_null(strstr(capture.text, " | data_dir: . | tls: off\n"));
    assert_int_equal(capture.writes, 1);
    capture_free(&capture);
    assert_string_equal(server_mode_name(SERVER_MODE_ECHO), "echo");
    assert_string_equal(server_mode_name(SERVER_MODE_LOTTERY), "lottery");
}

/* What a draw has that is run, or that has an id, and what else is set that older servers do not
 * have, comes near the end of the line; the last key says whether there is TLS. */
static void test_log_line_of_a_draw(void **state)
{
    static const struct {
        const char *text;
        const char *end;
    } cases[] = {
        {"LOTTERY_DRAW = manual\n", " | data_dir: . | draw: manual | seal: yes | tls: off\n"},
        {"LOTTERY_DRAW = manual\nLOTTERY_SEAL = no\n",
         " | data_dir: . | draw: manual | seal: no | tls: off\n"},
        {"LOTTERY_SEAL = yes\n", " | data_dir: . | seal: yes | tls: off\n"},
        {"LOTTERY_SEAL = no\n", " | data_dir: . | tls: off\n"},
        {"LOTTERY_DRAW_ID = A1\n", " | data_dir: . | draw_id: A1 | tls: off\n"},
        {"LOTTERY_DRAW = manual\nLOTTERY_SEAL = yes\nLOTTERY_DRAW_ID = A1\n"
         "LOTTERY_SEAL_KEY = k\nLOTTERY_CLOSE_AT = 2026-11-25T21:00:00-03:00\n",
         " | data_dir: . | draw: manual | seal: yes | close_at: 2026-11-26T00:00:00Z | "
         "draw_id: A1 | seal_key: k | tls: off\n"},
        {"TLS_CERT = a\nTLS_KEY = b\nTLS_CA = c\n", " | data_dir: . | tls: on\n"},
        {"SERVER_HTTP_ADDRESS = 9090\n", " | data_dir: . | http_address: 9090 | tls: off\n"},
        {"SERVER_METRICS_PER_AGENCY = no\n", " | data_dir: . | tls: off\n"},
        {"LOTTERY_SEAL = yes\nSERVER_HTTP_ADDRESS = [::1]:9090\nSERVER_METRICS_PER_AGENCY = yes\n",
         " | data_dir: . | seal: yes | http_address: [::1]:9090 | metrics_per_agency: yes | "
         "tls: off\n"},
        {"LOG_FORMAT = text\n", " | data_dir: . | tls: off\n"},
        {"LOG_FORMAT = journal\n", " | data_dir: . | log_format: journal | tls: off\n"},
        {"LOTTERY_DRAW = manual\nLOTTERY_SEAL = yes\nLOTTERY_DRAW_ID = A1\nLOTTERY_SEAL_KEY = k\n"
         "LOTTERY_CLOSE_AT = 2026-11-25T21:00:00-03:00\nLOG_FORMAT = json\n"
         "TLS_CERT = a\nTLS_KEY = b\nTLS_CA = c\n",
         " | seal_key: k | log_format: json | tls: on\n"},
    };
    struct fixture *f = *state;
    char text[300];

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct capture capture;
        (void)snprintf(text, sizeof(text), "[DEFAULT]\n%s", cases[i].text);
        assert_int_equal(load(f, text), STATUS_OK);
        capture_begin(&capture);
        server_settings_log(&f->settings);
        capture_end(&capture);
        if (strstr(capture.text, cases[i].end) == NULL)
            fail_msg("%s: %s", text, capture.text);
        capture_free(&capture);
    }
}

/* A misspelt variable must not leave the server without a list of revoked certificates, unnoticed.
 */
static void test_misspelt_variable(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    assert_int_equal(load(f, ""), STATUS_OK);
    assert_int_equal(setenv("TLS_CLR", "ca.crl", 1), 0);
    capture_begin(&capture);
    server_settings_log(&f->settings);
    capture_end(&capture);
    assert_int_equal(unsetenv("TLS_CLR"), 0);
    assert_non_null(strstr(capture.text, " WARNING "));
    assert_non_null(strstr(capture.text, "TLS_CLR"));
    capture_free(&capture);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_defaults),
        CASE(test_every_key),
        CASE(test_seal),
        CASE(test_http),
        CASE(test_closing_time),
        CASE(test_half_of_tls),
        CASE(test_own_file),
        CASE(test_lenient_where_it_is_harmless),
        CASE(test_errors_name_the_line),
        CASE(test_ends_of_ranges),
        CASE(test_sections),
        CASE(test_lines_without_meaning),
        CASE(test_first_error_is_reported),
        CASE(test_indented_line),
        CASE(test_long_lines),
        CASE(test_long_last_line),
        CASE(test_nul_byte),
        CASE(test_unreadable_file),
        CASE(test_environment_takes_precedence),
        CASE(test_environment_errors),
        CASE(test_log_line),
        CASE(test_log_line_of_a_draw),
        CASE(test_misspelt_variable),
    };

    return cmocka_run_group_tests_name("server_settings", tests, NULL, NULL);
}
