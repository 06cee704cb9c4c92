#include "tls_reason.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stddef.h>

#define PEERS "the peer's certificate "
#define OURS "the peer refuses our certificate: it "

const struct tls_reason tls_reason_no_name = {PEERS "names no agency", true};
const struct tls_reason tls_reason_names = {PEERS "names several", true};
const struct tls_reason tls_reason_not_tls = {"the peer does not speak TLS", true};
const struct tls_reason tls_reason_broken_off = {"the peer broke off the TLS handshake", false};
const struct tls_reason tls_reason_too_much = {"the peer sends too much for a TLS handshake",
                                               false};
const struct tls_reason tls_reason_chatter = {"the peer sends TLS messages without data", false};
const struct tls_reason tls_reason_memory = {"out of memory", false};
const struct tls_reason tls_reason_damaged = {"bytes were changed on the way", false};

/* What a number means. */
struct tls_reason_row {
    long number;
    struct tls_reason reason;
};

static const struct tls_reason_row certificate_rows[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, {PEERS "has expired", true}},
    {X509_V_ERR_CERT_NOT_YET_VALID, {PEERS "is not valid yet", true}},
    {X509_V_ERR_CERT_REVOKED, {PEERS "is revoked", true}},
    {X509_V_ERR_INVALID_PURPOSE, {PEERS "is not for this use", true}},
    {X509_V_ERR_HOSTNAME_MISMATCH, {PEERS "is not for the name of this server", true}},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, {PEERS "is not for the name of this server", true}},
    {X509_V_ERR_CRL_HAS_EXPIRED, {"the list of revoked certificates is out of date", true}},
    {X509_V_ERR_CRL_NOT_YET_VALID, {"the list of revoked certificates is out of date", true}},
    {X509_V_ERR_UNABLE_TO_GET_CRL,
     {"there is no list of revoked certificates of the authority of the peer's certificate", true}},
    {X509_V_ERR_EE_KEY_TOO_SMALL, {PEERS "has a key that is too weak", true}},
    {X509_V_ERR_CA_KEY_TOO_SMALL, {PEERS "is of an authority whose key is too weak", true}},
    {X509_V_ERR_CA_MD_TOO_WEAK, {PEERS "is signed with a digest that is too weak", true}},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, {PEERS "has too long a chain", true}},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, {PEERS "is of another authority", true}},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, {PEERS "is of another authority", true}},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, {PEERS "is of another authority", true}},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, {PEERS "is of another authority", true}},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, {PEERS "is of another authority", true}},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, {PEERS "is of another authority", true}},
    {X509_V_ERR_OUT_OF_MEM, {"out of memory", false}},
};

/* Alerts that the peer has sent (RFC 8446, 6.2). */
static const struct tls_reason_row alert_rows[] = {
    {SSL3_AD_BAD_CERTIFICATE, {OURS "is not acceptable", true}},
    {SSL3_AD_UNSUPPORTED_CERTIFICATE, {OURS "is not acceptable", true}},
    {SSL3_AD_CERTIFICATE_UNKNOWN, {OURS "is not acceptable", true}},
    {SSL3_AD_CERTIFICATE_REVOKED, {OURS "is revoked", true}},
    {SSL3_AD_CERTIFICATE_EXPIRED, {OURS "has expired", true}},
    {TLS1_AD_UNKNOWN_CA, {OURS "is of an authority that it does not know", true}},
    {TLS1_AD_ACCESS_DENIED, {OURS "is not acceptable", true}},
    {TLS13_AD_CERTIFICATE_REQUIRED, {"the peer wants a certificate that we do not have", true}},
    {TLS1_AD_PROTOCOL_VERSION, {"the peer speaks no TLS 1.3", true}},
    {SSL3_AD_HANDSHAKE_FAILURE, {"the peer refuses the TLS handshake", false}},
    {TLS1_AD_INSUFFICIENT_SECURITY, {"the peer refuses the TLS handshake", false}},
    {TLS1_AD_UNRECOGNIZED_NAME, {"the peer is not the server of this name", true}},
    {TLS1_AD_INTERNAL_ERROR, {"the peer has an internal error of TLS", false}},
    {TLS1_AD_USER_CANCELLED, {"the peer broke off the TLS handshake", false}},
};

static const struct tls_reason other_alert = {"the peer broke off with a TLS alert", false};

/* Reasons of libssl's errors. */
static const struct tls_reason_row error_rows[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, {"the peer shows no certificate", true}},
    {SSL_R_UNSUPPORTED_PROTOCOL, {"the peer speaks no TLS 1.3", true}},
    {SSL_R_VERSION_TOO_LOW, {"the peer speaks no TLS 1.3", true}},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, {"the peer speaks no TLS 1.3", true}},
    {SSL_R_WRONG_SSL_VERSION, {"the peer speaks no TLS 1.3", true}},
    {SSL_R_WRONG_VERSION_NUMBER, {"the peer does not speak TLS", true}},
    {SSL_R_HTTP_REQUEST, {"the peer does not speak TLS", true}},
    {SSL_R_HTTPS_PROXY_REQUEST, {"the peer does not speak TLS", true}},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, {"the peer sends too much for a TLS handshake", false}},
    {SSL_R_RECORD_TOO_SMALL, {"the peer sends TLS records without data", false}},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, {"bytes were changed on the way", false}},
    {SSL_R_BAD_SIGNATURE, {"the peer does not have the key of its certificate", true}},
    {ERR_R_MALLOC_FAILURE, {"out of memory", false}},
};

static const struct tls_reason *tls_reason_find(const struct tls_reason_row *rows, size_t count,
                                                long number, const struct tls_reason *otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].number == number)
            return &rows[i].reason;
    }
    return otherwise;
}

#define TLS_REASON_FIND(rows, number, otherwise)                                                   \
    tls_reason_find(rows, sizeof(rows) / sizeof((rows)[0]), number, otherwise)

const struct tls_reason *tls_reason_of_certificate(long error)
{
    static const struct tls_reason other = {PEERS "is not acceptable", true};

    return TLS_REASON_FIND(certificate_rows, error, &other);
}

bool tls_reason_is_alert(unsigned long error)
{
    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET;
}

struct tls_reason tls_reason_of_error(unsigned long error)
{
    const char *text = ERR_reason_error_string(error);
    struct tls_reason other = {text != NULL ? text : "TLS has failed", false};
    int reason = ERR_GET_REASON(error);

    if (tls_reason_is_alert(error))
        return *TLS_REASON_FIND(alert_rows, reason - SSL_AD_REASON_OFFSET, &other_alert);
    if (ERR_GET_LIB(error) == ERR_LIB_SSL || reason == ERR_R_MALLOC_FAILURE)
        return *TLS_REASON_FIND(error_rows, reason, &other);
    return other;
}
