/* What is left of a private key in memory that was freed: nothing. free() is replaced by one that
 * looks at the block first. */
#include "cmocka_all.h"
#include "key_file.h"
#include "test_certs.h"
#include "tls_memory.h"

#include <fcntl.h>
#include <malloc.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LINE 64                /* characters of base64 in a line of PEM */
#define DECODED (LINE / 4 * 3) /* bytes that they stand for */

static char line[LINE];              /* the first line of the key */
static unsigned char bytes[DECODED]; /* the same, decoded */
static bool is_looking;
static unsigned found;

void __real_free(void *block);
void __wrap_free(void *block);

void __wrap_free(void *block)
{
    if (is_looking && block != NULL) {
        const size_t size = malloc_usable_size(block);
        found += memmem(block, size, line, sizeof(line)) != NULL;
        found += memmem(block, size, bytes, sizeof(bytes)) != NULL;
    }
    __real_free(block);
}

static struct buffer read_file(const char *path)
{
    struct buffer out = {0};
    struct errbuf err;

    assert_int_equal(key_file_read(AT_FDCWD, path, KEY_FILE_PUBLIC, &out, &err), STATUS_OK);
    return out;
}

/* Reads the key that is to be looked for. */
static void learn_key(const char *path)
{
    struct buffer key = read_file(path);
    const char *start = memchr(key.data, '\n', key.size);
    unsigned char decoded[DECODED + 3];

    assert_non_null(start);
    memcpy(line, start + 1, sizeof(line));
    assert_int_equal(EVP_DecodeBlock(decoded, (const unsigned char *)line, LINE), DECODED);
    memcpy(bytes, decoded, sizeof(bytes));
    key_file_forget(&key);
}

static unsigned count_copies(const struct tls_files *files)
{
    struct tls_context *context = NULL;
    struct errbuf err;

    found = 0;
    is_looking = true;
    assert_int_equal(tls_context_create(TLS_SERVER, files, &context, &err), STATUS_OK);
    tls_context_destroy(context);
    is_looking = false;
    return found;
}

static void test_no_copies(void **state)
{
    struct test_certs *certs = test_certs_create();
    struct tls_files files = test_certs_files(certs, "server");
    struct buffer both = {0};

    (void)state;
    learn_key(files.key);
    assert_int_equal(count_copies(&files), 0);

    /* Some people keep the key in the file of the certificate. */
    struct buffer cert = read_file(files.cert);
    struct buffer key = read_file(files.key);
    assert_int_equal(buffer_append(&both, cert.data, cert.size), STATUS_OK);
    assert_int_equal(buffer_append(&both, key.data, key.size), STATUS_OK);
    files.cert = test_certs_write(certs, "both.pem", both.data, both.size, 0600);
    files.key = files.cert;
    assert_int_equal(count_copies(&files), 0);
    key_file_forget(&cert);
    key_file_forget(&key);
    key_file_forget(&both);
    test_certs_destroy(certs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_copies),
    };

    if (!tls_memory_init())
        return 1; /* too late: something has been allocated */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
