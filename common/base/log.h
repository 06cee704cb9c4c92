/* log.h - log lines for people and scripts.
 *
 *   2024-08-21 22:11:15 INFO     action: NAME | result: success | key: value | ...
 *
 * A line is written to stdout immediately and in one write, so that lines of several processes
 * never mix and nothing is lost when the process dies. log_set_format() chooses another form than
 * the one above (log_format.h). What stdout does not take is kept, and written later
 * (log_output.h). If the file is full, or stdout fails in another way, lines are
 * dropped; "action: log | result: fail | omitted: N" says how many when it works again. A line has
 * at most LOG_LINE_MAX bytes; a longer one is cut but keeps its newline.
 */
#ifndef LOTTERY_LOG_H
#define LOTTERY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX 4096 /* bytes, with the newline; as much as goes into one write */

#define LOG_LEVEL_MAP(XX) XX(DEBUG) XX(INFO) XX(WARNING) XX(ERROR) XX(CRITICAL)

enum log_level {
#define XX(name) LOG_##name,
    LOG_LEVEL_MAP(XX)
#undef XX
        LOG_LEVEL_COUNT
};

/* The three results that a line can have. */
enum log_result { LOG_SUCCESS, LOG_FAIL, LOG_IN_PROGRESS };

/* The forms of a line; their names are in the same order. */
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL };
#define LOG_FORMAT_NAMES "text|json|journal"

/* Lines below `level` are dropped from now on. The default is INFO. */
void log_set_level(enum log_level level);

/* Would a line of this level be written? Lets callers skip expensive formatting. */
bool log_enabled(enum log_level level);

/* The same, or would it be kept for log_tell_hidden_failure()? */
bool log_wanted(enum log_level level, enum log_result result);

/* "DEBUG", ...; "?" when `level` is not one. Static. */
const char *log_level_name(enum log_level level);

/* Finds the level with that name, ignoring case. Returns false when there is none; then *out is
 * unchanged. */
bool log_level_from_name(const char *name, enum log_level *out);

/* Lines have this form from now on. The default is LOG_FORMAT_TEXT. */
void log_set_format(enum log_format format);

/* The same by the format's name. Returns false when there is none of that name, or `name` is NULL;
 * then nothing changes. */
bool log_set_format_by_name(const char *name);

/* "text", ...; "?" when `format` is not one. Static. */
const char *log_format_name(enum log_format format);

/* One detail of a line. The value is borrowed during the call; NULL counts as empty. */
struct log_field {
    const char *key;   /* letters, digits and _; not time, level, action or result */
    const char *value; /* foreign text: made safe when written */
    size_t size;       /* bytes of value */
    bool is_number;    /* the value is an integer in decimal digits */
};

/* Writes one line: action, result, then the details in order. The action is a word like the keys.
 * Keeps errno. */
void log_write(enum log_level level, const char *action, enum log_result result,
               const struct log_field *fields, size_t count);

/* Writes the last line of level ERROR about a failure to stderr, if the level has hidden it: for a
 * program that ends because of it. */
void log_tell_hidden_failure(void);

/* From log_hold() to log_release() this thread collects its lines and writes several whole lines
 * at a time. For a caller that is about to write many. Must not be nested. If another thread ends
 * the process in between, the collected lines are lost. */
void log_hold(void);
void log_release(void);

/* Space for a number as text within an expression; lives until the end of the enclosing block. */
struct log_number {
    char digits[24];
};
struct log_field log_field_text(const char *key, const char *value);
struct log_field log_field_size(const char *key, const char *value, size_t size);
struct log_field log_field_uint(const char *key, uint64_t value, struct log_number *out);
struct log_field log_field_int(const char *key, int64_t value, struct log_number *out);

/* The arguments are evaluated only when lines of that level are written.
 * LOG(INFO, "action", SUCCESS, LOG_TEXT("ip", ip), LOG_UINT("cantidad", n)) */
#define LOG(level, action, result, ...)                                                            \
    do {                                                                                           \
        if (log_wanted(LOG_##level, LOG_##result)) {                                               \
            const struct log_field log_fields_[] = {{NULL, NULL, 0, false}, ##__VA_ARGS__};        \
            log_write(LOG_##level, action, LOG_##result, log_fields_ + 1,                          \
                      sizeof(log_fields_) / sizeof(log_fields_[0]) - 1);                           \
        }                                                                                          \
    } while (0)
#define LOG_TEXT(key, value) log_field_text(key, value)
#define LOG_SIZED(key, value, size) log_field_size(key, value, size)
#define LOG_UINT(key, value) log_field_uint(key, value, &(struct log_number){{0}})
#define LOG_INT(key, value) log_field_int(key, value, &(struct log_number){{0}})

#endif
