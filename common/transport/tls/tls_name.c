#include "tls_name.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#define ANY_NAME "lottery:"
#define AGENCY_NAME "lottery:agency:"
#define SERVER_NAME "lottery:server"
#define ID_DIGITS 10 /* of the largest id */

static bool tls_name_begins(struct text uri, const char *start)
{
    return uri.size >= strlen(start) && memcmp(uri.data, start, strlen(start)) == 0;
}

/* A number from 1 to 4294967295, written in the only way. */
static bool tls_name_parse_id(struct text digits, uint32_t *id)
{
    uint64_t value = 0;

    if (digits.size == 0 || digits.size > ID_DIGITS || digits.data[0] == '0')
        return false;
    for (size_t i = 0; i < digits.size; i++) {
        if (!text_is_digit(digits.data[i]))
            return false;
        value = value * 10 + (uint64_t)(digits.data[i] - '0');
    }
    if (value > UINT32_MAX)
        return false;
    *id = (uint32_t)value;
    return true;
}

bool tls_name_parse(struct text uri, struct tls_peer *peer)
{
    uint32_t id = 0;

    if (uri.size == strlen(SERVER_NAME) && tls_name_begins(uri, SERVER_NAME)) {
        *peer = (struct tls_peer){TLS_PEER_SERVER, 0};
        return true;
    }
    if (!tls_name_begins(uri, AGENCY_NAME))
        return false;
    struct text digits = {uri.data + strlen(AGENCY_NAME), uri.size - strlen(AGENCY_NAME)};
    if (!tls_name_parse_id(digits, &id))
        return false;
    *peer = (struct tls_peer){TLS_PEER_AGENCY, id};
    return true;
}

/* Returns the URIs and other names of the certificate, which the caller frees; NULL if it has none,
 * or has them in two places, which the standard forbids. */
static GENERAL_NAMES *tls_name_all(const X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    ERR_clear_error();
    return names;
}

/* Is this one a URI? Then *uri is its text, which lives as long as `names`. */
static bool tls_name_uri_at(const GENERAL_NAMES *names, int at, struct text *uri)
{
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, at);

    if (name->type != GEN_URI)
        return false;
    const ASN1_IA5STRING *value = name->d.uniformResourceIdentifier;
    *uri = (struct text){(const char *)ASN1_STRING_get0_data(value),
                         (size_t)ASN1_STRING_length(value)};
    return true;
}

/* Schemes of URIs may be written in capitals. Such a name is none of ours, but is not overlooked
 * beside one. */
static bool tls_name_is_ours(struct text uri)
{
    return uri.size >= strlen(ANY_NAME) && strncasecmp(uri.data, ANY_NAME, strlen(ANY_NAME)) == 0;
}

enum tls_name_result tls_name_find(const X509 *cert, struct tls_peer *peer)
{
    GENERAL_NAMES *names = tls_name_all(cert);
    bool is_good = false;
    unsigned found = 0;
    struct text uri;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (!tls_name_uri_at(names, i, &uri) || !tls_name_is_ours(uri))
            continue;
        found++;
        is_good = found == 1 && tls_name_parse(uri, peer);
    }
    GENERAL_NAMES_free(names);
    if (found > 1)
        return TLS_NAME_SEVERAL;
    return is_good ? TLS_NAME_OK : TLS_NAME_NONE;
}

static void tls_name_copy(struct text name, char *out, size_t size)
{
    size_t count = name.size < size ? name.size : size - 1;

    for (size_t i = 0; i < count; i++) {
        char c = name.data[i];
        out[i] = '?';
        if (c >= ' ' && c <= '~')
            out[i] = c;
    }
    out[count] = '\0';
}

static bool tls_name_print_uri(const X509 *cert, char *out, size_t size)
{
    GENERAL_NAMES *names = tls_name_all(cert);
    bool is_printed = false;
    bool is_ours = false;
    struct text uri;

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !is_ours; i++) {
        if (!tls_name_uri_at(names, i, &uri))
            continue;
        is_ours = tls_name_is_ours(uri);
        if (is_ours || !is_printed)
            tls_name_copy(uri, out, size);
        is_printed = true;
    }
    GENERAL_NAMES_free(names);
    return is_printed;
}

void tls_name_print(const X509 *cert, char *out, size_t size)
{
    char *text = NULL;

    out[0] = '\0';
    if (tls_name_print_uri(cert, out, size))
        return;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL &&
        X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
        long count = BIO_get_mem_data(bio, &text);
        tls_name_copy((struct text){text, (size_t)count}, out, size);
    }
    BIO_free(bio);
    ERR_clear_error();
}
