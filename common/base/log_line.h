/* log_line.h - a line of the log under construction. */
#ifndef LOTTERY_LOG_LINE_H
#define LOTTERY_LOG_LINE_H

#include "log.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct log_line {
    char bytes[LOG_LINE_MAX];
    size_t size; /* bytes so far */
    bool is_cut; /* something did not fit; nothing more is added */
};

static inline void log_line_begin(struct log_line *line)
{
    line->size = 0;
    line->is_cut = false;
}

/* Adds as many bytes as fit. Keeps one byte free for the newline. */
static inline void log_line_add(struct log_line *line, const char *bytes, size_t size)
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

static inline void log_line_add_text(struct log_line *line, const char *text)
{
    log_line_add(line, text, strlen(text));
}

/* Once, at the end: there is room. */
static inline void log_line_end(struct log_line *line)
{
    line->bytes[line->size++] = '\n';
}

/* "success", "fail" or "in_progress". Static. */
const char *log_result_name(enum log_result result);

#endif
