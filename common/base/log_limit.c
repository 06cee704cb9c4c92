#include "log_limit.h"

#include "clock.h"
#include "log_output.h"

#include <stddef.h>

#define GIVE_BACK_MS (1000 / LOG_LIMIT_PER_S)

static struct log_limit *omitting; /* those that have omitted lines */
static uint64_t omitting_since_ms; /* monotonic: when the first of them did */

/* Gives back what time has earned. */
static void log_limit_give_back(struct log_limit *limit)
{
    uint64_t now = clock_monotonic_ms();
    uint64_t earned = (now - limit->back_ms) / GIVE_BACK_MS;

    if (earned >= limit->used) {
        limit->used = 0;
        limit->back_ms = now;
    } else {
        limit->used -= (uint32_t)earned;
        limit->back_ms += earned * GIVE_BACK_MS;
    }
}

bool log_limit_has_room(struct log_limit *limit)
{
    log_limit_give_back(limit);
    return limit->used < limit->burst;
}

static void log_limit_tell(struct log_limit *limit)
{
    const struct log_field field = LOG_UINT("omitted", limit->omitted);

    limit->omitted = 0;
    log_write(limit->level, limit->action, limit->result, &field, 1);
}

void log_limits_tell(void)
{
    while (omitting != NULL) {
        struct log_limit *limit = omitting;
        omitting = limit->next;
        log_limit_tell(limit);
    }
}

void log_limits_forked(void)
{
    for (; omitting != NULL; omitting = omitting->next)
        omitting->omitted = 0;
}

static void log_limit_omit(struct log_limit *limit)
{
    if (limit->omitted++ > 0)
        return;
    limit->next = omitting;
    if (omitting == NULL) {
        omitting_since_ms = clock_monotonic_ms();
        log_output_call_later(LOG_LIMIT_TELL_MS, log_limits_tell);
    }
    omitting = limit;
}

bool log_limit_take(struct log_limit *limit, enum log_level level, const char *action,
                    enum log_result result)
{
    /* Where nothing calls later, the next such line has to do. */
    if (omitting != NULL && clock_monotonic_ms() - omitting_since_ms >= 2 * LOG_LIMIT_TELL_MS)
        log_limits_tell();
    if (log_limit_has_room(limit)) {
        limit->used++;
        return true;
    }
    limit->level = level;
    limit->action = action;
    limit->result = result;
    log_limit_omit(limit);
    return false;
}
