#include "progress.h"

#include "clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE_SIZE 256
#define USUAL_WIDTH 80 /* of a terminal that does not say its own */

void progress_init(struct progress *progress)
{
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");

    *progress = (struct progress){0};
    progress->is_terminal = isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
    progress->is_on = progress->is_terminal && (term == NULL || strcmp(term, "dumb") != 0);
    progress->is_plain = no_color != NULL && no_color[0] != '\0';
}

void progress_begin(struct progress *progress, uint64_t before)
{
    if (progress->has_begun)
        return;
    progress->has_begun = true;
    progress->before = before;
    progress->start_ms = clock_monotonic_ms();
}

void progress_end(struct progress *progress)
{
    if (progress->has_ended)
        return;
    progress->has_ended = true;
    progress->end_ms = clock_monotonic_ms();
}

static uint64_t progress_sent(const struct progress *progress, uint64_t stored)
{
    return progress->has_begun && stored > progress->before ? stored - progress->before : 0;
}

static uint64_t progress_elapsed_ms(const struct progress *progress)
{
    if (!progress->has_begun)
        return 0;
    return (progress->has_ended ? progress->end_ms : clock_monotonic_ms()) - progress->start_ms;
}

static uint64_t progress_rate(const struct progress *progress, uint64_t stored)
{
    uint64_t elapsed = progress_elapsed_ms(progress);

    return elapsed > 0 ? progress_sent(progress, stored) * 1000 / elapsed : 0;
}

/* Characters that fit into a line; a full one would make the cursor go to the next. */
static size_t progress_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return USUAL_WIDTH - 1;
    return size.ws_col - 1U;
}

void progress_show(struct progress *progress, uint64_t stored, uint64_t total, const char *what)
{
    char line[LINE_SIZE];

    if (!progress->is_on)
        return;
    (void)snprintf(line, sizeof(line), "%" PRIu64 "/%" PRIu64 " bets, %" PRIu64 "/s, %s", stored,
                   total, progress_rate(progress, stored), what);
    size_t width = progress_width();
    if (width < sizeof(line))
        line[width] = '\0';
    progress_clear(progress);
    /* The cursor goes back to the line's beginning, so that a log line writes over it. */
    (void)fprintf(stderr, "%s\r", line);
    progress->shown = strlen(line);
}

void progress_clear(struct progress *progress)
{
    if (progress->shown == 0)
        return;
    if (progress->is_plain)
        (void)fprintf(stderr, "\r%*s\r", (int)progress->shown, "");
    else
        (void)fputs("\r\033[K", stderr);
    progress->shown = 0;
}

void progress_sum_up(struct progress *progress, uint64_t stored, uint64_t winners)
{
    uint64_t elapsed = progress_elapsed_ms(progress);

    progress_clear(progress);
    if (!progress->is_terminal)
        return;
    if (progress->before > 0)
        (void)fprintf(stderr, "%" PRIu64 " of ", progress_sent(progress, stored));
    (void)fprintf(
        stderr,
        "%" PRIu64 " bets sent in %" PRIu64 ".%" PRIu64 " s, %" PRIu64 "/s; %" PRIu64 " winners\n",
        stored, elapsed / 1000, elapsed % 1000 / 100, progress_rate(progress, stored), winners);
}
