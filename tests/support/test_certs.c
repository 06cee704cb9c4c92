#include "test_certs.h"

#include "clock.h"
#include "cmocka_all.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATHS_MAX 512

struct test_certs {
    char *folder;
    X509 *authority;
    EVP_PKEY *key; /* the authority's */
    STACK_OF(X509_REVOKED) * revoked;
    long serial;            /* of the last certificate */
    char *paths[PATHS_MAX]; /* what was returned */
    size_t path_count;
};

const char *test_certs_path(struct test_certs *certs, const char *file)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", certs->folder, file);
    for (size_t i = 0; i < certs->path_count; i++) {
        if (strcmp(certs->paths[i], path) == 0)
            return certs->paths[i];
    }
    assert_true(certs->path_count < PATHS_MAX);
    certs->paths[certs->path_count] = strdup(path);
    assert_non_null(certs->paths[certs->path_count]);
    return certs->paths[certs->path_count++];
}

static const char *path_with(struct test_certs *certs, const char *name, const char *end)
{
    char file[256];

    (void)snprintf(file, sizeof(file), "%s%s", name, end);
    return test_certs_path(certs, file);
}

struct tls_files test_certs_files(struct test_certs *certs, const char *name)
{
    return (struct tls_files){
        .cert = path_with(certs, name, ".crt"),
        .key = path_with(certs, name, ".key"),
        .ca = test_certs_path(certs, "ca.crt"),
    };
}

const char *test_certs_write(struct test_certs *certs, const char *file, const void *bytes,
                             size_t size, unsigned mode)
{
    const char *path = test_certs_path(certs, file);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
    return path;
}

/* Writes what is in `bio`, and frees it. */
static void write_bio(struct test_certs *certs, const char *name, const char *end, BIO *bio,
                      unsigned mode)
{
    char *bytes = NULL;
    long size = BIO_get_mem_data(bio, &bytes);
    char file[256];

    (void)snprintf(file, sizeof(file), "%s%s", name, end);
    (void)test_certs_write(certs, file, bytes, (size_t)size, mode);
    BIO_free(bio);
}

/* A BIO that reads a file of the folder. */
static BIO *open_file(struct test_certs *certs, const char *name, const char *end)
{
    BIO *bio = BIO_new_file(path_with(certs, name, end), "r");

    assert_non_null(bio);
    return bio;
}

/* Writes a certificate, and after it what is in <by>.crt; NULL: nothing. */
static void write_cert(struct test_certs *certs, const char *name, X509 *cert, const char *by)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char bytes[4096];

    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    if (by != NULL) {
        BIO *chain = open_file(certs, by, ".crt");
        for (int size = BIO_read(chain, bytes, sizeof(bytes)); size > 0;
             size = BIO_read(chain, bytes, sizeof(bytes)))
            assert_int_equal(BIO_write(bio, bytes, size), size);
        BIO_free(chain);
    }
    write_bio(certs, name, ".crt", bio, 0644);
}

static void write_key(struct test_certs *certs, const char *name, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    write_bio(certs, name, ".key", bio, 0600);
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void add_extensions(X509 *cert, X509 *issuer, const struct test_cert *what)
{
    char names[512] = "";

    for (size_t i = 0; i < sizeof(what->names) / sizeof(what->names[0]); i++) {
        if (what->names[i] == NULL)
            break;
        size_t size = strlen(names);
        (void)snprintf(names + size, sizeof(names) - size, "%s%s", i > 0 ? "," : "",
                       what->names[i]);
    }
    if (names[0] != '\0')
        add_extension(cert, issuer, NID_subject_alt_name, names);
    if (what->use != NULL)
        add_extension(cert, issuer, NID_ext_key_usage, what->use);
    add_extension(cert, issuer, NID_basic_constraints,
                  what->is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (what->is_authority)
        add_extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    if (what->padding > 0) {
        char *comment = malloc(what->padding + 1);
        assert_non_null(comment);
        memset(comment, 'x', what->padding);
        comment[what->padding] = '\0';
        add_extension(cert, issuer, NID_netscape_comment, comment);
        free(comment);
    }
}

/* Sets one of the times of a certificate or list: `time` is what the setter is given. */
static ASN1_TIME *make_time(long from_now_s)
{
    ASN1_TIME *time = ASN1_TIME_set(NULL, clock_wall_s() + from_now_s);

    assert_non_null(time);
    return time;
}

static void set_period(X509 *cert, const struct test_cert *what)
{
    ASN1_TIME *from = make_time(what->from_s != 0 ? what->from_s : -TEST_CERTS_HOUR);
    ASN1_TIME *end = make_time(what->end_s != 0 ? what->end_s : TEST_CERTS_YEAR);

    assert_int_equal(X509_set1_notBefore(cert, from), 1);
    assert_int_equal(X509_set1_notAfter(cert, end), 1);
    ASN1_TIME_free(from);
    ASN1_TIME_free(end);
}

/* Makes a certificate of `name`, signed by `issuer` with `issuer_key`; both NULL: by itself. */
static X509 *make_cert(struct test_certs *certs, const char *name, EVP_PKEY *key, X509 *issuer,
                       EVP_PKEY *issuer_key, const struct test_cert *what)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_NAME_new();

    assert_non_null(cert);
    assert_non_null(subject);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), ++certs->serial), 1);
    assert_int_equal(X509_set_subject_name(cert, subject), 1);
    X509_NAME_free(subject);
    assert_int_equal(
        X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ? issuer : cert)), 1);
    set_period(cert, what);
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    add_extensions(cert, issuer != NULL ? issuer : cert, what);
    assert_true(X509_sign(cert, issuer_key != NULL ? issuer_key : key, EVP_sha256()) > 0);
    return cert;
}

