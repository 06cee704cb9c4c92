/* Security level 2 of libssl: no key or signature of less than 112 bits of strength. The groups are
 * those whose key agreement is cheap for the side that is asked: a peer cannot make us compute with
 * ffdhe8192. TLS_AES_128_GCM_SHA256 comes first because each bet is encrypted, and it takes less
 * time than AES-256. */
#include "tls_context.h"

#include "rfc3339.h"
#include "tls_bio.h"
#include "tls_impl.h"
#include "tls_pem.h"
#include "tls_verify.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECURITY_LEVEL 2
#define CIPHERS "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define PEER_CHAIN_MAX 16384 /* bytes of the peer's certificate message */
#define PEER_DEPTH_MAX 4     /* certificates between the peer's and the authority */

/* Seconds since 1970; a time without a meaning is before all others. */
static int64_t tls_context_time(const ASN1_TIME *time)
{
    struct tm parts;

    return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : INT64_MIN;
}

/* Makes the context of libssl, with everything that does not come from the files. */
static enum status tls_context_set_up(struct tls_context *context)
{
    static int groups[] = {NID_X25519, NID_X9_62_prime256v1, NID_secp384r1};
    SSL_CTX *ssl =
        SSL_CTX_new(context->side == TLS_SERVER ? TLS_server_method() : TLS_client_method());
    context->ssl = ssl;
    context->bio = tls_bio_create_method();
    if (ssl == NULL || context->bio == NULL)
        return STATUS_NOMEM;
    SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_max_cert_list(ssl, PEER_CHAIN_MAX);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_verify_depth(ssl, PEER_DEPTH_MAX);
    SSL_CTX_set_cert_verify_callback(ssl, tls_verify_chain, context);
    bool is_set_up = SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
                     SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
                     SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
                     SSL_CTX_set_ciphersuites(ssl, CIPHERS) == 1 &&
                     SSL_CTX_set1_groups(ssl, groups, sizeof(groups) / sizeof(groups[0])) == 1;
    return is_set_up ? STATUS_OK : STATUS_NOMEM;
}

/* Is the certificate one that this side may show? Otherwise every peer would refuse it. */
static enum status tls_context_check_own(const struct tls_context *context, X509 *cert,
                                         struct errbuf *err)
{
    bool is_server = context->side == TLS_SERVER;
    int purpose = is_server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT;

    if (X509_check_purpose(cert, purpose, 0) == 1)
        return STATUS_OK;
    errbuf_set(err,
               "not a certificate for a %s; its key usage needs digitalSignature, and its extended "
               "key usage %s",
               is_server ? "server" : "client", is_server ? "serverAuth" : "clientAuth");
    return STATUS_INVALID;
}

/* Takes the certificate that is ours (the first, number 1) or one between it and the authority. */
static enum status tls_context_use_cert(struct tls_context *context, X509 *cert, int number,
                                        struct errbuf *err)
{
    bool is_own = number == 1;
    enum status status = is_own ? tls_context_check_own(context, cert, err) : STATUS_OK;

    if (status != STATUS_OK)
        return status;
    bool is_used = is_own ? SSL_CTX_use_certificate(context->ssl, cert) == 1
                          : SSL_CTX_add1_chain_cert(context->ssl, cert) == 1;
    if (!is_used) {
        errbuf_set(err, "its certificate number %d is not fit for TLS 1.3: %s", number,
                   tls_reason_of_error(ERR_peek_error()).text);
        return STATUS_INVALID;
    }
    if (is_own)
        context->valid = (struct tls_period){tls_context_time(X509_get0_notBefore(cert)),
                                             tls_context_time(X509_get0_notAfter(cert))};
    return STATUS_OK;
}

/* What stands in the file is trusted, also if it is not a root: an authority that only issues
 * agencies' certificates need not bring along the one above it. */
static enum status tls_context_use_ca(struct tls_context *context, X509 *cert, int number,
                                      struct errbuf *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);

    if (X509_check_ca(cert) == 0) {
        errbuf_set(err, "its certificate number %d is not that of an authority", number);
        return STATUS_INVALID;
    }
    bool is_added = X509_STORE_add_cert(store, cert) == 1 &&
                    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1;
    return is_added ? STATUS_OK : STATUS_NOMEM;
}

