#include "log.h"

#include "clock.h"
#include "log_output.h"
#include "log_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const level_names[LOG_LEVEL_COUNT] = {
#define XX(name) #name,
    LOG_LEVEL_MAP(XX)
#undef XX
};
static const char *const result_names[] = {"success", "fail", "in_progress"};
static enum log_level lowest = LOG_INFO;
static _Thread_local struct held {
    char bytes[LOG_LINE_MAX]; /* whole lines */
    size_t size;
    bool is_holding;
} held;

/* A line under construction. */
struct line {
    char bytes[LOG_LINE_MAX];
    size_t size;
    bool is_cut; /* something did not fit; nothing more is added */
};

_Static_assert(LOG_LINE_MAX <= LOG_WRITE_MAX, "a line is written whole");

static struct line hidden_failure; /* the last one that the level has hidden; empty: none */

void log_set_level(enum log_level level)
{
    lowest = level;
}

bool log_enabled(enum log_level level)
{
    return level >= lowest;
}

bool log_wanted(enum log_level level, enum log_result result)
{
    return log_enabled(level) || (level >= LOG_ERROR && result == LOG_FAIL);
}

const char *log_level_name(enum log_level level)
{
    return (unsigned)level < LOG_LEVEL_COUNT ? level_names[level] : "?";
}

bool log_level_from_name(const char *name, enum log_level *out)
{
    for (unsigned level = 0; level < LOG_LEVEL_COUNT; level++) {
        if (strcasecmp(name, level_names[level]) == 0) {
            *out = (enum log_level)level;
            return true;
        }
    }
    return false;
}

/* Keeps one byte free for the newline. */
static void log_line_add(struct line *line, const char *bytes, size_t size)
{
    size_t left = sizeof(line->bytes) - 1 - line->size;

    if (line->is_cut)
        return;
    if (size > left) {
        line->is_cut = true;
        size = left;
    }
    memcpy(line->bytes + line->size, bytes, size);
    line->size += size;
}

static void log_line_add_text(struct line *line, const char *text)
{
    log_line_add(line, text, strlen(text));
}

/* A value must not look like another detail or another line. */
static void log_line_add_value(struct line *line, const char *value, size_t size)
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
static void log_line_add_time(struct line *line)
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

static void log_format(struct line *line, enum log_level level, const char *action,
                       enum log_result result, const struct log_field *fields, size_t count)
{
    char padded[16];

    line->size = 0;
    line->is_cut = false;
    log_line_add_time(line);
    (void)snprintf(padded, sizeof(padded), " %-8s ", log_level_name(level));
    log_line_add_text(line, padded);
    log_line_add_text(line, "action: ");
    log_line_add_text(line, action);
    log_line_add_text(line, " | result: ");
    log_line_add_text(line, result_names[result]);
    for (size_t i = 0; i < count; i++) {
        log_line_add_text(line, " | ");
        log_line_add_text(line, fields[i].key);
        log_line_add_text(line, ": ");
        log_line_add_value(line, fields[i].value, fields[i].size);
    }
    line->bytes[line->size++] = '\n';
}

static void log_write_lines(const char *lines, size_t size)
{
    if (log_output_dropped() > 0) {
        const struct log_field omitted = LOG_UINT("omitted", log_output_dropped());
        struct line line;
        log_format(&line, LOG_ERROR, "log", LOG_FAIL, &omitted, 1);
        log_output_tell_dropped(line.bytes, line.size);
    }
    log_output_write(lines, size);
}

static void log_write_held(void)
{
    if (held.size > 0)
        log_write_lines(held.bytes, held.size);
    held.size = 0;
}

void log_hold(void)
{
    held.is_holding = true;
}

void log_release(void)
{
    held.is_holding = false;
    log_write_held();
}

/* One write is never larger than what a pipe takes atomically. */
static void log_hold_line(const struct line *line)
{
    if (line->size > sizeof(held.bytes) - held.size)
        log_write_held();
    memcpy(held.bytes + held.size, line->bytes, line->size);
    held.size += line->size;
}

void log_write(enum log_level level, const char *action, enum log_result result,
               const struct log_field *fields, size_t count)
{
    int saved_errno = errno;
    struct line line;

    if (!log_wanted(level, result))
        return;
    log_format(&line, level, action, result, fields, count);
    if (!log_enabled(level))
        hidden_failure = line;
    else if (held.is_holding)
        log_hold_line(&line);
    else
        log_write_lines(line.bytes, line.size);
    errno = saved_errno;
}

void log_tell_hidden_failure(void)
{
    if (hidden_failure.size > 0)
        (void)fwrite(hidden_failure.bytes, 1, hidden_failure.size, stderr);
    hidden_failure.size = 0;
}

struct log_field log_field_text(const char *key, const char *value)
{
    return log_field_size(key, value, value == NULL ? 0 : strlen(value));
}

struct log_field log_field_size(const char *key, const char *value, size_t size)
{
    return (struct log_field){key, value == NULL ? "" : value, value == NULL ? 0 : size};
}

struct log_field log_field_uint(const char *key, uint64_t value, struct log_number *out)
{
    char *end = out->digits + sizeof(out->digits);
    char *at = end;

    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return log_field_size(key, at, (size_t)(end - at));
}

struct log_field log_field_int(const char *key, int64_t value, struct log_number *out)
{
    (void)snprintf(out->digits, sizeof(out->digits), "%lld", (long long)value);
    return log_field_text(key, out->digits);
}
