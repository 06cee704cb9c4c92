/* tls_memory.h - what libcrypto leaves in memory when it reads a key.
 *
 * It overwrites a key that it frees, but its decoders free copies of the key's file as they are
 * (OpenSSL 3.0). A process that forks would hand them to those that are not to have the key.
 */
#ifndef LOTTERY_TLS_MEMORY_H
#define LOTTERY_TLS_MEMORY_H

#include <stdbool.h>

/* From now on what libcrypto frees between tls_memory_begin() and tls_memory_end() is overwritten.
 * Returns false when it is too late: libcrypto has allocated something before. */
bool tls_memory_init(void);

/* A key is read, and was read. Without tls_memory_init() they do nothing. */
void tls_memory_begin(void);
void tls_memory_end(void);

#endif
