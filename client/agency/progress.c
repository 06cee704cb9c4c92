#include "progress.h"

#include "clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void progress_init(struct progress *progress)
{
    progress->is_on = isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
    progress->is_shown = false;
    progress->start_ms = clock_monotonic_ms();
}

void progress_show(struct progress *progress, uint64_t sent, uint64_t total, const char *what)
{
    if (!progress->is_on)
        return;
    uint64_t elapsed = clock_monotonic_ms() - progress->start_ms;
    uint64_t rate = elapsed > 0 ? sent * 1000 / elapsed : 0;
    /* The cursor goes back to the line's beginning, so that a log line writes over it. */
    (void)fprintf(stderr, "\r\033[K%" PRIu64 "/%" PRIu64 " bets, %" PRIu64 "/s, %s\r", sent, total,
                  rate, what);
    progress->is_shown = true;
}

void progress_clear(struct progress *progress)
{
    if (progress->is_shown)
        (void)fputs("\r\033[K", stderr);
    progress->is_shown = false;
}
