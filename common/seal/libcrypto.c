#include "libcrypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

void libcrypto_begin(void)
{
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

enum status libcrypto_failed(enum status status)
{
    for (unsigned long error = ERR_get_error(); error != 0; error = ERR_get_error()) {
        if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
            status = STATUS_NOMEM;
    }
    return status;
}

enum status libcrypto_out_of_memory(void)
{
    ERR_clear_error();
    return STATUS_NOMEM;
}
