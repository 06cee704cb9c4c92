#include "tls_pem.h"

#include "key_file.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <string.h>

/* Opens the bytes for libcrypto, which only borrows them. */
static enum status tls_pem_open(const char *path, enum key_file_access access, struct buffer *bytes,
                                BIO **out, struct errbuf *err)
{
    enum status status = key_file_read(AT_FDCWD, path, access, bytes, err);

    if (status != STATUS_OK)
        return status;
    ERR_clear_error();
    *out = BIO_new_mem_buf(bytes->data, (int)bytes->size);
    return *out != NULL ? STATUS_OK : STATUS_NOMEM;
}

/* Why nothing more could be read: the end of the file is none of it. */
static enum status tls_pem_end(int count, const char *what, struct errbuf *err)
{
    unsigned long error = ERR_peek_last_error();

    ERR_clear_error();
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
        return STATUS_NOMEM;
    if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
        errbuf_set(err, "damaged: after %d of them, something that is no %s in PEM", count, what);
        return STATUS_INVALID;
    }
    if (count == 0) {
        errbuf_set(err, "no %s in PEM", what);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

/* The password is no secret: it keeps libcrypto from asking at the terminal. */
static char no_password[] = "";

static enum status tls_pem_collect_certs(BIO *bio, STACK_OF(X509) * certs, struct errbuf *err)
{
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, no_password);

    for (; cert != NULL; cert = PEM_read_bio_X509(bio, NULL, NULL, no_password)) {
        if (sk_X509_push(certs, cert) == 0) {
            X509_free(cert);
            return STATUS_NOMEM;
        }
        if (sk_X509_num(certs) > TLS_PEM_ITEMS_MAX) {
            errbuf_set(err, "more than %d certificates", TLS_PEM_ITEMS_MAX);
            return STATUS_INVALID;
        }
    }
    return tls_pem_end(sk_X509_num(certs), "certificate", err);
}

enum status tls_pem_read_certs(const char *path, STACK_OF(X509) * *out, struct errbuf *err)
{
    struct buffer bytes = {0};
    BIO *bio = NULL;
    STACK_OF(X509) *certs = sk_X509_new_null();
    enum status status = certs != NULL ? STATUS_OK : STATUS_NOMEM;

    if (status == STATUS_OK)
        status = tls_pem_open(path, KEY_FILE_PUBLIC, &bytes, &bio, err);
    if (status == STATUS_OK)
        status = tls_pem_collect_certs(bio, certs, err);
    BIO_free(bio);
    buffer_fini(&bytes);
    if (status == STATUS_OK)
        *out = certs;
    else
        sk_X509_pop_free(certs, X509_free);
    return status;
}

static enum status tls_pem_collect_crls(BIO *bio, STACK_OF(X509_CRL) * crls, struct errbuf *err)
{
    X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, no_password);

    for (; crl != NULL; crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, no_password)) {
        if (sk_X509_CRL_push(crls, crl) == 0) {
            X509_CRL_free(crl);
            return STATUS_NOMEM;
        }
        if (sk_X509_CRL_num(crls) > TLS_PEM_ITEMS_MAX) {
            errbuf_set(err, "more than %d lists", TLS_PEM_ITEMS_MAX);
            return STATUS_INVALID;
        }
    }
    return tls_pem_end(sk_X509_CRL_num(crls), "list of revoked certificates", err);
}

enum status tls_pem_read_crls(const char *path, STACK_OF(X509_CRL) * *out, struct errbuf *err)
{
    struct buffer bytes = {0};
    BIO *bio = NULL;
    STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
    enum status status = crls != NULL ? STATUS_OK : STATUS_NOMEM;

    if (status == STATUS_OK)
        status = tls_pem_open(path, KEY_FILE_PUBLIC, &bytes, &bio, err);
    if (status == STATUS_OK)
        status = tls_pem_collect_crls(bio, crls, err);
    BIO_free(bio);
    buffer_fini(&bytes);
    if (status == STATUS_OK)
        *out = crls;
    else
        sk_X509_CRL_pop_free(crls, X509_CRL_free);
    return status;
}

/* Both kinds of encrypted keys have the word in their head, and no base64 text has it by chance. */
static bool tls_pem_is_encrypted(const struct buffer *bytes)
{
    static const char word[] = "ENCRYPTED";

    return memmem(bytes->data, bytes->size, word, strlen(word)) != NULL;
}

enum status tls_pem_read_key(const char *path, EVP_PKEY **out, struct errbuf *err)
{
    struct buffer bytes = {0};
    BIO *bio = NULL;
    enum status status = tls_pem_open(path, KEY_FILE_USER, &bytes, &bio, err);

    if (status == STATUS_OK && tls_pem_is_encrypted(&bytes)) {
        errbuf_set(err, "the key is encrypted; `openssl pkey -in OLD -out NEW` writes it "
                        "without its password");
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        *out = PEM_read_bio_PrivateKey(bio, NULL, NULL, no_password);
        if (*out == NULL) {
            errbuf_set(err, "no private key in PEM");
            status = STATUS_INVALID;
        }
    }
    BIO_free(bio);
    key_file_forget(&bytes);
    ERR_clear_error();
    return status;
}
