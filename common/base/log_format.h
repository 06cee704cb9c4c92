/* log_format.h - the forms that a line of the log can have; log.c writes it.
 *
 *   text     2024-08-21 22:11:15 INFO     action: NAME | result: success | key: value | ...
 *   json     {"time":"2024-08-21T22:11:15-03:00","level":"INFO","action":"NAME","result":"success",
 *            "key":"value",...}, in one line
 *   journal  <6>INFO     action: NAME | result: success | key: value | ...
 *
 * Text shows local time, and makes values safe with log_text_copy(). JSON has the same keys in the
 * same order, and local time with its offset from UTC (RFC 3339); an integer is a number and all
 * else a string, made safe with log_json_copy(), which keeps what text has to replace. Journal is
 * text for systemd's journal, which has a time of its own and wants a priority in front of the line
 * (sd-daemon(3)).
 *
 * A line that is longer than LOG_LINE_MAX ends there: text within a detail, JSON within a string,
 * or before a detail of which nothing fits, and it is still a whole object.
 */
#ifndef LOTTERY_LOG_FORMAT_H
#define LOTTERY_LOG_FORMAT_H

#include "log_line.h"

/* Puts one line into `line`, with its newline, in place of what was there. The arguments are those
 * of log_write(). */
typedef void (*log_formatter)(struct log_line *line, enum log_level level, const char *action,
                              enum log_result result, const struct log_field *fields, size_t count);

void log_format_text(struct log_line *line, enum log_level level, const char *action,
                     enum log_result result, const struct log_field *fields, size_t count);
void log_format_json(struct log_line *line, enum log_level level, const char *action,
                     enum log_result result, const struct log_field *fields, size_t count);
void log_format_journal(struct log_line *line, enum log_level level, const char *action,
                        enum log_result result, const struct log_field *fields, size_t count);

#endif
