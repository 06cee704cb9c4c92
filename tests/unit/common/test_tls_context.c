#include "tls_context.h"

#include "alloc_fault.h"
#include "clock.h"
#include "cmocka_all.h"
#include "descriptors.h"
#include "test_certs.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY (24 * TEST_CERTS_HOUR)

/* A key's first line of base64, so that one can tell when a text has something of it. */
#define SECRET "U2VjcmV0U2VjcmV0U2VjcmV0U2VjcmV0U2VjcmV0U2VjcmV0U2VjcmV0U2VjcmV0"

static struct test_certs *certs;

static int begin_all(void **state)
{
    (void)state;
    certs = test_certs_create();
    test_certs_write_crl(certs, -DAY, DAY);
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    test_certs_destroy(certs);
    return 0;
}

static struct tls_files server_files(void)
{
    return test_certs_files(certs, "server");
}

/* Refused with this status, and a text that begins with `path` and has `reason`. */
static void assert_refused(enum tls_side side, const struct tls_files *files, enum status status,
                           const char *path, const char *reason)
{
    struct tls_context *context = NULL;
    struct errbuf err = {""};
    unsigned descriptors = descriptors_count();

    assert_int_equal(tls_context_create(side, files, &context, &err), status);
    assert_null(context);
    if (strncmp(err.text, path, strlen(path)) != 0 || strstr(err.text, reason) == NULL)
        fail_msg("%s: %s", path, err.text);
    assert_null(strstr(err.text, SECRET));
    assert_int_equal(descriptors_count(), descriptors);
}

/* Good files, for both sides, with and without a list. */
static void test_create(void **state)
{
    struct tls_files files = server_files();
    struct tls_context *context = NULL;
    struct errbuf err;

    (void)state;
    assert_int_equal(tls_context_create(TLS_SERVER, &files, &context, &err), STATUS_OK);
    int64_t end_s = clock_wall_s() + TEST_CERTS_YEAR;
    assert_in_range(tls_context_end_s(context), end_s - 600, end_s);
    tls_context_destroy(context);
    files.crl = "";
    assert_int_equal(tls_context_create(TLS_SERVER, &files, &context, &err), STATUS_OK);
    tls_context_destroy(context);
    files.crl = test_certs_path(certs, "ca.crl");
    assert_int_equal(tls_context_create(TLS_SERVER, &files, &context, &err), STATUS_OK);
    tls_context_destroy(context);
    files.crl = "/not/used/by/clients";
    assert_int_equal(tls_context_create(TLS_CLIENT, &files, &context, &err), STATUS_OK);
    tls_context_destroy(context);
    tls_context_destroy(NULL);
}

/* Each file may be missing, a folder, a FIFO, or something else. */
static void test_not_files(void **state)
{
    static const char *const names[] = {"missing", "folder", "fifo", "text", "empty"};
    static const char *const reasons[] = {"No such file or directory", "not a regular file",
                                          "not a regular file", "in PEM", "in PEM"};
    struct tls_files good = server_files();

    (void)state;
    good.crl = test_certs_path(certs, "ca.crl");
    assert_int_equal(mkdir(test_certs_path(certs, "folder"), 0700), 0);
    assert_int_equal(mkfifo(test_certs_path(certs, "fifo"), 0600), 0);
    (void)test_certs_write(certs, "text", "no PEM\n", 7, 0600);
    (void)test_certs_write(certs, "empty", "", 0, 0600);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *path = test_certs_path(certs, names[i]);
        enum status status = i == 0 ? STATUS_NOTFOUND : STATUS_INVALID;
        for (size_t file = 0; file < 4; file++) {
            struct tls_files files = good;
            const char **fields[] = {&files.cert, &files.key, &files.ca, &files.crl};
            *fields[file] = path;
            assert_refused(TLS_SERVER, &files, status, path, reasons[i]);
        }
    }
}

