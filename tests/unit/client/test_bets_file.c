/* An agency's CSV file: which files are accepted, and the errors of the others.
 *
 * Each test writes a file of its own; the clock is a fake one, so that "today" is known.
 */
#include "bet_line.h"
#include "bets_file.h"
#include "bets_fixture.h"
#include "cmocka_all.h"
#include "crc32c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROW "Ana,Paz,30904465,1999-03-17,7574"
#define ROW_MAX 4096    /* bytes of the longest row that is accepted */
#define CHECK_ROWS 4096 /* from one mark of the file to the next */
#define MANY_ROWS 20000 /* several marks, several blocks */

/* Opens the file again and checks it to its end. */
static enum status check(struct bets_fixture *f)
{
    bool is_done = false;

    bets_file_close(f->file);
    f->file = NULL;
    errbuf_set(&f->err, "%s", "");
    enum status status = bets_file_open(f->path, &f->format, 1, &f->file, &f->err);
    while (status == STATUS_OK && !is_done)
        status = bets_file_check(f->file, &is_done, &f->err);
    return status;
}

static enum status check_bytes(struct bets_fixture *f, const char *bytes, size_t size)
{
    bets_fixture_write(f, bytes, size);
    return check(f);
}

/* The file is valid and has that many rows; the next one to be read is the first. */
static void assert_rows(struct bets_fixture *f, const char *text, uint64_t rows)
{
    if (check_bytes(f, text, strlen(text)) != STATUS_OK)
        fail_msg("\"%s\": %s", text, f->err.text);
    assert_int_equal(bets_file_rows(f->file), rows);
    assert_int_equal(bets_fixture_seek(f, 0), STATUS_OK);
}

static void assert_refused_bytes(struct bets_fixture *f, const char *bytes, size_t size,
                                 unsigned line, const char *reason)
{
    char expected[512];

    (void)snprintf(expected, sizeof(expected), "%s:%u: %s", f->path, line, reason);
    assert_int_equal(check_bytes(f, bytes, size), STATUS_INVALID);
    f->err.text[strcspn(f->err.text, ";")] = '\0';
    assert_string_equal(f->err.text, expected);
}

/* The check ends with "file:line: reason"; advice may follow, which is not this test's matter. */
static void assert_refused(struct bets_fixture *f, const char *text, unsigned line,
                           const char *reason)
{
    assert_refused_bytes(f, text, strlen(text), line, reason);
}

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

/* The next row is this bet. */
static void assert_next(struct bets_fixture *f, const char *first, const char *last,
                        const char *document, const char *birthdate, uint32_t number)
{
    struct bet bet;

    assert_int_equal(bets_file_peek(f->file, &bet, &f->err), STATUS_OK);
    assert_text(bet.first_name, first);
    assert_text(bet.last_name, last);
    assert_text(bet.document, document);
    assert_text(bet.birthdate, birthdate);
    assert_int_equal(bet.number, number);
    bets_file_advance(f->file);
}

static void assert_at_end(struct bets_fixture *f)
{
    struct bet bet;

    for (int i = 0; i < 2; i++)
        assert_int_equal(bets_file_peek(f->file, &bet, &f->err), STATUS_NOTFOUND);
}

/* CRLF or LF, with or without the last one: the same rows. */
static void test_line_ends(void **state)
{
    static const char *const texts[] = {
        ROW "\r\nEva,Gil,1,2000-02-29,0\r\n", ROW "\r\nEva,Gil,1,2000-02-29,0",
        ROW "\nEva,Gil,1,2000-02-29,0\n",     ROW "\nEva,Gil,1,2000-02-29,0",
        ROW "\nEva,Gil,1,2000-02-29,0\r\n",
    };
    struct bets_fixture *f = *state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_rows(f, texts[i], 2);
        assert_next(f, "Ana", "Paz", "30904465", "1999-03-17", 7574);
        assert_next(f, "Eva", "Gil", "1", "2000-02-29", 0);
        assert_at_end(f);
    }
}

