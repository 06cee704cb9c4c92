#include "readiness.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Adds a line. What does not fit is left away as a whole. */
__attribute__((format(printf, 2, 3))) static void reasons_add(struct errbuf *reasons,
                                                              const char *format, ...)
{
    size_t used = strlen(reasons->text);
    char line[sizeof(reasons->text)];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (size < 0 || used + 1 + (size_t)size >= sizeof(reasons->text))
        return;
    (void)snprintf(reasons->text + used, sizeof(reasons->text) - used, "%s%s", used > 0 ? "\n" : "",
                   line);
}

static void reasons_add_ledger(struct errbuf *reasons, const struct observer_view *view)
{
    if (view->news == NULL || view->has_ledger)
        return;
    if (view->news->phase == DRAW_NEW)
        reasons_add(reasons, "the ledger has not recovered yet");
    else
        reasons_add(reasons, "the ledger is away");
}

static void reasons_add_store(struct errbuf *reasons, const struct observer_view *view)
{
    const enum status status = scoreboard_store_status(view->scoreboard);

    if (view->news != NULL && status != STATUS_OK)
        reasons_add(reasons, "the last bets could not be stored: %s", status_text(status));
}

static void reasons_add_workers(struct errbuf *reasons, const struct scoreboard *scoreboard)
{
    const uint32_t missing = scoreboard->workers - scoreboard_workers_alive(scoreboard);

    if (missing > 0)
        reasons_add(reasons, "%u of %u workers do not accept connections", missing,
                    scoreboard->workers);
}

bool readiness(const struct observer_view *view, struct errbuf *reason)
{
    struct errbuf reasons = {{0}};

    if (view->is_stopping)
        reasons_add(&reasons, "stopping");
    reasons_add_ledger(&reasons, view);
    reasons_add_store(&reasons, view);
    reasons_add_workers(&reasons, view->scoreboard);
    if (reason != NULL)
        *reason = reasons;
    return reasons.text[0] == '\0';
}
