/* The files of TLS that the server's settings name: at the start, on a reload, and in the log. */
#include "capture.h"
#include "cmocka_all.h"
#include "server_tls.h"
#include "test_certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY (24 * TEST_CERTS_HOUR)

typedef enum status (*load_fn)(const struct server_settings *settings, struct tls_context **out,
                               struct errbuf *err);

struct fixture {
    struct test_certs *certs;
    struct server_settings settings;
    struct tls_context *tls;
    struct errbuf err;
};

/* The settings name the files of this certificate. */
static void use(struct fixture *f, const char *name)
{
    const struct tls_files files = test_certs_files(f->certs, name);

    (void)snprintf(f->settings.tls_cert, sizeof(f->settings.tls_cert), "%s", files.cert);
    (void)snprintf(f->settings.tls_key, sizeof(f->settings.tls_key), "%s", files.key);
    (void)snprintf(f->settings.tls_ca, sizeof(f->settings.tls_ca), "%s", files.ca);
}

static void use_list(struct fixture *f)
{
    (void)snprintf(f->settings.tls_crl, sizeof(f->settings.tls_crl), "%s",
                   test_certs_path(f->certs, "ca.crl"));
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->certs = test_certs_create();
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    tls_context_destroy(f->tls);
    test_certs_destroy(f->certs);
    free(f);
    return 0;
}

/* Must fail like this, and leave nothing. */
static void assert_refused(struct fixture *f, load_fn load, const char *reason)
{
    tls_context_destroy(f->tls);
    f->tls = NULL;
    assert_int_not_equal(load(&f->settings, &f->tls, &f->err), STATUS_OK);
    assert_null(f->tls);
    if (strstr(f->err.text, reason) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", reason, f->err.text);
}

static void assert_loaded(struct fixture *f, load_fn load)
{
    tls_context_destroy(f->tls);
    if (load(&f->settings, &f->tls, &f->err) != STATUS_OK)
        fail_msg("%s", f->err.text);
    assert_non_null(f->tls);
}

/* What is written to the log about it; the caller frees the capture. */
static void log_it(const struct fixture *f, struct capture *capture)
{
    capture_begin(capture);
    server_tls_log(&f->settings, f->tls);
    capture_end(capture);
}

/* Without TLS there is no context and no line. */
static void test_off(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    assert_int_equal(server_tls_load(&f->settings, &f->tls, &f->err), STATUS_OK);
    assert_null(f->tls);
    assert_int_equal(server_tls_reload(&f->settings, &f->tls, &f->err), STATUS_OK);
    assert_null(f->tls);
    log_it(f, &capture);
    assert_string_equal(capture.text, "");
    capture_free(&capture);
}

/* Good files will do at any time. The log has the certificate, and when it ends. */
static void test_good(void **state)
{
    struct fixture *f = *state;
    struct capture capture;
    char expected[700];

    use(f, "server");
    assert_loaded(f, server_tls_load);
    test_certs_write_crl(f->certs, -DAY, DAY);
    use_list(f);
    assert_loaded(f, server_tls_reload);
    log_it(f, &capture);
    (void)snprintf(expected, sizeof(expected),
                   " INFO     action: tls | result: success | certificate: %s | valid_until: 20",
                   f->settings.tls_cert);
    assert_non_null(strstr(capture.text, expected));
    assert_null(strstr(capture.text, "WARNING"));
    assert_non_null(strstr(capture.text, "Z\n"));
    assert_int_equal(capture.writes, 1);
    capture_free(&capture);
}

/* Bad files are refused at any time: what is read is what all four settings name. */
static void test_bad(void **state)
{
    static const load_fn loads[] = {server_tls_load, server_tls_reload};
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2; i++) {
        use(f, "server");
        (void)snprintf(f->settings.tls_key, sizeof(f->settings.tls_key), "%s",
                       test_certs_files(f->certs, "agency-17").key);
        assert_refused(f, loads[i], f->settings.tls_key);
        use(f, "server");
        (void)snprintf(f->settings.tls_ca, sizeof(f->settings.tls_ca), "/nowhere/ca.crt");
        assert_refused(f, loads[i], "/nowhere/ca.crt: No such file");
        use(f, "server");
        (void)snprintf(f->settings.tls_crl, sizeof(f->settings.tls_crl), "/nowhere/ca.crl");
        assert_refused(f, loads[i], "/nowhere/ca.crl: No such file");
        f->settings.tls_crl[0] = '\0';
        use(f, "none");
        assert_refused(f, loads[i], f->settings.tls_cert);
    }
}

/* What is out of its time is used at the start, with a warning after the line; on a reload it is
 * refused. */
static void test_out_of_its_time(void **state)
{
    static const struct test_cert expired = {
        .names = {"URI:lottery:server"}, .from_s = -2 * DAY, .end_s = -DAY};
    struct fixture *f = *state;

    test_certs_issue(f->certs, "expired", &expired);
    for (unsigned i = 0; i < 2; i++) {
        struct capture capture;
        use(f, i == 0 ? "expired" : "server");
        const char *file = f->settings.tls_cert;
        if (i == 1) {
            test_certs_write_crl(f->certs, -2 * DAY, -DAY);
            use_list(f);
            file = f->settings.tls_crl;
        }
        assert_refused(f, server_tls_reload, file);
        assert_loaded(f, server_tls_load);
        log_it(f, &capture);
        assert_int_equal(capture.writes, 2);
        const char *success = strstr(capture.text, " INFO     action: tls | result: success | ");
        const char *warning =
            strstr(capture.text, " WARNING  action: tls | result: in_progress | reason: ");
        assert_true(success != NULL && warning != NULL && success < warning);
        assert_non_null(strstr(warning, file));
        capture_free(&capture);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_off),
        CASE(test_good),
        CASE(test_bad),
        CASE(test_out_of_its_time),
    };

    return cmocka_run_group_tests_name("server_tls", tests, NULL, NULL);
}