/* A file without a row is valid if that is allowed: an agency without bets. */
static void test_no_row(void **state)
{
    static const char *const texts[] = {"",           "\n",           "\r\n",
                                        "\r\n\r\n\n", "\xef\xbb\xbf", "\xef\xbb\xbf\r\n"};
    struct bets_fixture *f = *state;
    char expected[400];

    (void)snprintf(expected, sizeof(expected),
                   "%s: no bets: set bets.allowEmpty to true if the agency has none", f->path);
    for (size_t i = 0; i < COUNT(texts); i++) {
        f->format.empty = BETS_EMPTY_REFUSED;
        assert_int_equal(check_bytes(f, texts[i], strlen(texts[i])), STATUS_INVALID);
        assert_string_equal(f->err.text, expected);
        f->format.empty = BETS_EMPTY_ALLOWED;
        assert_rows(f, texts[i], 0);
        assert_at_end(f);
    }
}

/* A single row, in all the forms that it can have. */
static void test_one_row(void **state)
{
    static const char *const texts[] = {ROW, ROW "\n", ROW "\r\n", "\r\n" ROW, "\n\n" ROW "\n\n"};
    struct bets_fixture *f = *state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_rows(f, texts[i], 1);
        assert_next(f, "Ana", "Paz", "30904465", "1999-03-17", 7574);
        assert_at_end(f);
    }
}

/* Blank lines are not rows, wherever they are, but they count as lines. */
static void test_blank_lines(void **state)
{
    struct bets_fixture *f = *state;

    assert_rows(f, "\r\n\n" ROW "\r\n\r\n\r\n" ROW "\n\n\n", 2);
    assert_refused(f, "\n\r\n" ROW "\n\nbad\n", 5, "1 fields instead of 5");
}

/* A byte order mark is skipped at the beginning, also before quotes, and nowhere else. */
static void test_byte_order_mark(void **state)
{
    struct bets_fixture *f = *state;

    assert_rows(f, "\xef\xbb\xbf" ROW "\r\n", 1);
    assert_next(f, "Ana", "Paz", "30904465", "1999-03-17", 7574);
    assert_rows(f, "\xef\xbb\xbf\"Ana\",Paz,30904465,1999-03-17,7574\n", 1);
    assert_next(f, "Ana", "Paz", "30904465", "1999-03-17", 7574);
    assert_rows(f, ROW "\n\xef\xbb\xbf" ROW "\n", 2);
    assert_next(f, "Ana", "Paz", "30904465", "1999-03-17", 7574);
    assert_next(f,
                "\xef\xbb\xbf"
                "Ana",
                "Paz", "30904465", "1999-03-17", 7574);
}

/* Commas, quotes and the separators of other formats may be part of a name. */
static void test_names(void **state)
{
    struct bets_fixture *f = *state;

    assert_rows(f,
                "\"Paz, Ana\",\"O \"\"el\"\" Gil\",007,1999-03-17,0042\r\n"
                "O'Hara,; | & : / =,A1b2,1999-03-17,7574\n"
                "Jean-Luc,Mu\xc3\xb1oz \xc3\x81lvarez,1,1999-03-17,1\n"
                "\"\"\"\",\",\",1,1999-03-17,1\n"
                " Ana , Paz ,1,1999-03-17,1\n"
                "\"Ana\",\"Paz\",\"1\",\"1999-03-17\",\"9999\"",
                6);
    assert_next(f, "Paz, Ana", "O \"el\" Gil", "007", "1999-03-17", 42);
    assert_next(f, "O'Hara", "; | & : / =", "A1b2", "1999-03-17", 7574);
    assert_next(f, "Jean-Luc", "Mu\xc3\xb1oz \xc3\x81lvarez", "1", "1999-03-17", 1);
    assert_next(f, "\"", ",", "1", "1999-03-17", 1);
    assert_next(f, " Ana ", " Paz ", "1", "1999-03-17", 1);
    assert_next(f, "Ana", "Paz", "1", "1999-03-17", 9999);
    assert_at_end(f);
}

/* Only ASCII digits are a number, and only up to 9999. */
static void test_numbers(void **state)
{
    static const char *const bad[] = {"73110",
                                      "10000",
                                      "-1",
                                      "+1",
                                      " 7574",
                                      "7574 ",
                                      "7_574",
                                      "7.0",
                                      "0x1",
                                      "1e3",
                                      "",
                                      "75747574757475747574",
                                      "\xd9\xa7\xd9\xa5", /* Arabic-Indic 75 */
                                      "\xef\xbc\x97" /* fullwidth 7 */,
                                      "siete"};
    struct bets_fixture *f = *state;
    char text[128];

    for (size_t i = 0; i < COUNT(bad); i++) {
        (void)snprintf(text, sizeof(text), ROW "\r\nEva,Gil,1,2000-02-29,%s\r\n", bad[i]);
        assert_refused(f, text, 2, "number is not in 0..9999");
    }
}

