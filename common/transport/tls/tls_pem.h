/* tls_pem.h - reads certificates, keys and lists of revoked certificates from files in PEM.
 *
 * On failure *err has the reason, without the path and without anything of the file. All of them
 * block for the disk, and return NOTFOUND, INVALID, NOMEM or IO.
 */
#ifndef LOTTERY_TLS_PEM_H
#define LOTTERY_TLS_PEM_H

#include "errbuf.h"
#include "status.h"

#include <openssl/x509.h>

#define TLS_PEM_ITEMS_MAX 256 /* certificates, or lists, in one file */

/* All certificates of a file, at least one. The caller frees them. */
enum status tls_pem_read_certs(const char *path, STACK_OF(X509) * *out, struct errbuf *err);

/* All lists of revoked certificates, at least one. The caller frees them. */
enum status tls_pem_read_crls(const char *path, STACK_OF(X509_CRL) * *out, struct errbuf *err);

/* The private key, from a file that only those can read whom tls_context_create() allows. */
enum status tls_pem_read_key(const char *path, EVP_PKEY **out, struct errbuf *err);

#endif
