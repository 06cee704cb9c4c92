/* libcrypto.h - how this module uses OpenSSL's library; for its own files.
 *
 * libcrypto computes SHA-256 and Ed25519. No configuration file of the machine has a say in that:
 * the first call of the process is ours, and it reads none.
 */
#ifndef LOTTERY_LIBCRYPTO_H
#define LOTTERY_LIBCRYPTO_H

#include "status.h"

/* Before anything else of libcrypto; any number of times. */
void libcrypto_begin(void);

/* What a call of libcrypto fails with that can fail for want of memory only. Forgets libcrypto's
 * own list of errors, so that it does not grow. */
enum status libcrypto_out_of_memory(void);

/* What a call has failed with: NOMEM if libcrypto's list of errors says so, otherwise `status`.
 * Forgets the list, which must have been empty before the call. */
enum status libcrypto_failed(enum status status);

#endif