/* Every rule of a bet is checked, and the error names the line. */
static void test_bad_rows(void **state)
{
    struct bets_fixture *f = *state;

    assert_refused(f, ROW "\n,Paz,1,1999-03-17,1\n", 2, "first name is not 1 to 64 bytes long");
    assert_refused(f, ROW "\nAna,,1,1999-03-17,1\n", 2, "last name is not 1 to 64 bytes long");
    assert_refused(f, "\xff\xfe,Paz,1,1999-03-17,1", 1,
                   "first name is not valid UTF-8 without control characters");
    assert_refused(f, "Ana,Paz\xc3,1,1999-03-17,1", 1,
                   "last name is not valid UTF-8 without control characters");
    assert_refused(f, "Ana,Paz\t,1,1999-03-17,1", 1,
                   "last name is not valid UTF-8 without control characters");
    assert_refused(f, "Ana,Paz,30.904.465,1999-03-17,1", 1,
                   "document is not 1 to 16 ASCII letters or digits");
    assert_refused(f, "Ana,Paz,1,1999-02-29,1", 1, "birthdate is not a calendar date YYYY-MM-DD");
    assert_refused(f, "Ana,Paz,1,17/03/1999,1", 1, "birthdate is not a calendar date YYYY-MM-DD");
    assert_refused(f, "Ana,Paz,1,2024-06-17,1", 1, "birthdate is in the future");
    assert_rows(f, "Ana,Paz,1,2024-06-15,1", 1);
}

/* A row has five fields; a header line is a bad row like any other. */
static void test_fields(void **state)
{
    struct bets_fixture *f = *state;

    assert_refused(f, "Ana,Paz,1,1999-03-17\n", 1, "4 fields instead of 5");
    assert_refused(f, ROW ",\n", 1, "6 fields instead of 5");
    assert_refused(f, ROW "\n" ROW "," ROW "\n", 2, "10 fields instead of 5");
    assert_refused(f, ROW "\n \n", 2, "1 fields instead of 5");
    assert_refused(f, "Ana;Paz;1;1999-03-17;1\n", 1, "1 fields instead of 5");
    assert_refused(f, "first,last,document,birthdate,number\n", 1, "number is not in 0..9999");
    assert_refused(f, ROW "\r" ROW "\r", 1, "a carriage return within a line");
}

/* Misplaced quotes are errors; a row of several lines is reported with the number of its first. */
static void test_quotes(void **state)
{
    struct bets_fixture *f = *state;

    assert_refused(f, ROW "\nA\"na,Paz,1,1999-03-17,1\n", 2, "a quote in the wrong place");
    assert_refused(f, ROW "\n\"Ana\"x,Paz,1,1999-03-17,1\n", 2, "a quote in the wrong place");
    assert_refused(f, ROW "\n\"Ana,Paz,1,1999-03-17,1\n" ROW "\n", 2,
                   "a quote that is never closed");
    assert_refused(f, ROW "\n\"A\nna\",Paz,1,1999-03-17,1\n", 2,
                   "first name is not valid UTF-8 without control characters");
    /* The line after a row over two lines has its own number. */
    assert_refused(f, ROW "\nAna,Paz,1,1999-03-17,\"1\n\"\n" ROW "\n", 2,
                   "number is not in 0..9999");
    assert_refused(f, ROW "\r\n\r\n" ROW "\r\nx", 4, "1 fields instead of 5");
}

/* A NUL byte is a control character, not the end of a text. */
static void test_nul_byte(void **state)
{
    static const char in_name[] = ROW "\nA\0na,Paz,1,1999-03-17,1\n";
    static const char in_document[] = "Ana,Paz,1\0002,1999-03-17,1\n";
    static const char in_number[] = "Ana,Paz,1,1999-03-17,1\000\n";
    static const char alone[] = ROW "\n\0\n";
    struct bets_fixture *f = *state;

    assert_refused_bytes(f, in_name, sizeof(in_name) - 1, 2,
                         "first name is not valid UTF-8 without control characters");
    assert_refused_bytes(f, in_document, sizeof(in_document) - 1, 1,
                         "document is not 1 to 16 ASCII letters or digits");
    assert_refused_bytes(f, in_number, sizeof(in_number) - 1, 1, "number is not in 0..9999");
    assert_refused_bytes(f, alone, sizeof(alone) - 1, 2, "1 fields instead of 5");
}

