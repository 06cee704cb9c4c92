/* What an agency makes of the files of TLS at its start, and of an alert where it expects none. */
#include "agency_tls.h"
#include "capture.h"
#include "cmocka_all.h"
#include "fake_clock.h"
#include "test_certs.h"
#include "tls_context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct fixture {
    struct test_certs *certs;
    struct client_settings settings;
    struct tls_context *context;
    enum agency_exit status;
    struct capture capture; /* what was logged by the last call */
};

/* The clock stands still at noon of 2024-06-15, UTC. */
static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    fake_clock_begin(1000);
    f->certs = test_certs_create();
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    tls_context_destroy(f->context);
    capture_free(&f->capture);
    test_certs_destroy(f->certs);
    free(f);
    fake_clock_end();
    return 0;
}

static void set_files(struct fixture *f, const char *name)
{
    const struct tls_files files = test_certs_files(f->certs, name);
    struct client_settings *settings = &f->settings;

    (void)snprintf(settings->tls_cert, sizeof(settings->tls_cert), "%s", files.cert);
    (void)snprintf(settings->tls_key, sizeof(settings->tls_key), "%s", files.key);
    (void)snprintf(settings->tls_ca, sizeof(settings->tls_ca), "%s", files.ca);
}

static void open_it(struct fixture *f)
{
    tls_context_destroy(f->context);
    capture_free(&f->capture);
    capture_begin(&f->capture);
    f->status = agency_tls_open(&f->settings, &f->context);
    capture_end(&f->capture);
}

/* It ends the program, with one line that names the file. */
static void assert_fails(struct fixture *f, const char *file)
{
    open_it(f);
    assert_int_equal(f->status, AGENCY_EXIT_USAGE);
    assert_null(f->context);
    assert_int_equal(f->capture.writes, 1);
    assert_non_null(strstr(f->capture.text, " CRITICAL action: tls | result: fail | reason: "));
    assert_non_null(strstr(f->capture.text, file));
}

/* Without TLS in the settings nothing is read and nothing logged. */
static void test_none(void **state)
{
    struct fixture *f = *state;

    open_it(f);
    assert_int_equal(f->status, AGENCY_EXIT_OK);
    assert_null(f->context);
    assert_int_equal(f->capture.writes, 0);
}

/* One line says which certificate it is and how long it is valid. */
static void test_good(void **state)
{
    struct fixture *f = *state;
    char expected[sizeof(f->settings.tls_cert) + 128];

    set_files(f, "agency-17");
    open_it(f);
    assert_int_equal(f->status, AGENCY_EXIT_OK);
    assert_non_null(f->context);
    (void)snprintf(expected, sizeof(expected),
                   " INFO     action: tls | result: success | certificate: %s | valid_until: "
                   "2025-06-15T12:00:00Z\n",
                   f->settings.tls_cert);
    assert_non_null(strstr(f->capture.text, expected));
    assert_int_equal(f->capture.writes, 1);
}

/* One that ended before 1970 is not taken for one that never ends. */
static void test_ended_long_ago(void **state)
{
    static const struct test_cert old = {.names = {"URI:lottery:agency:17"},
                                         .from_s = -70 * TEST_CERTS_YEAR,
                                         .end_s = -60 * TEST_CERTS_YEAR};
    struct fixture *f = *state;

    test_certs_issue(f->certs, "old", &old);
    set_files(f, "old");
    open_it(f);
    assert_int_equal(f->status, AGENCY_EXIT_OK);
    assert_non_null(strstr(f->capture.text, " | valid_until: 1970-01-01T00:00:00Z\n"));
    assert_non_null(strstr(f->capture.text, " WARNING  action: tls | result: in_progress | "));
}

/* A certificate that is out of its time: a warning, and the agency goes on. */
static void test_out_of_its_time(void **state)
{
    static const struct test_cert certs[] = {
        {.names = {"URI:lottery:agency:17"}, .from_s = -7200, .end_s = -3600},
        {.names = {"URI:lottery:agency:17"}, .from_s = 3600, .end_s = 7200},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(certs) / sizeof(certs[0]); i++) {
        test_certs_issue(f->certs, "special", &certs[i]);
        set_files(f, "special");
        open_it(f);
        assert_int_equal(f->status, AGENCY_EXIT_OK);
        assert_non_null(f->context);
        assert_int_equal(f->capture.writes, 2);
        const char *warning =
            strstr(f->capture.text, " WARNING  action: tls | result: in_progress | reason: ");
        assert_non_null(warning);
        assert_non_null(strstr(warning, f->settings.tls_cert));
    }
}

/* Files that are not there, are no certificate, belong to another one, or can be read by others. */
static void test_bad_files(void **state)
{
    struct fixture *f = *state;
    struct client_settings *settings = &f->settings;
    const char *mine;

    set_files(f, "nobody");
    assert_fails(f, "nobody.crt");
    set_files(f, "agency-17");
    (void)snprintf(settings->tls_ca, sizeof(settings->tls_ca), "%s",
                   test_certs_write(f->certs, "no.crt", "nothing\n", 8, 0644));
    assert_fails(f, "no.crt");
    set_files(f, "agency-17");
    (void)snprintf(settings->tls_key, sizeof(settings->tls_key), "%s",
                   test_certs_path(f->certs, "server.key"));
    assert_fails(f, "server.key");
    set_files(f, "agency-17");
    mine = test_certs_path(f->certs, "agency-17.key");
    assert_int_equal(chmod(mine, 0644), 0);
    assert_fails(f, "agency-17.key");
}

/* The first bytes of an alert are recognized; answers of a server without TLS are not. */
static void test_hint(void **state)
{
    static const uint8_t alert[] = {0x15, 3, 3, 0, 2, 2, 40};
    static const uint8_t ack[] = {1, 3, 3, 0, 0};
    static const uint8_t handshake[] = {0x16, 3, 3, 0, 2};

    (void)state;
    assert_string_equal(agency_tls_hint(alert, sizeof(alert)),
                        "the central wants TLS: set tls.cert, tls.key and tls.ca");
    assert_non_null(agency_tls_hint(alert, 2));
    assert_null(agency_tls_hint(alert, 1));
    assert_null(agency_tls_hint(ack, sizeof(ack)));
    assert_null(agency_tls_hint(handshake, sizeof(handshake)));
    assert_null(agency_tls_hint((const uint8_t *)"\x15\4", 2));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_none),           CASE(test_good),
        CASE(test_ended_long_ago), CASE(test_out_of_its_time),
        CASE(test_bad_files),      CASE(test_hint),
    };

    return cmocka_run_group_tests_name("agency_tls", tests, NULL, NULL);
}
