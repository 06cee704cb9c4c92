/* test_certs.h - an authority for tests, which issues certificates: good ones, and every kind of
 * bad one. Made with libcrypto, written as PEM files into a folder of its own.
 *
 * Link the test with `test_certs`. Whatever fails ends the test. Times are relative to the clock of
 * clock.h.
 */
#ifndef LOTTERY_TEST_CERTS_H
#define LOTTERY_TEST_CERTS_H

#include "tls_context.h"

#include <stdbool.h>
#include <stddef.h>

#define TEST_CERTS_HOUR 3600L
#define TEST_CERTS_YEAR (365 * 24 * TEST_CERTS_HOUR)

struct test_certs;

/* What a certificate says. A zeroed struct: no alternative name, for every use, from an hour ago
 * for a year. */
struct test_cert {
    const char *names[4]; /* alternative names as OpenSSL's configuration has them, such as
                             "URI:lottery:agency:17", "DNS:localhost", "IP:127.0.0.1" */
    const char *use;      /* extended key usage, such as "clientAuth" or "serverAuth,clientAuth" */
    long from_s;          /* when it begins, in seconds from now; 0: an hour ago */
    long end_s;           /* when it ends, in seconds from now; 0: in a year */
    size_t padding;       /* bytes of a comment in it, to make it large */
    bool is_authority;    /* it may issue others; see test_certs_issue_by() */
};

/* Makes a folder with the authority's certificate, ca.crt; a server's (server.crt, server.key), for
 * localhost, 127.0.0.1, ::1 and lottery:server; and that of agency 17 (agency-17.crt,
 * agency-17.key). */
struct test_certs *test_certs_create(void);

/* Removes the folder, too. NULL is fine. */
void test_certs_destroy(struct test_certs *certs);

/* The path of a file in the folder. Valid until destroy. */
const char *test_certs_path(struct test_certs *certs, const char *file);

/* The paths of <name>.crt, <name>.key and ca.crt; no list. Valid until destroy. */
struct tls_files test_certs_files(struct test_certs *certs, const char *name);

/* Issues a certificate: <name>.crt, and <name>.key with mode 0600. */
void test_certs_issue(struct test_certs *certs, const char *name, const struct test_cert *cert);

/* The same, but signed by the certificate `by`, issued before with is_authority; <name>.crt has
 * what is in <by>.crt after the new one. */
void test_certs_issue_by(struct test_certs *certs, const char *by, const char *name,
                         const struct test_cert *cert);

/* Puts <name>.crt onto the authority's list. The list is written by the next call. */
void test_certs_revoke(struct test_certs *certs, const char *name);

/* Writes the authority's list as ca.crl, in force from `from_s` to `end_s` (in seconds from now).
 */
void test_certs_write_crl(struct test_certs *certs, long from_s, long end_s);

/* Copies bytes into a file of the folder, with this mode, and returns its path as above. */
const char *test_certs_write(struct test_certs *certs, const char *file, const void *bytes,
                             size_t size, unsigned mode);

#endif
