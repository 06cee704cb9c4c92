#include "tls_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static bool is_wiping;

static void *tls_memory_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

static void tls_memory_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    if (is_wiping && block != NULL)
        explicit_bzero(block, malloc_usable_size(block));
    free(block);
}

/* realloc() may leave the old block as it is. libcrypto asks for no block of 0 bytes. */
static void *tls_memory_realloc(void *block, size_t size, const char *file, int line)
{
    if (!is_wiping || block == NULL)
        return realloc(block, size);
    const size_t before = malloc_usable_size(block);
    void *other = malloc(size);
    if (other == NULL)
        return NULL;
    memcpy(other, block, before < size ? before : size);
    tls_memory_free(block, file, line);
    return other;
}

bool tls_memory_init(void)
{
    return CRYPTO_set_mem_functions(tls_memory_malloc, tls_memory_realloc, tls_memory_free) == 1;
}

void tls_memory_begin(void)
{
    is_wiping = true;
}

void tls_memory_end(void)
{
    is_wiping = false;
}
