/* Physical lines of a file, with their numbers and offsets, across blocks, forwards and back. */
#include "cmocka_all.h"
#include "line_reader.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES 40000 /* some blocks of them */

struct fixture {
    char *folder;
    char path[256];
    struct line_reader *reader; /* big */
    struct errbuf err;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->reader = calloc(1, sizeof(*f->reader));
    assert_non_null(f->reader);
    f->folder = tmpdir_make();
    (void)snprintf(f->path, sizeof(f->path), "%s/lines", f->folder);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    tmpdir_remove(f->folder);
    free(f->reader);
    free(f);
    return 0;
}

static void open_text(struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(line_reader_open(f->reader, f->path, BETS_ENCODING_UTF_8, &f->err), STATUS_OK);
}

/* The next line is this one; the reader goes to the one after it. */
static void assert_line(struct fixture *f, const char *expected)
{
    struct text line;

    for (int i = 0; i < 2; i++) { /* peeking does not move on */
        assert_int_equal(line_reader_peek(f->reader, &line, &f->err), STATUS_OK);
        assert_int_equal(line.size, strlen(expected));
        assert_memory_equal(line.data, expected, line.size);
    }
    if (line.size > 0)
        line_reader_skip(f->reader, line.size);
}

/* A line includes its newline, which the last one may lack; after it all lines are empty. */
static void test_lines(void **state)
{
    struct fixture *f = *state;

    open_text(f, "one\r\n\ntwo\rthree\nfour");
    assert_int_equal(line_reader_buffered(f->reader).size, 0);
    assert_line(f, "one\r\n");
    assert_line(f, "\n");
    assert_true(f->reader->at.offset == 6);
    assert_true(f->reader->at.line == 2);
    assert_line(f, "two\rthree\n");
    assert_int_equal(line_reader_buffered(f->reader).size, 4);
    assert_line(f, "four");
    assert_line(f, "");
    assert_line(f, "");
    assert_true(f->reader->at.offset == 20);
    assert_true(f->reader->at.line == 4);
    line_reader_close(f->reader);
}

