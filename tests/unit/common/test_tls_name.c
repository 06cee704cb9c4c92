#include "tls_name.h"

#include "cmocka_all.h"
#include "test_certs.h"

#include <openssl/pem.h>
#include <stdio.h>

static struct test_certs *certs;

static int begin_all(void **state)
{
    (void)state;
    certs = test_certs_create();
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    test_certs_destroy(certs);
    return 0;
}

static X509 *read_cert(const char *name)
{
    struct tls_files files = test_certs_files(certs, name);
    BIO *bio = BIO_new_file(files.cert, "r");

    assert_non_null(bio);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_non_null(cert);
    BIO_free(bio);
    return cert;
}

/* A certificate that has these names. */
static X509 *issue(const struct test_cert *what)
{
    test_certs_issue(certs, "tried", what);
    return read_cert("tried");
}

/* The two kinds of names, and the smallest and the largest agency. */
static void test_parse(void **state)
{
    struct tls_peer peer = {TLS_PEER_SERVER, 7};

    (void)state;
    assert_true(tls_name_parse(text_of("lottery:agency:1"), &peer));
    assert_int_equal(peer.role, TLS_PEER_AGENCY);
    assert_int_equal(peer.agency, 1);
    assert_true(tls_name_parse(text_of("lottery:agency:4294967295"), &peer));
    assert_int_equal(peer.agency, UINT32_MAX);
    assert_true(tls_name_parse(text_of("lottery:server"), &peer));
    assert_int_equal(peer.role, TLS_PEER_SERVER);
    assert_int_equal(peer.agency, 0);
}

/* A name that is written in any other way is none. */
static void test_parse_refused(void **state)
{
    static const char with_nul[] = "lottery:agency:1\0007";
    static const char *const names[] = {
        "",
        "lottery:",
        "lottery:agency",
        "lottery:agency:",
        "lottery:agency:0",
        "lottery:agency:017",
        "lottery:agency:+17",
        "lottery:agency:-1",
        "lottery:agency: 17",
        "lottery:agency:17 ",
        "lottery:agency:17/",
        "lottery:agency:1x",
        "lottery:agency:0x11",
        "lottery:agency:1e1",
        "lottery:agency:4294967296",
        "lottery:agency:4294967313",
        "lottery:agency:9999999999",
        "lottery:agency:18446744073709551633",
        "lottery:agency:17:18",
        "lottery:agency:\xd9\xa1",
        "LOTTERY:agency:17",
        "lottery:Agency:17",
        "xlottery:agency:17",
        "lottery:server:",
        "lottery:server2",
        "lottery:serve",
    };
    struct tls_peer peer = {TLS_PEER_AGENCY, 5};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (tls_name_parse(text_of(names[i]), &peer))
            fail_msg("accepted: %s", names[i]);
    }
    assert_false(tls_name_parse((struct text){with_nul, sizeof(with_nul) - 1}, &peer));
    assert_int_equal(peer.role, TLS_PEER_AGENCY);
    assert_int_equal(peer.agency, 5);
}

struct row {
    struct test_cert cert;
    enum tls_name_result result;
    uint32_t agency;     /* of TLS_NAME_OK */
    const char *printed; /* for people */
};

/* The name is found among others; two that could be meant are refused, also if they are the same,
 * or one of them is not well written. Other kinds of names do not count. */
static void test_find(void **state)
{
    static const struct row rows[] = {
        {{.names = {"URI:lottery:agency:17"}}, TLS_NAME_OK, 17, "lottery:agency:17"},
        {{.names = {"DNS:a", "URI:https://a.example/", "URI:lottery:agency:5", "IP:127.0.0.1"}},
         TLS_NAME_OK,
         5,
         "lottery:agency:5"},
        {{.names = {"URI:lottery:server"}}, TLS_NAME_OK, 0, "lottery:server"},
        {{.names = {NULL}}, TLS_NAME_NONE, 0, "CN=tried"},
        {{.names = {"DNS:localhost"}}, TLS_NAME_NONE, 0, "CN=tried"},
        {{.names = {"DNS:lottery:agency:17"}}, TLS_NAME_NONE, 0, "CN=tried"},
        {{.names = {"email:lottery:agency:17"}}, TLS_NAME_NONE, 0, "CN=tried"},
        {{.names = {"URI:https://a.example/", "URI:b:c"}}, TLS_NAME_NONE, 0, "https://a.example/"},
        {{.names = {"URI:lottery:agency:017"}}, TLS_NAME_NONE, 0, "lottery:agency:017"},
        {{.names = {"URI:LOTTERY:agency:17"}}, TLS_NAME_NONE, 0, "LOTTERY:agency:17"},
        {{.names = {"URI:lottery:agency:17", "URI:lottery:agency:18"}},
         TLS_NAME_SEVERAL,
         0,
         "lottery:agency:17"},
        {{.names = {"URI:lottery:agency:17", "URI:lottery:agency:17"}},
         TLS_NAME_SEVERAL,
         0,
         "lottery:agency:17"},
        {{.names = {"URI:lottery:server", "URI:lottery:agency:17"}},
         TLS_NAME_SEVERAL,
         0,
         "lottery:server"},
        {{.names = {"URI:lottery:agency:x", "URI:lottery:agency:17"}},
         TLS_NAME_SEVERAL,
         0,
         "lottery:agency:x"},
        {{.names = {"URI:Lottery:agency:5", "URI:lottery:agency:17"}},
         TLS_NAME_SEVERAL,
         0,
         "Lottery:agency:5"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tls_peer peer = {TLS_PEER_AGENCY, 0};
        char printed[64];
        X509 *cert = issue(&rows[i].cert);
        assert_int_equal(tls_name_find(cert, &peer), rows[i].result);
        if (rows[i].result == TLS_NAME_OK)
            assert_int_equal(peer.agency, rows[i].agency);
        tls_name_print(cert, printed, sizeof(printed));
        assert_string_equal(printed, rows[i].printed);
        X509_free(cert);
    }
}

/* Text for people is cut to its room, and has nothing that is not printable. */
static void test_print(void **state)
{
    static const struct test_cert what = {.names = {"URI:lottery:a\n\x1b[31m\xc3\xa9|b"}};
    char printed[64];
    char small[9];

    (void)state;
    X509 *cert = issue(&what);
    tls_name_print(cert, printed, sizeof(printed));
    assert_string_equal(printed, "lottery:a??[31m??|b");
    tls_name_print(cert, small, sizeof(small));
    assert_string_equal(small, "lottery:");
    X509_free(cert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refused),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_print),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
