/* agency_tls.h - what an agency does about TLS besides connecting.
 */
#ifndef LOTTERY_AGENCY_TLS_H
#define LOTTERY_AGENCY_TLS_H

#include "agency.h"

#include <stddef.h>
#include <stdint.h>

struct tls_context; /* tls_context.h */

/* Reads certificate, key and authority that the settings name, and logs that it has, or why it
 * cannot; a certificate that is out of its time is only warned of, because the central decides.
 * Without TLS in the settings *out is NULL, and nothing is logged. Otherwise the caller ends it
 * with tls_context_destroy(). Blocks for the disk. On failure returns the program's exit status. */
enum agency_exit agency_tls_open(const struct client_settings *settings, struct tls_context **out);

/* Why an agency without TLS cannot go on when a connection begins with these bytes: they are an
 * alert of TLS. NULL: they are not. Static. */
const char *agency_tls_hint(const uint8_t *data, size_t size);

#endif