typedef enum status (*tls_context_use)(struct tls_context *context, X509 *cert, int number,
                                       struct errbuf *err);

/* Hands each certificate of a file to `use`. */
static enum status tls_context_use_all(struct tls_context *context, tls_context_use use,
                                       const char *path, struct errbuf *err)
{
    STACK_OF(X509_INFO) *items = NULL;
    enum status status = tls_pem_read(path, &items, err);
    int count = 0;

    for (int i = 0; status == STATUS_OK && i < sk_X509_INFO_num(items); i++) {
        X509 *cert = sk_X509_INFO_value(items, i)->x509;
        if (cert != NULL)
            status = use(context, cert, ++count, err);
    }
    sk_X509_INFO_pop_free(items, X509_INFO_free);
    if (status == STATUS_OK && count == 0) {
        errbuf_set(err, "no certificate in PEM: another file, or DER, which `openssl x509 -in OLD "
                        "-out NEW` converts");
        status = STATUS_INVALID;
    }
    return status;
}

static enum status tls_context_load_cert(struct tls_context *context, const char *path,
                                         struct errbuf *err)
{
    return tls_context_use_all(context, tls_context_use_cert, path, err);
}

static enum status tls_context_load_ca(struct tls_context *context, const char *path,
                                       struct errbuf *err)
{
    return tls_context_use_all(context, tls_context_use_ca, path, err);
}

static enum status tls_context_load_key(struct tls_context *context, const char *path,
                                        struct errbuf *err)
{
    EVP_PKEY *key = NULL;
    enum status status = tls_pem_read_key(path, &key, err);

    if (status != STATUS_OK)
        return status;
    if (X509_check_private_key(SSL_CTX_get0_certificate(context->ssl), key) != 1 ||
        SSL_CTX_use_PrivateKey(context->ssl, key) != 1) {
        errbuf_set(err, "not the key of the certificate %s", context->cert_path);
        status = STATUS_INVALID;
    }
    EVP_PKEY_free(key);
    return status;
}

/* Has one of the authorities signed the list? */
static bool tls_context_has_signed(X509_STORE *store, X509_CRL *crl)
{
    STACK_OF(X509) *authorities = X509_STORE_get1_all_certs(store);
    bool is_signed = false;

    for (int i = 0; i < sk_X509_num(authorities) && !is_signed; i++) {
        X509 *authority = sk_X509_value(authorities, i);
        is_signed =
            X509_NAME_cmp(X509_get_subject_name(authority), X509_CRL_get_issuer(crl)) == 0 &&
            X509_CRL_verify(crl, X509_get0_pubkey(authority)) == 1;
    }
    sk_X509_pop_free(authorities, X509_free);
    return is_signed;
}

static enum status tls_context_use_crl(struct tls_context *context, X509_CRL *crl,
                                       struct errbuf *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    int64_t from_s = tls_context_time(X509_CRL_get0_lastUpdate(crl));
    int64_t end_s = next != NULL ? tls_context_time(next) : INT64_MAX;

    if (!tls_context_has_signed(store, crl)) {
        errbuf_set(err, "a list that is not signed by one of our authorities");
        return STATUS_INVALID;
    }
    if (from_s > context->fresh.from_s)
        context->fresh.from_s = from_s;
    if (end_s < context->fresh.end_s)
        context->fresh.end_s = end_s;
    return X509_STORE_add_crl(store, crl) == 1 ? STATUS_OK : STATUS_NOMEM;
}

static enum status tls_context_load_crl(struct tls_context *context, const char *path,
                                        struct errbuf *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
    STACK_OF(X509_INFO) *items = NULL;
    enum status status = tls_pem_read(path, &items, err);
    int count = 0;

    for (int i = 0; status == STATUS_OK && i < sk_X509_INFO_num(items); i++) {
        X509_CRL *crl = sk_X509_INFO_value(items, i)->crl;
        if (crl == NULL)
            continue;
        status = tls_context_use_crl(context, crl, err);
        count++;
    }
    sk_X509_INFO_pop_free(items, X509_INFO_free);
    if (status == STATUS_OK && count == 0) {
        errbuf_set(err, "no list of revoked certificates in PEM: another file, or DER, which "
                        "`openssl crl -in OLD -out NEW` converts");
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK && X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) != 1)
        status = STATUS_NOMEM;
    return status;
}

