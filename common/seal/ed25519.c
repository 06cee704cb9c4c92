#include "ed25519.h"

#include "libcrypto.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>

enum status ed25519_generate(struct evp_pkey_st **out, struct errbuf *err)
{
    libcrypto_begin();
    ERR_clear_error();
    EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (pair == NULL) {
        errbuf_set(err, "no random numbers for a key");
        return libcrypto_failed(STATUS_IO);
    }
    *out = pair;
    return STATUS_OK;
}

/* libcrypto would ask at the terminal for the password of an encrypted key. Notes that it wanted
 * one. */
static int ed25519_no_password(char *password, int size, int is_writing, void *is_encrypted)
{
    (void)is_writing;
    if (size > 0)
        password[0] = '\0';
    *(bool *)is_encrypted = true;
    return -1;
}

enum status ed25519_read_pem(struct text pem, struct evp_pkey_st **out, struct errbuf *err)
{
    bool is_encrypted = false;

    libcrypto_begin();
    if (pem.size > INT32_MAX) {
        errbuf_set(err, "too large for a key");
        return STATUS_INVALID;
    }
    BIO *input = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (input == NULL)
        return libcrypto_out_of_memory();
    ERR_clear_error();
    EVP_PKEY *pair = PEM_read_bio_PrivateKey(input, NULL, ed25519_no_password, &is_encrypted);
    BIO_free(input);
    if (pair == NULL) {
        errbuf_set(err, is_encrypted ? "the key is encrypted" : "no private key in PEM");
        return libcrypto_failed(STATUS_INVALID);
    }
    ERR_clear_error();
    if (EVP_PKEY_get_id(pair) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(pair);
        errbuf_set(err, "the key is not for Ed25519");
        return STATUS_INVALID;
    }
    *out = pair;
    return STATUS_OK;
}

enum status ed25519_write_pem(struct evp_pkey_st *pair, struct buffer *out)
{
    enum status status = STATUS_NOMEM;
    BIO *output = BIO_new(BIO_s_secmem());
    char *pem = NULL;

    if (output == NULL)
        return libcrypto_out_of_memory();
    if (PEM_write_bio_PKCS8PrivateKey(output, pair, NULL, NULL, 0, NULL, NULL) == 1) {
        long size = BIO_get_mem_data(output, &pem);
        status = buffer_append(out, pem, (size_t)size);
    }
    BIO_free(output); /* wipes what it has */
    ERR_clear_error();
    return status;
}

enum status ed25519_public(struct evp_pkey_st *pair, uint8_t out[ED25519_PUBLIC_SIZE])
{
    size_t size = ED25519_PUBLIC_SIZE;

    if (EVP_PKEY_get_raw_public_key(pair, out, &size) != 1 || size != ED25519_PUBLIC_SIZE)
        return libcrypto_out_of_memory();
    return STATUS_OK;
}

enum status ed25519_sign(struct evp_pkey_st *pair, struct text text,
                         uint8_t out[ED25519_SIGNATURE_SIZE])
{
    size_t size = ED25519_SIGNATURE_SIZE;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_signed =
        context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, pair) == 1 &&
        EVP_DigestSign(context, out, &size, (const unsigned char *)text.data, text.size) == 1;

    EVP_MD_CTX_free(context);
    return is_signed ? STATUS_OK : libcrypto_out_of_memory();
}

enum status ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_SIZE], struct text text,
                           const uint8_t signature[ED25519_SIGNATURE_SIZE])
{
    enum status status = STATUS_NOMEM;

    libcrypto_begin();
    ERR_clear_error();
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ED25519_PUBLIC_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (key != NULL && context != NULL &&
        EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1) {
        int is_right = EVP_DigestVerify(context, signature, ED25519_SIGNATURE_SIZE,
                                        (const unsigned char *)text.data, text.size);
        status = is_right == 1 ? STATUS_OK : libcrypto_failed(STATUS_MISMATCH);
    }
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return status;
}

void ed25519_free(struct evp_pkey_st *pair)
{
    EVP_PKEY_free(pair);
}
