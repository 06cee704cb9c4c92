#include "json_print.h"

#include "json_escape.h"
#include "utf8_sequence.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>

#define PIECE_MAX 32 /* bytes of the longest piece of json_print_format(), with its NUL */

/* Where the text goes. */
struct json_print {
    FILE *file;            /* or NULL */
    struct buffer *buffer; /* or NULL */
    enum status status;    /* NOMEM: the buffer could not grow */
};

static void json_print_put(struct json_print *print, const char *bytes, size_t size)
{
    if (print->file != NULL)
        (void)fwrite(bytes, 1, size, print->file);
    else if (print->status == STATUS_OK)
        print->status = buffer_append(print->buffer, bytes, size);
}

__attribute__((format(printf, 2, 3))) static void json_print_format(struct json_print *print,
                                                                    const char *format, ...)
{
    char piece[PIECE_MAX];
    va_list arguments;

    va_start(arguments, format);
    const int size = vsnprintf(piece, sizeof(piece), format, arguments);
    va_end(arguments);
    json_print_put(print, piece, (size_t)size);
}

/* ------------------------------------------------------------------ strings */

static bool json_print_is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* The character at `p`; *out_size is how many bytes it has. */
static uint32_t json_print_decode(const unsigned char *p, size_t left, size_t *out_size)
{
    *out_size = 1;
    if (p[0] < 0x80)
        return p[0];
    const size_t size = utf8_sequence_size(p, left);
    if (size == 0)
        return JSON_REPLACEMENT;
    *out_size = size;
    return utf8_sequence_character(p, size);
}

static void json_print_string(struct json_print *print, const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0;

    json_print_put(print, "\"", 1);
    while (at < size) {
        size_t end = at;
        while (end < size && json_print_is_plain(bytes[end]))
            end++;
        json_print_put(print, text + at, end - at);
        at = end;
        if (at < size) {
            char escape[JSON_ESCAPE_SIZE];
            size_t taken;
            const uint32_t character = json_print_decode(bytes + at, size - at, &taken);
            json_print_put(print, escape, json_escape(character, escape));
            at += taken;
        }
    }
    json_print_put(print, "\"", 1);
}

/* ------------------------------------------------------------------ values */

static void json_print_value(struct json_print *print, json_t *value);

static void json_print_array(struct json_print *print, const json_t *array)
{
    json_print_put(print, "[", 1);
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            json_print_put(print, ",", 1);
        json_print_value(print, json_array_get(array, i));
    }
    json_print_put(print, "]", 1);
}

/* jansson walks over members in the order in which they were added. */
static void json_print_object(struct json_print *print, json_t *object)
{
    const char *before = "{";

    if (json_object_size(object) == 0)
        json_print_put(print, before, 1);
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        json_print_put(print, before, 1);
        json_print_string(print, json_object_iter_key(at), json_object_iter_key_len(at));
        json_print_put(print, ":", 1);
        json_print_value(print, json_object_iter_value(at));
        before = ",";
    }
    json_print_put(print, "}", 1);
}

static void json_print_value(struct json_print *print, json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_print_object(print, value);
        break;
    case JSON_ARRAY:
        json_print_array(print, value);
        break;
    case JSON_STRING:
        json_print_string(print, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        json_print_format(print, "%" PRIu64, (uint64_t)json_integer_value(value));
        break;
    case JSON_REAL:
        json_print_format(print, "%.15g", json_real_value(value));
        break;
    case JSON_TRUE:
        json_print_put(print, "true", 4);
        break;
    case JSON_FALSE:
        json_print_put(print, "false", 5);
        break;
    case JSON_NULL:
        json_print_put(print, "null", 4);
        break;
    }
}

static enum status json_print_all(json_t *value, struct json_print *print)
{
    if (value == NULL)
        return STATUS_NOMEM;
    json_print_value(print, value);
    json_decref(value);
    return print->status;
}

enum status json_print_file(json_t *value, FILE *out)
{
    return json_print_all(value, &(struct json_print){.file = out});
}

enum status json_print_buffer(json_t *value, struct buffer *out)
{
    return json_print_all(value, &(struct json_print){.buffer = out});
}