/* A key that others can read is refused, whoever they are; one of root may be its group's. */
static void test_key_mode(void **state)
{
    static const mode_t bad[] = {0604, 0602, 0601, 0644, 0660, 0620, 0650, 0666, 0777};
    static const mode_t good[] = {0600, 0400, 0700};
    struct tls_files files = server_files();
    struct tls_context *context = NULL;
    bool is_root = geteuid() == 0;
    struct errbuf err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(chmod(files.key, bad[i]), 0);
        assert_refused(TLS_SERVER, &files, STATUS_INVALID, files.key,
                       is_root ? "; chmod 640 it" : "; chmod 600 it");
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(chmod(files.key, good[i]), 0);
        assert_int_equal(tls_context_create(TLS_SERVER, &files, &context, &err), STATUS_OK);
        tls_context_destroy(context);
    }
    assert_int_equal(chmod(files.key, 0640), 0);
    if (!is_root) {
        assert_refused(TLS_SERVER, &files, STATUS_INVALID, files.key, "others may access it");
    } else {
        assert_int_equal(tls_context_create(TLS_SERVER, &files, &context, &err), STATUS_OK);
        tls_context_destroy(context);
        assert_int_equal(chmod(files.key, 0600), 0);
        assert_int_equal(chown(files.key, 12345, 12345), 0);
        assert_refused(TLS_SERVER, &files, STATUS_INVALID, files.key,
                       "it is another user's (uid 12345); chown it");
        assert_int_equal(chown(files.key, 0, 0), 0);
    }
    assert_int_equal(chmod(files.key, 0600), 0);
}

/* Links are followed, because orchestrators make them: what they lead to is checked. */
static void test_links(void **state)
{
    struct tls_files files = server_files();
    const char *link = test_certs_path(certs, "link.key");
    struct tls_context *context = NULL;
    struct errbuf err;

    (void)state;
    assert_int_equal(symlink(files.key, link), 0);
    files.key = link;
    assert_int_equal(tls_context_create(TLS_SERVER, &files, &context, &err), STATUS_OK);
    tls_context_destroy(context);
}

