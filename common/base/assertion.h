/* assertion.h - assertions, which release builds keep.
 *
 * For conditions that only a mistake in this program can break: at the boundaries of modules, and
 * for rules that types cannot express. Never for what a peer, a file or a user can cause; that is
 * an error.
 */
#ifndef LOTTERY_ASSERTION_H
#define LOTTERY_ASSERTION_H

/* Unless `condition` holds, ends the process with SIGABRT, after a log line that has the condition,
 * the file and the line. */
#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            assertion_failed(#condition, __FILE__, __LINE__);                                      \
    } while (0)

/* Called by a false ASSERT. Does not return. */
void assertion_failed(const char *condition, const char *file, unsigned line)
    __attribute__((noreturn, cold));

#endif