/* Lines that cross the end of a block are whole, and the reader can go back to every place. */
static void test_blocks_and_seek(void **state)
{
    static struct line_position places[LINES];
    struct fixture *f = *state;
    char expected[32];
    FILE *file = fopen(f->path, "we");

    assert_non_null(file);
    for (int i = 0; i < LINES; i++)
        assert_true(fprintf(file, "a line, number %d\n", i) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(line_reader_open(f->reader, f->path, BETS_ENCODING_UTF_8, &f->err), STATUS_OK);
    for (int i = 0; i < LINES; i++) {
        places[i] = f->reader->at;
        assert_true(places[i].line == (uint64_t)i);
        (void)snprintf(expected, sizeof(expected), "a line, number %d\n", i);
        assert_line(f, expected);
    }
    assert_line(f, "");
    for (int i = LINES - 1; i >= 0; i -= 1999) {
        assert_int_equal(line_reader_seek(f->reader, places[i], &f->err), STATUS_OK);
        (void)snprintf(expected, sizeof(expected), "a line, number %d\n", i);
        assert_line(f, expected);
    }
    line_reader_close(f->reader);
}

/* A line longer than a block is returned in parts; nothing is read beyond the block. */
static void test_line_longer_than_a_block(void **state)
{
    struct fixture *f = *state;
    size_t size = LINE_READER_BLOCK_SIZE + 10;
    char *text = malloc(size + 1);
    struct text line;

    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = '\0';
    open_text(f, text);
    free(text);
    assert_int_equal(line_reader_peek(f->reader, &line, &f->err), STATUS_OK);
    assert_int_equal(line.size, LINE_READER_BLOCK_SIZE);
    line_reader_skip(f->reader, line.size);
    assert_line(f, "xxxxxxxxxx");
    line_reader_close(f->reader);
}

/* A change of the file is noticed by seeking, and by reading once must_be_unchanged is set. */
static void test_changed_file(void **state)
{
    struct fixture *f = *state;
    struct text line;
    char expected[300];

    open_text(f, "one\n");
    assert_int_equal(truncate(f->path, 2), 0);
    assert_line(f, "on");
    (void)snprintf(expected, sizeof(expected), "%s: changed while it was being sent", f->path);
    assert_int_equal(line_reader_seek(f->reader, (struct line_position){0, 0, 0}, &f->err),
                     STATUS_INVALID);
    assert_string_equal(f->err.text, expected);
    f->reader->must_be_unchanged = true;
    errbuf_set(&f->err, "%s", "");
    assert_int_equal(line_reader_peek(f->reader, &line, &f->err), STATUS_INVALID);
    assert_string_equal(f->err.text, expected);
    line_reader_close(f->reader);
}

/* A file that was rewritten in place, with as many bytes and the time of before, has changed too.
 */
static void test_changed_file_with_its_time_restored(void **state)
{
    struct fixture *f = *state;
    struct text line;

    open_text(f, "one\n");
    f->reader->must_be_unchanged = true;
    assert_line(f, "one\n");
    const struct timespec times[2] = {f->reader->info.st_atim, f->reader->info.st_mtim};
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    /* The kernel's clock for files goes on in steps: writes until it has. */
    struct stat info;
    do {
        assert_int_equal(pwrite(fd, "two\n", 4, 0), 4);
        assert_int_equal(futimens(fd, times), 0);
        assert_int_equal(fstat(fd, &info), 0);
    } while (info.st_ctim.tv_sec == f->reader->info.st_ctim.tv_sec &&
             info.st_ctim.tv_nsec == f->reader->info.st_ctim.tv_nsec);
    assert_int_equal(close(fd), 0);
    assert_int_equal(info.st_size, f->reader->info.st_size);
    assert_int_equal(info.st_mtim.tv_nsec, f->reader->info.st_mtim.tv_nsec);
    assert_int_equal(line_reader_seek(f->reader, (struct line_position){0, 0, 0}, &f->err),
                     STATUS_INVALID);
    assert_int_equal(line_reader_peek(f->reader, &line, &f->err), STATUS_INVALID);
    line_reader_close(f->reader);
}

/* Text of 2 or 3 bytes a character, over some blocks, from UTF-16 and Windows-1252: lines, numbers
 * and offsets are those of the UTF-8 text, and the reader can go back to every place. */
static void test_decoded_lines(void **state)
{
    static const struct {
        enum bets_encoding encoding;
        const char *euro; /* the euro sign, as the encoding has it */
        size_t unit;
    } cases[] = {{BETS_ENCODING_UTF_16LE, "\xac\x20", 2}, {BETS_ENCODING_WINDOWS_1252, "\x80", 1}};
    static struct line_position places[LINES];
    struct fixture *f = *state;
    char expected[32];

    for (size_t c = 0; c < 2; c++) {
        FILE *file = fopen(f->path, "we");
        assert_non_null(file);
        for (int i = 0; i < LINES; i++) {
            int size = snprintf(expected, sizeof(expected), "%d euros\n", i);
            assert_int_equal(fwrite(cases[c].euro, 1, cases[c].unit, file), cases[c].unit);
            for (int at = 0; at < size; at++)
                assert_int_equal(fwrite((char[]){expected[at], '\0'}, 1, cases[c].unit, file),
                                 cases[c].unit);
        }
        assert_int_equal(fclose(file), 0);
        assert_int_equal(line_reader_open(f->reader, f->path, cases[c].encoding, &f->err),
                         STATUS_OK);
        uint64_t offset = 0;
        for (int i = 0; i < LINES; i++) {
            places[i] = line_reader_here(f->reader);
            assert_true(places[i].line == (uint64_t)i && places[i].offset == offset);
            int size = snprintf(expected, sizeof(expected), "\xe2\x82\xac%d euros\n", i);
            assert_true(places[i].source == (offset - 2 * (uint64_t)i) * cases[c].unit);
            assert_line(f, expected);
            offset += (uint64_t)size;
        }
        assert_line(f, "");
        for (int i = LINES - 1; i >= 0; i -= 1999) {
            assert_int_equal(line_reader_seek(f->reader, places[i], &f->err), STATUS_OK);
            (void)snprintf(expected, sizeof(expected), "\xe2\x82\xac%d euros\n", i);
            assert_line(f, expected);
        }
        line_reader_close(f->reader);
    }
}

/* Going on after a line that cannot be used: from where it began, also when that is no longer in
 * memory; a line longer than a block is one line. */
static void test_skip_line_at(void **state)
{
    struct fixture *f = *state;
    size_t size = LINE_READER_BLOCK_SIZE + 10;
    char *text = malloc(size + 8);
    struct line_position first;
    struct line_position second;

    assert_non_null(text);
    memcpy(text, "one\n", 4);
    memset(text + 4, 'x', size);
    memcpy(text + 4 + size, "\nl", 3);
    open_text(f, text);
    free(text);
    first = line_reader_here(f->reader);
    assert_line(f, "one\n");
    second = line_reader_here(f->reader);
    for (int i = 0; i < 2; i++) { /* the second time it is far away */
        assert_int_equal(line_reader_skip_line_at(f->reader, second, &f->err), STATUS_OK);
        assert_true(f->reader->at.line == 2);
        assert_line(f, "l");
    }
    assert_int_equal(line_reader_skip_line_at(f->reader, first, &f->err), STATUS_OK);
    assert_true(f->reader->at.line == 1 && f->reader->at.offset == 4);
    line_reader_close(f->reader);
}

/* If the path cannot be opened or is not a file, nothing has to be closed. */
static void test_no_file(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(line_reader_open(f->reader, f->path, BETS_ENCODING_UTF_8, &f->err),
                     STATUS_NOTFOUND);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(line_reader_open(f->reader, f->path, BETS_ENCODING_UTF_8, &f->err),
                     STATUS_INVALID);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_lines),
        CASE(test_blocks_and_seek),
        CASE(test_line_longer_than_a_block),
        CASE(test_changed_file),
        CASE(test_no_file),
        CASE(test_changed_file_with_its_time_restored),
        CASE(test_decoded_lines),
        CASE(test_skip_line_at),
    };

    return cmocka_run_group_tests_name("line_reader", tests, NULL, NULL);
}
