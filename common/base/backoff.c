#include "backoff.h"

#include "clock.h"

uint32_t backoff_next_ms(struct backoff *backoff)
{
    uint32_t ceiling = backoff->ceiling_ms == 0 ? backoff->first_ms : backoff->ceiling_ms;
    uint32_t half = ceiling / 2;

    backoff->ceiling_ms = ceiling > backoff->max_ms / 2 ? backoff->max_ms : ceiling * 2;
    return ceiling - half + clock_random() % (half + 1);
}

void backoff_reset(struct backoff *backoff)
{
    backoff->ceiling_ms = 0;
}
