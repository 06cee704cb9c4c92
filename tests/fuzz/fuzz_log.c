/* Lines of the log with foreign values, in each of their forms: each is one line of valid UTF-8
 * without anything that could pass for another detail or change how the line is shown. One in JSON
 * is an object with the keys in their order, and whoever reads it gets the same values again. */
#include "fuzz.h"
#include "log.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FIELDS 3 /* with a text; one with a number follows */
#define TIME_SIZE strlen("2024-08-21T22:11:15-03:00")

static int out_fd; /* in memory; stdout while a line is written */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    out_fd = memfd_create("log", 0);
    return out_fd < 0;
}

/* The first character; its size is 0 if it is not valid. Decodes first, and then checks that it was
 * the shortest way to write the character. */
static uint32_t try_decode(const unsigned char *p, size_t left, size_t *size)
{
    static const uint32_t min[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = p[0] < 0x80       ? 1
                    : p[0] >> 5 == 6  ? 2
                    : p[0] >> 4 == 14 ? 3
                    : p[0] >> 3 == 30 ? 4
                                      : 0;

    *size = 0;
    if (length == 0 || length > left)
        return 0;
    uint32_t c = length == 1 ? p[0] : p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c >= min[length] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff))
        *size = length;
    return c;
}

/* The same; ends the run when it is not valid. */
static uint32_t decode(const unsigned char *p, size_t left, size_t *size)
{
    uint32_t c = try_decode(p, left, size);

    FUZZ_CHECK(*size > 0);
    return c;
}

static void check_character(uint32_t c)
{
    FUZZ_CHECK(c >= 0x20 && (c < 0x7f || c > 0x9f));
    FUZZ_CHECK(c < 0x2028 || c > 0x202e);
    FUZZ_CHECK(c < 0x2066 || c > 0x2069);
    FUZZ_CHECK(c != 0x200e && c != 0x200f && c != 0x61c && c != 0xfeff);
}

/* One line, and not a byte more. */
static void check_end(const unsigned char *line, size_t size)
{
    FUZZ_CHECK(size > 0 && size <= LOG_LINE_MAX && line[size - 1] == '\n');
    FUZZ_CHECK(memchr(line, '\n', size - 1) == NULL);
}

static void check_text(const unsigned char *line, size_t size)
{
    unsigned bars = 0;

    check_end(line, size);
    for (size_t at = 0, taken; at < size - 1; at += taken) {
        uint32_t c = decode(line + at, size - 1 - at, &taken);
        check_character(c);
        bars += c == '|';
    }
    /* Of a line that was cut, the last details may be missing. */
    FUZZ_CHECK(bars <= FIELDS + 2 && (bars == FIELDS + 2 || size > LOG_LINE_MAX - 8));
}

/* What is left of a line in JSON. */
struct json {
    const unsigned char *at;
    size_t left;
};

static bool json_skip(struct json *json, const char *expected, size_t size)
{
    if (size > json->left || memcmp(json->at, expected, size) != 0)
        return false;
    json->at += size;
    json->left -= size;
    return true;
}

static void json_expect(struct json *json, const char *expected)
{
    FUZZ_CHECK(json_skip(json, expected, strlen(expected)));
}

static uint32_t json_hex(struct json *json)
{
    char digits[5] = "";
    char *end;

    FUZZ_CHECK(json->left >= 4);
    memcpy(digits, json->at, 4);
    FUZZ_CHECK(strspn(digits, "0123456789abcdef") == 4);
    json->at += 4;
    json->left -= 4;
    return (uint32_t)strtoul(digits, &end, 16);
}

