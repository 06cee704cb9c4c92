/* values.h - the texts of settings turned into values, strictly.
 *
 * Nothing is skipped and nothing is guessed: white space, signs, underscores, digits of other
 * scripts and trailing text are all refused. Outputs are written only on success.
 */
#ifndef LOTTERY_VALUES_H
#define LOTTERY_VALUES_H

#include "text.h"

#include <stdbool.h>
#include <stdint.h>

/* Reads ASCII digits alone as a number of min..max. Leading zeros are fine. */
bool value_uint(struct text text, uint64_t min, uint64_t max, uint64_t *out);

/* Reads a duration as Go writes them: a sequence of decimal numbers with a unit each, like
 * "300ms", "1.5h" or "1m30s"; units ns, us, ms, s, m, h; "0" alone needs none. Not negative.
 * The result is in nanoseconds, at most INT64_MAX. */
bool value_duration(struct text text, int64_t *out_ns);

#define VALUE_DURATION_MAX 32 /* room for any printed duration, with its NUL */

/* Prints nanoseconds (>= 0) as Go's time.Duration.String does: "0s", "100ms", "1m30s", "1h0m0s". */
void value_duration_print(int64_t ns, char out[VALUE_DURATION_MAX]);

/* Splits "host:port" at its last colon; "[::1]:80" loses the brackets. The host is not empty and is
 * copied, NUL-terminated, into `host`; the port is 1..65535. */
bool value_address(const char *text, char *host, size_t host_size, uint16_t *port);

#endif
