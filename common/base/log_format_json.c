/* Lines as JSON objects (RFC 8259). */
#include "clock.h"
#include "log_format.h"
#include "log_json.h"
#include "rfc3339.h"

#define END "}" /* after the last detail */

/* Cached, like that of text. */
static void log_json_add_time(struct log_line *line)
{
    static _Thread_local time_t cached_second = (time_t)-1;
    static _Thread_local char cached[RFC3339_LOCAL_SIZE];
    time_t now = clock_wall_s();

    if (now != cached_second) {
        struct tm local;
        long offset_s = localtime_r(&now, &local) != NULL ? local.tm_gmtoff : 0;
        rfc3339_format_local(now > 0 ? (uint64_t)now : 0, offset_s / 60, cached);
        cached_second = now;
    }
    log_line_add_text(line, cached);
}

/* Only as a whole, but for the end of a string. */
static void log_json_add_field(struct log_line *line, const struct log_field *field)
{
    const size_t room = sizeof(line->bytes) - sizeof(END) - line->size; /* and the newline */
    const size_t key_size = strlen(field->key);
    const size_t needed = key_size + strlen(",\"\":") + (field->is_number ? field->size : 2);
    size_t taken = 0;

    if (line->is_cut || needed > room) {
        line->is_cut = true;
        return;
    }
    log_line_add_text(line, ",\"");
    log_line_add(line, field->key, key_size);
    log_line_add_text(line, "\":");
    if (field->is_number) {
        log_line_add(line, field->value, field->size);
        return;
    }
    line->bytes[line->size++] = '"';
    line->size +=
        log_json_copy(line->bytes + line->size, room - needed, field->value, field->size, &taken);
    line->bytes[line->size++] = '"';
    line->is_cut = taken < field->size;
}

void log_format_json(struct log_line *line, enum log_level level, const char *action,
                     enum log_result result, const struct log_field *fields, size_t count)
{
    log_line_begin(line);
    log_line_add_text(line, "{\"time\":\"");
    log_json_add_time(line);
    log_line_add_text(line, "\",\"level\":\"");
    log_line_add_text(line, log_level_name(level));
    log_line_add_text(line, "\",\"action\":\"");
    log_line_add_text(line, action);
    log_line_add_text(line, "\",\"result\":\"");
    log_line_add_text(line, log_result_name(result));
    log_line_add_text(line, "\"");
    for (size_t i = 0; i < count; i++)
        log_json_add_field(line, &fields[i]);
    line->is_cut = false; /* there is room for the end */
    log_line_add_text(line, END);
    log_line_end(line);
}