/* A huge field is refused with its line, whatever its size; memory does not grow. */
static void test_huge_field(void **state)
{
    enum { HUGE_SIZE = 3 * 1024 * 1024 };
    struct bets_fixture *f = *state;
    char *bytes = malloc(HUGE_SIZE);

    assert_non_null(bytes);
    memset(bytes, 'x', HUGE_SIZE);
    memcpy(bytes, ROW "\n", strlen(ROW "\n"));
    assert_refused_bytes(f, bytes, HUGE_SIZE, 2, "row longer than 4096 bytes");
    bytes[strlen(ROW "\n")] = '"'; /* open quotes, line after line */
    for (size_t i = 200; i < HUGE_SIZE; i += 100)
        bytes[i] = '\n';
    assert_refused_bytes(f, bytes, HUGE_SIZE, 2, "row longer than 4096 bytes");
    free(bytes);
}

/* Rows up to the limit are judged by their content; a longer one is refused for its length. */
static void test_longest_row(void **state)
{
    struct bets_fixture *f = *state;
    char row[ROW_MAX + 2];

    for (size_t size = ROW_MAX - 2; size <= ROW_MAX + 1; size++) {
        memset(row, 'x', size);
        memcpy(row + size - strlen(",Paz,1,1999-03-17,1"), ",Paz,1,1999-03-17,1",
               strlen(",Paz,1,1999-03-17,1"));
        assert_refused_bytes(f, row, size, 1,
                             size <= ROW_MAX ? "first name is not 1 to 64 bytes long"
                                             : "row longer than 4096 bytes");
    }
}

/* The error names the file if it cannot be opened, or cannot be read twice. */
static void test_no_such_file(void **state)
{
    struct bets_fixture *f = *state;
    char expected[400];

    assert_int_equal(check(f), STATUS_NOTFOUND);
    (void)snprintf(expected, sizeof(expected), "%s: No such file or directory", f->path);
    assert_string_equal(f->err.text, expected);
    assert_null(f->file);

    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(check(f), STATUS_INVALID);
    (void)snprintf(expected, sizeof(expected), "%s: not a regular file", f->path);
    assert_string_equal(f->err.text, expected);
    assert_null(f->file);
}

/* The error has the reason if the file exists but cannot be opened. */
static void test_unopenable_file(void **state)
{
    struct bets_fixture *f = *state;
    char expected[400];

    assert_int_equal(symlink(f->path, f->path), 0);
    assert_int_equal(check(f), STATUS_IO);
    (void)snprintf(expected, sizeof(expected), "%s: Too many levels of symbolic links", f->path);
    assert_string_equal(f->err.text, expected);
    assert_null(f->file);
}

/* Writes rows that differ from each other, over several marks and blocks; every 7th line is blank.
 */
static void write_many(const struct bets_fixture *f)
{
    FILE *file = fopen(f->path, "we");

    assert_non_null(file);
    for (int i = 0; i < MANY_ROWS; i++) {
        if (i % 7 == 0)
            assert_true(fputs("\r\n", file) >= 0);
        if (i % 3 == 0)
            (void)fprintf(file, "Ana %d,\"Paz, %d\",%08d,1999-03-17,%d\r\n", i, i, i, i % 10000);
        else if (i % 3 == 1)
            (void)fprintf(file, "Ana %d,Paz %d,%08d,1999-03-17,%05d\n", i, i, i, i % 10000);
        else
            (void)fprintf(file, "Ana %d,Paz %d,%08d,1999-03-17,%d\r\n", i, i, i, i % 10000);
    }
    assert_int_equal(fclose(file), 0);
}

static void assert_row(struct bets_fixture *f, int i)
{
    char first[32];
    char last[32];
    char document[32];

    (void)snprintf(first, sizeof(first), "Ana %d", i);
    (void)snprintf(last, sizeof(last), i % 3 == 0 ? "Paz, %d" : "Paz %d", i);
    (void)snprintf(document, sizeof(document), "%08d", i);
    assert_next(f, first, last, document, "1999-03-17", (uint32_t)i % 10000);
}

