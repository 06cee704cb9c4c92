#include "tls_verify.h"

#include "clock.h"
#include "tls_impl.h"
#include "tls_name.h"

/* Of a certificate that is good otherwise. Returns NULL when the name is, too. */
static const struct tls_reason *tls_verify_name(const X509 *cert, const struct tls_context *context,
                                                struct tls_peer *peer)
{
    const X509 *own = SSL_CTX_get0_certificate(context->ssl);

    if (context->side == TLS_CLIENT)
        return NULL; /* the name of a server is part of the check of its chain */
    if (X509_cmp(cert, own) == 0) {
        *peer = (struct tls_peer){TLS_PEER_SERVER, 0};
        return NULL;
    }
    switch (tls_name_find(cert, peer)) {
    case TLS_NAME_OK:
        return NULL;
    case TLS_NAME_SEVERAL:
        return &tls_reason_names;
    case TLS_NAME_NONE:
        break;
    }
    return &tls_reason_no_name;
}

/* The error that libssl makes its alert of: another one where the peer would be told something
 * misleading, such as that its certificate has expired when our list has. */
static int tls_verify_told(int error)
{
    switch (error) {
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_OK:
        return X509_V_ERR_CERT_REJECTED;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: /* an authority of the same name */
        return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    default:
        return error;
    }
}

/* Why the certificate is refused, or NULL. */
static const struct tls_reason *tls_verify(X509_STORE_CTX *chain, const struct tls_context *context,
                                           struct tls_verdict *verdict)
{
    const X509 *cert = X509_STORE_CTX_get0_cert(chain);

    tls_name_print(cert, verdict->name, sizeof(verdict->name));
    X509_STORE_CTX_set_time(chain, 0, clock_wall_s());
    if (X509_verify_cert(chain) != 1) {
        int error = X509_STORE_CTX_get_error(chain);
        X509_STORE_CTX_set_error(chain, tls_verify_told(error));
        return tls_reason_of_certificate(error);
    }
    const struct tls_reason *cause = tls_verify_name(cert, context, &verdict->peer);
    if (cause != NULL)
        X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);
    return cause;
}

int tls_verify_chain(X509_STORE_CTX *chain, void *context)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_verdict *verdict = SSL_get_app_data(ssl);

    verdict->cause = tls_verify(chain, context, verdict);
    verdict->is_trusted = verdict->cause == NULL;
    return verdict->is_trusted;
}
