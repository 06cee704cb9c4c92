/* backoff.h - how long to wait before the next try: exponential, with jitter, up to a cap.
 *
 * Because of the jitter, a thousand agencies that lost the same server do not reconnect all at
 * once.
 */
#ifndef LOTTERY_BACKOFF_H
#define LOTTERY_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint32_t first_ms;   /* the ceiling of the first wait, > 0 */
    uint32_t max_ms;     /* the highest ceiling, >= first_ms */
    uint32_t ceiling_ms; /* the ceiling of the next wait; 0 = start from first_ms */
};

/* Returns the next wait in milliseconds, between half the ceiling and the ceiling, and doubles the
 * ceiling. Never blocks. */
uint32_t backoff_next_ms(struct backoff *backoff);

/* To be called after a success: the next wait starts from first_ms again. */
void backoff_reset(struct backoff *backoff);

#endif