/* The checksum of the first rows that write_many() has written. */
static uint32_t sum_of_many(int count)
{
    char texts[3][32];
    char line[BET_LINE_MAX];
    uint32_t sum = 0;

    for (int i = 0; i < count; i++) {
        (void)snprintf(texts[0], sizeof(texts[0]), "Ana %d", i);
        (void)snprintf(texts[1], sizeof(texts[1]), i % 3 == 0 ? "Paz, %d" : "Paz %d", i);
        (void)snprintf(texts[2], sizeof(texts[2]), "%08d", i);
        const struct bet bet = {text_of(texts[0]), text_of(texts[1]), text_of(texts[2]),
                                text_of("1999-03-17"), (uint32_t)i % 10000};
        sum = crc32c(sum, line, bet_lines_format(1, &bet, 1, line));
    }
    return sum;
}

/* The checksum is that of the lines that the server has, from whichever row one comes. */
static void test_checksum(void **state)
{
    static const int rows[] = {0, 2 * CHECK_ROWS + 5, 1, CHECK_ROWS, MANY_ROWS, CHECK_ROWS + 1, 7};
    struct bets_fixture *f = *state;

    write_many(f);
    assert_int_equal(check(f), STATUS_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(bets_fixture_seek(f, (uint64_t)rows[i]), STATUS_OK);
        assert_int_equal(bets_file_checksum(f->file), sum_of_many(rows[i]));
        if (rows[i] == MANY_ROWS)
            continue;
        assert_row(f, rows[i]);
        assert_int_equal(bets_file_checksum(f->file), sum_of_many(rows[i] + 1));
    }
}

/* A seek goes on in steps, and another one may begin before it has ended. */
static void test_seek_in_steps(void **state)
{
    struct bets_fixture *f = *state;
    bool is_done = true;
    int steps = 0;

    write_many(f);
    assert_int_equal(check(f), STATUS_OK);
    assert_int_equal(bets_file_seek(f->file, MANY_ROWS, &is_done, &f->err), STATUS_OK);
    assert_false(is_done);
    assert_int_equal(bets_fixture_seek(f, 3), STATUS_OK);
    assert_row(f, 3);
    for (is_done = false; !is_done; steps++)
        assert_int_equal(bets_file_seek(f->file, MANY_ROWS - 1, &is_done, &f->err), STATUS_OK);
    assert_in_range(steps, 1, MANY_ROWS / CHECK_ROWS + 1);
    assert_row(f, MANY_ROWS - 1);
    assert_at_end(f);
}

/* The reader can seek to any row, back and forth: around marks, at both ends, and after the last.
 */
static void test_seek(void **state)
{
    static const int rows[] = {0,    1, CHECK_ROWS - 1, CHECK_ROWS,         CHECK_ROWS + 1,
                               9999, 2, MANY_ROWS - 1,  2 * CHECK_ROWS - 1, 2 * CHECK_ROWS};
    struct bets_fixture *f = *state;

    write_many(f);
    assert_int_equal(check(f), STATUS_OK);
    assert_int_equal(bets_file_rows(f->file), MANY_ROWS);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(bets_fixture_seek(f, (uint64_t)rows[i]), STATUS_OK);
        for (int row = rows[i]; row < rows[i] + 10 && row < MANY_ROWS; row++)
            assert_row(f, row);
    }
    assert_int_equal(bets_fixture_seek(f, MANY_ROWS), STATUS_OK);
    assert_at_end(f);
    assert_int_equal(bets_fixture_seek(f, 0), STATUS_OK);
    for (int row = 0; row < MANY_ROWS; row++)
        assert_row(f, row);
    assert_at_end(f);
}

/* The place of a row is its physical line, whether it is a plain one or not, and after a peek as
 * well as before. */
