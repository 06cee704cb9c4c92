/* values.h - converts the text of settings into values, strictly.
 *
 * Nothing is skipped or guessed: white space, signs, underscores, digits of other scripts and
 * trailing text are all refused. Outputs are written only on success.
 */
#ifndef LOTTERY_VALUES_H
#define LOTTERY_VALUES_H

#include "text.h"

#include <stdbool.h>
#include <stdint.h>

/* Reads a number of min..max: ASCII digits only, leading zeros are allowed. */
bool value_uint(struct text text, uint64_t min, uint64_t max, uint64_t *out);

/* Reads a duration in Go's notation: a sequence of decimal numbers, each with a unit, like "300ms",
 * "1.5h" or "1m30s"; the units are ns, us, ms, s, m, h; "0" needs no unit. Not negative. The result
 * is in nanoseconds, at most INT64_MAX. */
bool value_duration(struct text text, int64_t *out_ns);

#define VALUE_DURATION_MAX 32 /* bytes of any printed duration, including its NUL */

/* Prints nanoseconds (>= 0) as Go's time.Duration.String does: "0s", "100ms", "1m30s", "1h0m0s". */
void value_duration_print(int64_t ns, char out[VALUE_DURATION_MAX]);

/* Splits "host:port" at its last colon; the brackets of "[::1]:80" are removed. The host must not
 * be empty and is copied, NUL-terminated, into `host`; the port must be 1..65535. */
bool value_address(const char *text, char *host, size_t host_size, uint16_t *port);

#define VALUE_ADDRESSES_MAX 8 /* in a list */
#define VALUE_HOST_SIZE 512   /* bytes of a host in a list at most, including its NUL */

/* Takes the first address of a list, "host:port,host:port", where spaces may follow a comma, and
 * moves *list to the next one, or to the end. False when it is no address, or when nothing follows
 * its comma; then nothing is written. */
bool value_address_next(const char **list, char *host, size_t host_size, uint16_t *port);

#define VALUE_IP_SIZE 46 /* bytes of any IP address, including its NUL */

/* Reads where to listen: "IP:PORT", with an IPv6 address in brackets, or "PORT" alone, which means
 * 127.0.0.1. The port is 0..65535. */
bool value_listen_address(const char *text, char ip[VALUE_IP_SIZE], uint16_t *port);

/* Is the text a list of 1..VALUE_ADDRESSES_MAX addresses? */
bool value_is_address_list(const char *text);

#endif