/* The next character of a string, which stands as it is or is escaped. */
static uint32_t json_character(struct json *json)
{
    size_t taken;
    uint32_t c = decode(json->at, json->left, &taken);

    if (!json_skip(json, "\\", 1)) {
        check_character(c);
        json->at += taken;
        json->left -= taken;
        return c;
    }
    if (json_skip(json, "\"", 1))
        return '"';
    if (json_skip(json, "\\", 1))
        return '\\';
    json_expect(json, "u");
    c = json_hex(json);
    if (c < 0xd800 || c > 0xdfff)
        return c;
    json_expect(json, "\\u");
    uint32_t low = json_hex(json);
    FUZZ_CHECK(c <= 0xdbff && low >= 0xdc00 && low <= 0xdfff);
    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* A string, after its first quote: the value, or as much of it as there was room for. Returns
 * whether it was all. */
static bool json_check_string(struct json *json, const struct log_field *field)
{
    const unsigned char *value = (const unsigned char *)field->value;
    size_t at = 0;

    while (!json_skip(json, "\"", 1)) {
        size_t taken;
        FUZZ_CHECK(at < field->size && json->left > 0);
        uint32_t expected = try_decode(value + at, field->size - at, &taken);
        FUZZ_CHECK(json_character(json) == (taken > 0 ? expected : 0xfffd));
        at += taken > 0 ? taken : 1;
    }
    return at == field->size;
}

static void check_json(const unsigned char *line, size_t size, const struct log_field *fields)
{
    struct json json = {line, size - 1};
    bool is_whole = true;

    check_end(line, size);
    json_expect(&json, "{\"time\":\"");
    FUZZ_CHECK(json.left > TIME_SIZE);
    json.at += TIME_SIZE;
    json.left -= TIME_SIZE;
    json_expect(&json, "\",\"level\":\"ERROR\",\"action\":\"action\",\"result\":\"fail\"");
    for (unsigned i = 0; i <= FIELDS && json.left > 1; i++) {
        FUZZ_CHECK(is_whole); /* nothing follows a cut */
        json_expect(&json, ",\"");
        json_expect(&json, fields[i].key);
        json_expect(&json, "\":");
        if (fields[i].is_number)
            FUZZ_CHECK(json_skip(&json, fields[i].value, fields[i].size));
        else if (json_skip(&json, "\"", 1))
            is_whole = json_check_string(&json, &fields[i]);
        is_whole = is_whole && (i == FIELDS || json.left > 1);
    }
    json_expect(&json, "}");
    FUZZ_CHECK(json.left == 0 && (is_whole || size > LOG_LINE_MAX - 40));
}

/* Writes one line and reads what has reached stdout. */
static size_t write_line(enum log_format format, const struct log_field *fields,
                         unsigned char *line, size_t size)
{
    int saved = dup(STDOUT_FILENO);

    FUZZ_CHECK(saved >= 0 && dup2(out_fd, STDOUT_FILENO) == STDOUT_FILENO);
    FUZZ_CHECK(ftruncate(out_fd, 0) == 0 && lseek(out_fd, 0, SEEK_SET) == 0);
    log_set_format(format);
    log_write(LOG_ERROR, "action", LOG_FAIL, fields, FIELDS + 1);
    FUZZ_CHECK(dup2(saved, STDOUT_FILENO) == STDOUT_FILENO && close(saved) == 0);
    ssize_t got = pread(out_fd, line, size, 0);
    FUZZ_CHECK(got >= 0);
    return (size_t)got;
}

static void check_formats(const struct log_field *fields)
{
    unsigned char line[2 * LOG_LINE_MAX];

    check_text(line, write_line(LOG_FORMAT_TEXT, fields, line, sizeof(line)));
    size_t size = write_line(LOG_FORMAT_JOURNAL, fields, line, sizeof(line));
    check_text(line, size);
    FUZZ_CHECK(memcmp(line, "<3>ERROR    action: ", 20) == 0);
    check_json(line, write_line(LOG_FORMAT_JSON, fields, line, sizeof(line)), fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[FIELDS] = {"a", "key", "a_longer_key"};
    struct log_field fields[FIELDS + 1];
    char *copies[FIELDS]; /* of their own, so that a read beyond one is seen */
    size_t from = 0;

    for (unsigned i = 0; i < FIELDS; i++) {
        size_t end = size * (i + 1) / FIELDS;
        copies[i] = malloc(end - from + (end == from));
        FUZZ_CHECK(copies[i] != NULL);
        if (end > from)
            memcpy(copies[i], data + from, end - from);
        fields[i] = LOG_SIZED(keys[i], copies[i], end - from);
        from = end;
    }
    fields[FIELDS] = LOG_UINT("n", (uint64_t)size * size * size * size);
    check_formats(fields);
    for (unsigned i = 0; i < FIELDS; i++)
        free(copies[i]);
    return 0;
}
