#include "ctl_json.h"

#include "ctl_text.h"
#include "utf8_sequence.h"

#include <inttypes.h>
#include <string.h>

#define REPLACEMENT 0xfffd /* stands for what is not UTF-8 */
#define BEYOND_BMP 0x10000

/* The text between quotes, in ASCII alone: nothing in it means something to a terminal. */
static void ctl_json_put_character(FILE *out, uint32_t character)
{
    if (character == '"' || character == '\\')
        (void)fprintf(out, "\\%c", (char)character);
    else if (character >= 0x20 && character < 0x7f)
        (void)fputc((char)character, out);
    else if (character < BEYOND_BMP)
        (void)fprintf(out, "\\u%04" PRIx32, character);
    else
        (void)fprintf(out, "\\u%04" PRIx32 "\\u%04" PRIx32,
                      0xd800 + ((character - BEYOND_BMP) >> 10),
                      0xdc00 + ((character - BEYOND_BMP) & 0x3ff));
}

/* The character at `p`, which is not ASCII; *out_size is how many bytes it has. */
static uint32_t ctl_json_character(const unsigned char *p, size_t left, size_t *out_size)
{
    const size_t size = utf8_sequence_size(p, left);

    if (size == 0) {
        *out_size = 1;
        return REPLACEMENT;
    }
    uint32_t character = p[0] & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++)
        character = character << 6 | (p[i] & 0x3f);
    *out_size = size;
    return character;
}

static void ctl_json_put_text(FILE *out, const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    const size_t size = strlen(text);
    size_t taken = 1;

    (void)fputc('"', out);
    for (size_t at = 0; at < size; at += taken) {
        taken = 1;
        ctl_json_put_character(
            out, bytes[at] < 0x80 ? bytes[at] : ctl_json_character(bytes + at, size - at, &taken));
    }
    (void)fputc('"', out);
}

/* What comes before a value. */
static void ctl_json_begin(struct ctl_json *json, const char *key)
{
    if (json->needs_comma)
        (void)fputc(',', json->out);
    json->needs_comma = true;
    if (key == NULL)
        return;
    ctl_json_put_text(json->out, key);
    (void)fputc(':', json->out);
}

void ctl_json_open(struct ctl_json *json, const char *key, char bracket)
{
    ctl_json_begin(json, key);
    (void)fputc(bracket, json->out);
    json->needs_comma = false;
}

void ctl_json_close(struct ctl_json *json, char bracket)
{
    (void)fputc(bracket, json->out);
    json->needs_comma = true;
}

void ctl_json_text(struct ctl_json *json, const char *key, const char *text)
{
    ctl_json_begin(json, key);
    ctl_json_put_text(json->out, text);
}

void ctl_json_uint(struct ctl_json *json, const char *key, uint64_t value)
{
    ctl_json_begin(json, key);
    (void)fprintf(json->out, "%" PRIu64, value);
}

void ctl_json_bool(struct ctl_json *json, const char *key, bool value)
{
    ctl_json_begin(json, key);
    (void)fputs(value ? "true" : "false", json->out);
}

void ctl_json_null(struct ctl_json *json, const char *key)
{
    ctl_json_begin(json, key);
    (void)fputs("null", json->out);
}

void ctl_json_time(struct ctl_json *json, const char *key, uint64_t seconds)
{
    char text[RFC3339_SIZE];

    rfc3339_format(seconds, text);
    ctl_json_text(json, key, text);
}

void ctl_json_base64(struct ctl_json *json, const char *key, const uint8_t *bytes, size_t size)
{
    ctl_json_begin(json, key);
    (void)fputc('"', json->out);
    ctl_text_print_base64(json->out, bytes, size);
    (void)fputc('"', json->out);
}
