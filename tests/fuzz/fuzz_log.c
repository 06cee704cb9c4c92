/* Lines of the log with foreign values: each is one line of valid UTF-8 without anything that could
 * pass for another detail or change how the line is shown. */
#include "fuzz.h"
#include "log.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FIELDS 3

static int out_fd; /* in memory; stdout while a line is written */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    out_fd = memfd_create("log", 0);
    return out_fd < 0;
}

/* The first character and its size; ends the run when it is not valid. Decodes first, and then
 * checks that it was the shortest way to write the character. */
static uint32_t decode(const unsigned char *p, size_t left, size_t *size)
{
    static const uint32_t min[] = {0, 0, 0x80, 0x800, 0x10000};

    *size = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    FUZZ_CHECK(*size > 0 && *size <= left);
    uint32_t c = *size == 1 ? p[0] : p[0] & (0x7fu >> *size);
    for (size_t i = 1; i < *size; i++) {
        FUZZ_CHECK(p[i] >> 6 == 2);
        c = c << 6 | (p[i] & 0x3fu);
    }
    FUZZ_CHECK(c >= min[*size] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff));
    return c;
}

static void check_character(uint32_t c)
{
    FUZZ_CHECK(c >= 0x20 && (c < 0x7f || c > 0x9f));
    FUZZ_CHECK(c < 0x2028 || c > 0x202e);
    FUZZ_CHECK(c < 0x2066 || c > 0x2069);
    FUZZ_CHECK(c != 0x200e && c != 0x200f && c != 0x61c && c != 0xfeff);
}

static void check_line(const unsigned char *line, size_t size)
{
    unsigned bars = 0;

    FUZZ_CHECK(size > 0 && size <= LOG_LINE_MAX && line[size - 1] == '\n');
    for (size_t at = 0, taken; at < size - 1; at += taken) {
        uint32_t c = decode(line + at, size - 1 - at, &taken);
        check_character(c);
        bars += c == '|';
    }
    /* Of a line that was cut, the last details may be missing. */
    FUZZ_CHECK(bars <= FIELDS + 1 && (bars == FIELDS + 1 || size > LOG_LINE_MAX - 8));
}

/* Writes one line and reads what has reached stdout. */
static size_t write_line(const struct log_field *fields, unsigned char *line, size_t size)
{
    int saved = dup(STDOUT_FILENO);

    FUZZ_CHECK(saved >= 0 && dup2(out_fd, STDOUT_FILENO) == STDOUT_FILENO);
    FUZZ_CHECK(ftruncate(out_fd, 0) == 0 && lseek(out_fd, 0, SEEK_SET) == 0);
    log_write(LOG_ERROR, "action", LOG_FAIL, fields, FIELDS);
    FUZZ_CHECK(dup2(saved, STDOUT_FILENO) == STDOUT_FILENO && close(saved) == 0);
    ssize_t got = pread(out_fd, line, size, 0);
    FUZZ_CHECK(got >= 0);
    return (size_t)got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char line[2 * LOG_LINE_MAX];
    struct log_field fields[FIELDS];
    char *copies[FIELDS]; /* of their own, so that a read beyond one is seen */
    size_t from = 0;

    for (unsigned i = 0; i < FIELDS; i++) {
        size_t end = size * (i + 1) / FIELDS;
        copies[i] = malloc(end - from + (end == from));
        FUZZ_CHECK(copies[i] != NULL);
        if (end > from)
            memcpy(copies[i], data + from, end - from);
        fields[i] = LOG_SIZED("key", copies[i], end - from);
        from = end;
    }
    check_line(line, write_line(fields, line, sizeof(line)));
    for (unsigned i = 0; i < FIELDS; i++)
        free(copies[i]);
    return 0;
}
