/* Lines as text, with their time or with a priority for the journal. */
#include "clock.h"
#include "log_format.h"
#include "log_text.h"

#include <stdio.h>

/* A value must not look like another detail or another line. */
static void log_line_add_value(struct log_line *line, const char *value, size_t size)
{
    size_t taken;

    if (line->is_cut)
        return;
    line->size += log_text_copy(line->bytes + line->size, sizeof(line->bytes) - 1 - line->size,
                                value, size, &taken);
    line->is_cut = taken < size;
}

/* The text is cached: it changes only once a second, and formatting it takes longer than the rest
 * of the line. */
static void log_line_add_time(struct log_line *line)
{
    static _Thread_local time_t cached_second = (time_t)-1;
    static _Thread_local char cached[32];
    time_t now = clock_wall_s();

    if (now != cached_second) {
        struct tm local;
        if (localtime_r(&now, &local) == NULL ||
            strftime(cached, sizeof(cached), "%Y-%m-%d %H:%M:%S", &local) == 0)
            memcpy(cached, "0000-00-00 00:00:00", sizeof("0000-00-00 00:00:00"));
        cached_second = now;
    }
    log_line_add_text(line, cached);
}

/* All of a line but what comes before its level. */
static void log_line_add_details(struct log_line *line, const char *action, enum log_result result,
                                 const struct log_field *fields, size_t count)
{
    log_line_add_text(line, "action: ");
    log_line_add_text(line, action);
    log_line_add_text(line, " | result: ");
    log_line_add_text(line, log_result_name(result));
    for (size_t i = 0; i < count; i++) {
        log_line_add_text(line, " | ");
        log_line_add_text(line, fields[i].key);
        log_line_add_text(line, ": ");
        log_line_add_value(line, fields[i].value, fields[i].size);
    }
    log_line_end(line);
}

void log_format_text(struct log_line *line, enum log_level level, const char *action,
                     enum log_result result, const struct log_field *fields, size_t count)
{
    char padded[16];

    log_line_begin(line);
    log_line_add_time(line);
    (void)snprintf(padded, sizeof(padded), " %-8s ", log_level_name(level));
    log_line_add_text(line, padded);
    log_line_add_details(line, action, result, fields, count);
}

/* That of syslog(3): LOG_DEBUG there is 7. */
static int log_priority(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return 7;
    case LOG_INFO:
        return 6;
    case LOG_WARNING:
        return 4;
    case LOG_ERROR:
        return 3;
    case LOG_CRITICAL:
    case LOG_LEVEL_COUNT:
        break;
    }
    return 2;
}

void log_format_journal(struct log_line *line, enum log_level level, const char *action,
                        enum log_result result, const struct log_field *fields, size_t count)
{
    char padded[32];

    log_line_begin(line);
    (void)snprintf(padded, sizeof(padded), "<%d>%-8s ", log_priority(level), log_level_name(level));
    log_line_add_text(line, padded);
    log_line_add_details(line, action, result, fields, count);
}
