/* assertion.h - what must hold, also in release builds.
 *
 * For what only a mistake in this program can break: at the boundaries of modules, and for what
 * types cannot say. Never for what a peer, a file or a user can cause; that is an error.
 */
#ifndef LOTTERY_ASSERTION_H
#define LOTTERY_ASSERTION_H

/* Ends the process with SIGABRT, after a log line that says where and what, unless `condition`
 * holds. */
#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            assertion_failed(#condition, __FILE__, __LINE__);                                      \
    } while (0)

/* What a false ASSERT calls. */
void assertion_failed(const char *condition, const char *file, unsigned line)
    __attribute__((noreturn, cold));

#endif
