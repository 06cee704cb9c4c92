/* log_limit.h - lines that a peer can cause as often as it likes.
 *
 * Of one kind of line, a process writes a burst and then LOG_LIMIT_PER_S a second. Others are
 * counted, and LOG_LIMIT_TELL_MS after the first one a line of the same kind says how many:
 *
 *   ... ERROR    action: apuesta_recibida | result: fail | omitted: 91822
 *
 * Not for lines that people count, such as those about stored bets.
 */
#ifndef LOTTERY_LOG_LIMIT_H
#define LOTTERY_LOG_LIMIT_H

#include "log.h"

#define LOG_BURST 1000 /* lines; more than a person or a test causes */
#define LOG_LIMIT_PER_S 10
#define LOG_LIMIT_TELL_MS UINT64_C(5000)

/* One kind of line. To be static, and zeroed but for `burst`. */
struct log_limit {
    uint32_t burst;       /* lines that may be written at once */
    uint32_t used;        /* of them, since they were last given back */
    uint64_t back_ms;     /* monotonic: until when they were given back */
    uint64_t omitted;     /* lines, not told yet */
    enum log_level level; /* of the lines; this and the next two are for the one that tells */
    const char *action;   /* static */
    enum log_result result;
    struct log_limit *next; /* of those that have omitted lines; only if omitted > 0 */
};

/* Could a line be written now? */
bool log_limit_has_room(struct log_limit *limit);

/* May this line be written? If not, it is counted. */
bool log_limit_take(struct log_limit *limit, enum log_level level, const char *action,
                    enum log_result result);

/* Says of all kinds how many lines were omitted: at the end of a process. */
void log_limits_tell(void);

/* In a process that was just forked: what its parent has omitted is the parent's to tell. */
void log_limits_forked(void);

/* As LOG, but at most `burst_size` lines at once from this place in the code. */
#define LOG_LIMITED(burst_size, level, action, result, ...)                                        \
    do {                                                                                           \
        static struct log_limit log_limit_ = {.burst = (burst_size)};                              \
        if (log_enabled(LOG_##level) &&                                                            \
            log_limit_take(&log_limit_, LOG_##level, action, LOG_##result)) {                      \
            const struct log_field log_fields_[] = {{NULL, NULL, 0, false}, ##__VA_ARGS__};        \
            log_write(LOG_##level, action, LOG_##result, log_fields_ + 1,                          \
                      sizeof(log_fields_) / sizeof(log_fields_[0]) - 1);                           \
        }                                                                                          \
    } while (0)

#endif