/* A key that is another certificate's, encrypted, or damaged. Nothing of it is in the text. */
static void test_keys(void **state)
{
    static const char damaged[] =
        "-----BEGIN PRIVATE KEY-----\n" SECRET "\n-----END PRIVATE KEY-----\n";
    static const char encrypted[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" SECRET "\n-----END ENCRYPTED PRIVATE KEY-----\n";
    static const char legacy[] =
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
        "AES-256-CBC,00\n\n" SECRET "\n-----END EC PRIVATE KEY-----\n";
    struct tls_files files = server_files();
    struct tls_files agency = test_certs_files(certs, "agency-17");

    (void)state;
    files.key = agency.key;
    assert_refused(TLS_SERVER, &files, STATUS_INVALID, files.key, "not the key of the certificate");
    files.key = test_certs_write(certs, "bad.key", damaged, strlen(damaged), 0600);
    assert_refused(TLS_SERVER, &files, STATUS_INVALID, files.key,
                   "`openssl pkey -in OLD -out NEW` converts");
    files.key = test_certs_write(certs, "bad.key", encrypted, strlen(encrypted), 0600);
    assert_refused(TLS_SERVER, &files, STATUS_INVALID, files.key, "the key is encrypted");
    files.key = test_certs_write(certs, "bad.key", legacy, strlen(legacy), 0600);
    assert_refused(TLS_SERVER, &files, STATUS_INVALID, files.key, "the key is encrypted");
}

/* A certificate that no peer would accept is refused at once, and so is an authority that is
 * none. */
static void test_uses(void **state)
{
    static const struct test_cert for_client = {.use = "clientAuth"};
    static const struct test_cert for_server = {.use = "serverAuth"};
    struct tls_files good = server_files();
    struct tls_files files;

    (void)state;
    test_certs_issue(certs, "client", &for_client);
    files = test_certs_files(certs, "client");
    assert_refused(TLS_SERVER, &files, STATUS_INVALID, files.cert, "serverAuth");
    test_certs_issue(certs, "only-server", &for_server);
    files = test_certs_files(certs, "only-server");
    assert_refused(TLS_CLIENT, &files, STATUS_INVALID, files.cert, "clientAuth");
    good.ca = good.cert;
    assert_refused(TLS_SERVER, &good, STATUS_INVALID, good.ca, "not that of an authority");
}

/* Reads a file that was written, and writes it with more after it. */
static const char *append_to(const char *path, const char *more, const char *file)
{
    char bytes[8192];
    FILE *input = fopen(path, "r");

    assert_non_null(input);
    size_t size = fread(bytes, 1, sizeof(bytes), input);
    assert_int_equal(fclose(input), 0);
    assert_true(size + strlen(more) < sizeof(bytes));
    memcpy(bytes + size, more, strlen(more));
    return test_certs_write(certs, file, bytes, size + strlen(more), 0600);
}

/* What follows the first certificate has to be one, too; other text between them is a comment. */
static void test_more_in_file(void **state)
{
    static const char damaged[] =
        "-----BEGIN CERTIFICATE-----\n" SECRET "\n-----END CERTIFICATE-----\n";
    struct tls_files files = server_files();
    struct tls_context *context = NULL;
    struct errbuf err;

    (void)state;
    const char *cert = files.cert;
    files.cert = append_to(cert, "# a comment\n", "more.crt");
    assert_int_equal(tls_context_create(TLS_SERVER, &files, &context, &err), STATUS_OK);
    tls_context_destroy(context);
    files.cert = append_to(cert, damaged, "more.crt");
    assert_refused(TLS_SERVER, &files, STATUS_INVALID, files.cert, "damaged, or not in PEM");
}

/* A file larger than any that makes sense is not read. */
static void test_large_files(void **state)
{
    struct tls_files files = server_files();
    size_t size = 2 * 1024 * 1024;
    char *bytes = malloc(size);

    (void)state;
    assert_non_null(bytes);
    memset(bytes, '\n', size);
    files.ca = test_certs_write(certs, "large", bytes, size, 0600);
    assert_refused(TLS_SERVER, &files, STATUS_INVALID, files.ca, "larger than");
    files.key = files.ca;
    assert_refused(TLS_SERVER, &files, STATUS_INVALID, files.key, "larger than");
    free(bytes);
}

/* A list of another authority would say nothing about the certificates of ours. */
static void test_crl_of_other(void **state)
{
    struct test_certs *other = test_certs_create();
    struct tls_files files = server_files();

    (void)state;
    test_certs_write_crl(other, -DAY, DAY);
    files.crl = test_certs_path(other, "ca.crl");
    assert_refused(TLS_SERVER, &files, STATUS_INVALID, files.crl,
                   "not signed by one of our authorities");
    test_certs_destroy(other);
}

/* Certificate and list have their times; which of them is not in force is said. */
static void test_dates(void **state)
{
    static const struct test_cert later = {.from_s = DAY, .end_s = 2 * DAY};
    struct tls_files files;
    struct tls_context *context = NULL;
    int64_t now_s = clock_wall_s();
    struct errbuf err = {""};

    (void)state;
    test_certs_issue(certs, "later", &later);
    files = test_certs_files(certs, "later");
    files.crl = test_certs_path(certs, "ca.crl"); /* until tomorrow */
    assert_int_equal(tls_context_create(TLS_SERVER, &files, &context, &err), STATUS_OK);
    assert_int_equal(tls_context_check_dates(context, now_s, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "later.crt: not in force before 20"));
    assert_int_equal(tls_context_check_dates(context, now_s + 3 * DAY, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "later.crt: out of date since 20"));
    assert_int_equal(tls_context_check_dates(context, now_s + DAY + 3600, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "ca.crl: out of date since 20"));
    tls_context_destroy(context);
    files.crl = NULL;
    assert_int_equal(tls_context_create(TLS_SERVER, &files, &context, &err), STATUS_OK);
    assert_int_equal(tls_context_check_dates(context, now_s + DAY + 3600, &err), STATUS_OK);
    tls_context_destroy(context);
}

/* Without memory there is no context, and nothing is left of it. */
static void test_no_memory(void **state)
{
    struct tls_files files = server_files();
    enum status status = STATUS_NOMEM;

    (void)state;
    files.crl = test_certs_path(certs, "ca.crl");
    for (unsigned after = 0; status != STATUS_OK; after++) {
        struct tls_context *context = NULL;
        struct errbuf err = {""};
        alloc_fault_after(after);
        status = tls_context_create(TLS_SERVER, &files, &context, &err);
        bool has_failed = alloc_fault_end();
        assert_int_equal(status, has_failed ? STATUS_NOMEM : STATUS_OK);
        assert_int_equal(context == NULL, has_failed);
        if (has_failed)
            assert_non_null(strstr(err.text, "out of memory"));
        tls_context_destroy(context);
        assert_in_range(after, 0, 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),       cmocka_unit_test(test_not_files),
        cmocka_unit_test(test_key_mode),     cmocka_unit_test(test_links),
        cmocka_unit_test(test_keys),         cmocka_unit_test(test_uses),
        cmocka_unit_test(test_more_in_file), cmocka_unit_test(test_large_files),
        cmocka_unit_test(test_crl_of_other), cmocka_unit_test(test_dates),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