static void test_locate(void **state)
{
    static const char text[] =
        ROW "\n\n\r\n\"Ana\",Paz,1,1999-03-17,1\r\n" ROW "\r\n\nAna,\"P,az\",1,1999-03-17,1\n" ROW;
    static const unsigned lines[] = {1, 4, 5, 7, 8};
    struct bets_fixture *f = *state;
    char expected[512];
    struct errbuf out;
    struct bet bet;

    assert_rows(f, text, COUNT(lines));
    for (size_t i = 0; i < COUNT(lines); i++) {
        (void)snprintf(expected, sizeof(expected), "%s:%u", f->path, lines[i]);
        assert_int_equal(bets_fixture_seek(f, i), STATUS_OK);
        for (int j = 0; j < 2; j++) {
            assert_int_equal(bets_file_locate(f->file, &out, &f->err), STATUS_OK);
            assert_string_equal(out.text, expected);
            assert_int_equal(bets_file_peek(f->file, &bet, &f->err), STATUS_OK);
        }
    }
    assert_int_equal(bets_fixture_seek(f, COUNT(lines)), STATUS_OK);
    assert_int_equal(bets_file_locate(f->file, &out, &f->err), STATUS_NOTFOUND);
}

/* If the rows end exactly where the next mark would be, seeking past the last row still works. */
static void test_seek_at_a_mark(void **state)
{
    struct bets_fixture *f = *state;

    for (int rows = CHECK_ROWS - 1; rows <= CHECK_ROWS + 1; rows++) {
        FILE *file = fopen(f->path, "we");
        assert_non_null(file);
        for (int i = 0; i < rows; i++)
            assert_true(fputs(ROW "\n", file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(check(f), STATUS_OK);
        assert_int_equal(bets_file_rows(f->file), rows);
        assert_int_equal(bets_fixture_seek(f, (uint64_t)rows), STATUS_OK);
        assert_at_end(f);
        assert_int_equal(bets_fixture_seek(f, (uint64_t)rows - 1), STATUS_OK);
        assert_next(f, "Ana", "Paz", "30904465", "1999-03-17", 7574);
        assert_at_end(f);
    }
}

/* Peeking does not move on: it returns the same row every time. */
static void test_peek_stays(void **state)
{
    struct bets_fixture *f = *state;
    struct bet bet;

    assert_rows(f, ROW "\nEva,Gil,1,2000-02-29,0\n", 2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(bets_file_peek(f->file, &bet, &f->err), STATUS_OK);
        assert_text(bet.first_name, "Ana");
    }
    bets_file_advance(f->file);
    assert_next(f, "Eva", "Gil", "1", "2000-02-29", 0);
    assert_at_end(f);
}

/* A change of the file between checking and sending is noticed. */
static void test_changed_file(void **state)
{
    struct bets_fixture *f = *state;
    char expected[400];

    assert_rows(f, ROW "\n" ROW "\n", 2);
    bets_fixture_write(f, ROW "\n", strlen(ROW "\n"));
    assert_int_equal(bets_fixture_seek(f, 0), STATUS_INVALID);
    (void)snprintf(expected, sizeof(expected), "%s: changed while it was being sent", f->path);
    assert_string_equal(f->err.text, expected);
}

/* One call checks a limited number of rows, so that the caller can do other work in between. */
static void test_check_in_steps(void **state)
{
    struct bets_fixture *f = *state;
    bool is_done = false;
    int calls = 0;

    write_many(f);
    assert_int_equal(bets_file_open(f->path, &f->format, 1, &f->file, &f->err), STATUS_OK);
    while (!is_done) {
        assert_int_equal(bets_file_check(f->file, &is_done, &f->err), STATUS_OK);
        calls++;
        if (!is_done)
            assert_int_equal(bets_file_rows(f->file), (uint64_t)calls * CHECK_ROWS);
    }
    assert_int_equal(calls, MANY_ROWS / CHECK_ROWS + 1);
}

/* Closing NULL is fine. */
static void test_close_nothing(void **state)
{
    (void)state;
    bets_file_close(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, bets_fixture_begin, bets_fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_line_ends),    CASE(test_no_row),          CASE(test_one_row),
        CASE(test_blank_lines),  CASE(test_byte_order_mark), CASE(test_names),
        CASE(test_numbers),      CASE(test_bad_rows),        CASE(test_fields),
        CASE(test_quotes),       CASE(test_nul_byte),        CASE(test_huge_field),
        CASE(test_longest_row),  CASE(test_no_such_file),    CASE(test_unopenable_file),
        CASE(test_seek),         CASE(test_seek_in_steps),   CASE(test_locate),
        CASE(test_checksum),     CASE(test_seek_at_a_mark),  CASE(test_peek_stays),
        CASE(test_changed_file), CASE(test_check_in_steps),  cmocka_unit_test(test_close_nothing),
    };

    return cmocka_run_group_tests_name("bets_file", tests, NULL, NULL);
}
