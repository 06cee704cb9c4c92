/* rfc3339.h - points in time as people and files write them: 2026-11-25T21:00:00Z (RFC 3339).
 *
 * Both directions are of our own and depend neither on the time zone nor on the locale. They reach
 * from 1970 to 9999.
 */
#ifndef LOTTERY_RFC3339_H
#define LOTTERY_RFC3339_H

#include "errbuf.h"
#include "status.h"
#include "text.h"

#include <stdint.h>

#define RFC3339_SIZE 21                       /* bytes of a formatted time, including its NUL */
#define RFC3339_LAST_S UINT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* Writes seconds since 1970 as a time in UTC, whole seconds, with a NUL. A time after
 * RFC3339_LAST_S is written as that one. */
void rfc3339_format(uint64_t seconds, char out[RFC3339_SIZE]);

#define RFC3339_LOCAL_SIZE 26 /* bytes of a time with an offset, including its NUL */

/* The same in the local time that is `offset_min` minutes ahead of UTC, which may be negative, with
 * that offset at the end: 2026-11-25T18:00:00-03:00. A local time before 1970, and an offset of a
 * day or more, is written as UTC, +00:00. */
void rfc3339_format_local(uint64_t seconds, long offset_min, char out[RFC3339_LOCAL_SIZE]);

/* Reads a time with its offset from UTC, `Z` or `+hh:mm` or `-hh:mm`, as seconds since 1970. `T`
 * and `Z` may be small letters. A fraction of a second is allowed and cut off. The offset -00:00
 * is read as Z.
 *
 * STATUS_INVALID: not such a text, no offset, a date or a time of day that does not exist (the
 * second 60 is refused, also where there was a leap second), before 1970 or after RFC3339_LAST_S;
 * `err` says which. Then *seconds is unchanged. */
enum status rfc3339_parse(struct text text, uint64_t *seconds, struct errbuf *err);

#endif
