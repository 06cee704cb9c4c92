/* tls_pem.h - reads certificates, keys and lists of revoked certificates from files in PEM.
 *
 * On failure *err has the reason, without the path and without anything of the file. Both functions
 * block for the disk, and return NOTFOUND, INVALID, NOMEM or IO.
 */
#ifndef LOTTERY_TLS_PEM_H
#define LOTTERY_TLS_PEM_H

#include "errbuf.h"
#include "status.h"

#include <openssl/x509.h>

/* Everything in a file that anybody may read, in its order: an item has a certificate (x509), or a
 * list of revoked ones (crl), or neither. The caller frees the items. */
enum status tls_pem_read(const char *path, STACK_OF(X509_INFO) * *out, struct errbuf *err);

/* The private key, from a file that only those can read whom tls_context_create() allows. The
 * caller frees it. */
enum status tls_pem_read_key(const char *path, EVP_PKEY **out, struct errbuf *err);

#endif