typedef enum status (*tls_context_load)(struct tls_context *context, const char *path,
                                        struct errbuf *err);

/* Loads one file; puts its path in front of the reason if that fails. */
static enum status tls_context_load_file(struct tls_context *context, tls_context_load load,
                                         const char *path, struct errbuf *err)
{
    enum status status = load(context, path, err);

    if (status == STATUS_NOMEM)
        errbuf_set(err, "%s", status_text(status));
    if (status != STATUS_OK)
        errbuf_wrap(err, "%s", path);
    ERR_clear_error();
    return status;
}

static enum status tls_context_load_all(struct tls_context *context, const struct tls_files *files,
                                        struct errbuf *err)
{
    enum status status = tls_context_load_file(context, tls_context_load_cert, files->cert, err);

    if (status == STATUS_OK)
        status = tls_context_load_file(context, tls_context_load_key, files->key, err);
    if (status == STATUS_OK)
        status = tls_context_load_file(context, tls_context_load_ca, files->ca, err);
    if (status == STATUS_OK && context->crl_path != NULL)
        status = tls_context_load_file(context, tls_context_load_crl, context->crl_path, err);
    return status;
}

static enum status tls_context_copy_paths(struct tls_context *context,
                                          const struct tls_files *files)
{
    context->cert_path = strdup(files->cert);
    if (context->cert_path == NULL)
        return STATUS_NOMEM;
    if (context->side != TLS_SERVER || files->crl == NULL || files->crl[0] == '\0')
        return STATUS_OK;
    context->crl_path = strdup(files->crl);
    return context->crl_path != NULL ? STATUS_OK : STATUS_NOMEM;
}

enum status tls_context_create(enum tls_side side, const struct tls_files *files,
                               struct tls_context **out, struct errbuf *err)
{
    struct tls_context *context = calloc(1, sizeof(*context));
    enum status status = STATUS_NOMEM;

    if (context == NULL) {
        errbuf_set(err, "%s", status_text(status));
        return status;
    }
    /* No configuration file of the machine has a say in what we trust. */
    (void)OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    ERR_clear_error();
    context->side = side;
    context->fresh = (struct tls_period){INT64_MIN, INT64_MAX};
    status = tls_context_copy_paths(context, files);
    if (status == STATUS_OK)
        status = tls_context_set_up(context);
    if (status == STATUS_OK)
        status = tls_context_load_all(context, files, err);
    else
        errbuf_set(err, "%s", status_text(status));
    ERR_clear_error();
    if (status == STATUS_OK)
        *out = context;
    else
        tls_context_destroy(context);
    return status;
}

void tls_context_destroy(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl); /* libcrypto wipes the key */
    BIO_meth_free(context->bio);
    free(context->cert_path);
    free(context->crl_path);
    free(context);
}

static enum status tls_context_check_period(const struct tls_period *period, const char *path,
                                            int64_t now_s, struct errbuf *err)
{
    bool is_early = now_s < period->from_s;
    int64_t bound_s = is_early ? period->from_s : period->end_s;
    char time[RFC3339_SIZE];

    if (now_s >= period->from_s && now_s <= period->end_s)
        return STATUS_OK;
    rfc3339_format(bound_s > 0 ? (uint64_t)bound_s : 0, time);
    errbuf_set(err,
               is_early ? "%s: not in force before %s; is the clock of this machine right?"
                        : "%s: out of date since %s; renew it, or set the clock of this machine",
               path, time);
    return STATUS_INVALID;
}

enum status tls_context_check_dates(const struct tls_context *context, int64_t now_s,
                                    struct errbuf *err)
{
    enum status status = tls_context_check_period(&context->valid, context->cert_path, now_s, err);

    if (status == STATUS_OK && context->crl_path != NULL)
        status = tls_context_check_period(&context->fresh, context->crl_path, now_s, err);
    return status;
}

int64_t tls_context_end_s(const struct tls_context *context)
{
    return context->valid.end_s;
}
