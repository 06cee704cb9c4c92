#include "log.h"

#include "log_format.h"
#include "log_line.h"
#include "log_output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    log_formatter formatter;
} formats[] = {
    [LOG_FORMAT_TEXT] = {"text", log_format_text},
    [LOG_FORMAT_JSON] = {"json", log_format_json},
    [LOG_FORMAT_JOURNAL] = {"journal", log_format_journal},
};
static enum log_level lowest = LOG_INFO;
static log_formatter format_line = log_format_text;
static _Thread_local struct held {
    char bytes[LOG_LINE_MAX]; /* whole lines */
    size_t size;
    bool is_holding;
} held;

_Static_assert(LOG_LINE_MAX <= LOG_WRITE_MAX, "a line is written whole");

static struct log_line hidden_failure; /* the last one that the level has hidden; empty: none */

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

void log_set_format(enum log_format format)
{
    format_line = formats[format].formatter;
}

bool log_set_format_by_name(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(name, formats[i].name) == 0) {
            format_line = formats[i].formatter;
            return true;
        }
    }
    return false;
}

const char *log_format_name(enum log_format format)
{
    return (unsigned)format < sizeof(formats) / sizeof(formats[0]) ? formats[format].name : "?";
}

static void log_write_lines(const char *lines, size_t size)
{
    if (log_output_dropped() > 0) {
        const struct log_field omitted = LOG_UINT("omitted", log_output_dropped());
        struct log_line line;
        format_line(&line, LOG_ERROR, "log", LOG_FAIL, &omitted, 1);
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
static void log_hold_line(const struct log_line *line)
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
    struct log_line line;

    if (!log_wanted(level, result))
        return;
    format_line(&line, level, action, result, fields, count);
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
    return (struct log_field){key, value == NULL ? "" : value, value == NULL ? 0 : size, false};
}

struct log_field log_field_uint(const char *key, uint64_t value, struct log_number *out)
{
    char *end = out->digits + sizeof(out->digits);
    char *at = end;

    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return (struct log_field){key, at, (size_t)(end - at), true};
}

struct log_field log_field_int(const char *key, int64_t value, struct log_number *out)
{
    (void)snprintf(out->digits, sizeof(out->digits), "%lld", (long long)value);
    return (struct log_field){key, out->digits, strlen(out->digits), true};
}
