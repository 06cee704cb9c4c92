#include "sha256.h"

#include "assertion.h"
#include "libcrypto.h"

#include <openssl/evp.h>

/* The algorithm, looked up once: that takes longer than hashing a kilobyte. Stays for the whole
 * life of the process. */
static const EVP_MD *sha256_algorithm(void)
{
    static const EVP_MD *algorithm;

    if (algorithm == NULL) {
        libcrypto_begin();
        algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    }
    return algorithm;
}

enum status sha256_init(struct sha256 *hash)
{
    hash->context = NULL;
    if (sha256_algorithm() == NULL)
        return libcrypto_out_of_memory();
    hash->context = EVP_MD_CTX_new();
    if (hash->context == NULL)
        return libcrypto_out_of_memory();
    enum status status = sha256_restart(hash);
    if (status != STATUS_OK)
        sha256_fini(hash);
    return status;
}

enum status sha256_restart(struct sha256 *hash)
{
    /* The context stays, but not all that belongs to it: this may allocate. */
    if (EVP_DigestInit_ex2(hash->context, sha256_algorithm(), NULL) != 1)
        return libcrypto_out_of_memory();
    return STATUS_OK;
}

void sha256_fini(struct sha256 *hash)
{
    EVP_MD_CTX_free(hash->context);
    hash->context = NULL;
}

/* Neither of these allocates, and nothing else can fail in a hash that has begun. */
void sha256_update(struct sha256 *hash, const void *bytes, size_t size)
{
    int is_done = EVP_DigestUpdate(hash->context, bytes, size);

    ASSERT(is_done == 1);
}

void sha256_final(struct sha256 *hash, uint8_t out[SHA256_SIZE])
{
    int is_done = EVP_DigestFinal_ex(hash->context, out, NULL);

    ASSERT(is_done == 1);
}

enum status sha256_of(struct text bytes, uint8_t out[SHA256_SIZE])
{
    struct sha256 hash;
    enum status status = sha256_init(&hash);

    if (status != STATUS_OK)
        return status;
    sha256_update(&hash, bytes.data, bytes.size);
    sha256_final(&hash, out);
    sha256_fini(&hash);
    return STATUS_OK;
}

enum status sha256_hmac(struct text key, struct text text, uint8_t out[SHA256_SIZE])
{
    uint8_t mac[SHA256_SIZE];
    size_t size = 0;

    libcrypto_begin();
    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.size > 0 ? key.data : "", key.size,
                  (const unsigned char *)text.data, text.size, mac, sizeof(mac), &size) == NULL ||
        size != SHA256_SIZE)
        return libcrypto_out_of_memory();
    memcpy(out, mac, SHA256_SIZE);
    return STATUS_OK;
}