/* Issues <name>, by the certificate <by>, or by the authority itself if that is NULL. */
static void issue(struct test_certs *certs, const char *by, X509 *issuer, EVP_PKEY *issuer_key,
                  const char *name, const struct test_cert *what)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    assert_non_null(key);
    X509 *cert = make_cert(certs, name, key, issuer, issuer_key, what);
    write_cert(certs, name, cert, by);
    write_key(certs, name, key);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void test_certs_issue(struct test_certs *certs, const char *name, const struct test_cert *cert)
{
    issue(certs, NULL, certs->authority, certs->key, name, cert);
}

static X509 *read_cert(struct test_certs *certs, const char *name)
{
    BIO *bio = open_file(certs, name, ".crt");
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_non_null(cert);
    BIO_free(bio);
    return cert;
}

void test_certs_issue_by(struct test_certs *certs, const char *by, const char *name,
                         const struct test_cert *cert)
{
    BIO *bio = open_file(certs, by, ".key");
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    X509 *issuer = read_cert(certs, by);

    assert_non_null(key);
    issue(certs, by, issuer, key, name, cert);
    X509_free(issuer);
    EVP_PKEY_free(key);
    BIO_free(bio);
}

void test_certs_revoke(struct test_certs *certs, const char *name)
{
    X509 *cert = read_cert(certs, name);
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *now = make_time(0);

    assert_non_null(entry);
    assert_int_equal(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(cert)), 1);
    assert_int_equal(X509_REVOKED_set_revocationDate(entry, now), 1);
    assert_true(sk_X509_REVOKED_push(certs->revoked, entry) > 0);
    ASN1_TIME_free(now);
    X509_free(cert);
}

void test_certs_write_crl(struct test_certs *certs, long from_s, long end_s)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = make_time(from_s);
    ASN1_TIME *end = make_time(end_s);
    BIO *bio = BIO_new(BIO_s_mem());

    assert_non_null(crl);
    assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
    assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(certs->authority)), 1);
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, from), 1);
    assert_int_equal(X509_CRL_set1_nextUpdate(crl, end), 1);
    for (int i = 0; i < sk_X509_REVOKED_num(certs->revoked); i++) {
        X509_REVOKED *entry = X509_REVOKED_dup(sk_X509_REVOKED_value(certs->revoked, i));
        assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
    }
    assert_true(X509_CRL_sign(crl, certs->key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509_CRL(bio, crl), 1);
    write_bio(certs, "ca", ".crl", bio, 0644);
    ASN1_TIME_free(from);
    ASN1_TIME_free(end);
    X509_CRL_free(crl);
}

struct test_certs *test_certs_create(void)
{
    static const struct test_cert authority = {.is_authority = true};
    static const struct test_cert server = {
        .names = {"DNS:localhost", "IP:127.0.0.1", "IP:::1", "URI:lottery:server"},
        .use = "serverAuth,clientAuth",
    };
    static const struct test_cert agency = {.names = {"URI:lottery:agency:17"},
                                            .use = "clientAuth"};
    struct test_certs *certs = calloc(1, sizeof(*certs));

    assert_non_null(certs);
    certs->folder = tmpdir_make();
    certs->revoked = sk_X509_REVOKED_new_null();
    certs->key = EVP_EC_gen("P-256");
    assert_non_null(certs->key);
    certs->authority = make_cert(certs, "test authority", certs->key, NULL, NULL, &authority);
    write_cert(certs, "ca", certs->authority, NULL);
    test_certs_issue(certs, "server", &server);
    test_certs_issue(certs, "agency-17", &agency);
    return certs;
}

void test_certs_destroy(struct test_certs *certs)
{
    if (certs == NULL)
        return;
    tmpdir_remove(certs->folder);
    X509_free(certs->authority);
    EVP_PKEY_free(certs->key);
    sk_X509_REVOKED_pop_free(certs->revoked, X509_REVOKED_free);
    for (size_t i = 0; i < certs->path_count; i++)
        free(certs->paths[i]);
    free(certs);
}
