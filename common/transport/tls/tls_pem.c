#include "tls_pem.h"

#include "key_file.h"
#include "tls_memory.h"

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

/* Why libcrypto could not read it. */
static enum status tls_pem_fail(const char *text, struct errbuf *err)
{
    if (ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)
        return STATUS_NOMEM;
    errbuf_set(err, "%s", text);
    return STATUS_INVALID;
}

/* The password is no secret: it keeps libcrypto from asking at the terminal. */
static char no_password[] = "";

enum status tls_pem_read(const char *path, STACK_OF(X509_INFO) * *out, struct errbuf *err)
{
    struct buffer bytes = {0};
    BIO *bio = NULL;
    enum status status = tls_pem_open(path, KEY_FILE_PUBLIC, &bytes, &bio, err);

    if (status == STATUS_OK) {
        tls_memory_begin(); /* some people keep the key in the same file */
        *out = PEM_X509_INFO_read_bio(bio, NULL, NULL, no_password);
        tls_memory_end();
        if (*out == NULL)
            status = tls_pem_fail("damaged, or not in PEM; copy it again", err);
    }
    BIO_free(bio);
    key_file_forget(&bytes);
    ERR_clear_error();
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
        tls_memory_begin();
        *out = PEM_read_bio_PrivateKey(bio, NULL, NULL, no_password);
        tls_memory_end();
        if (*out == NULL)
            status =
                tls_pem_fail("no private key in PEM: another file, a damaged one, or DER, which "
                             "`openssl pkey -in OLD -out NEW` converts",
                             err);
    }
    BIO_free(bio);
    key_file_forget(&bytes);
    ERR_clear_error();
    return status;
}
