/* Files of bets as people have them: what the check says about them, and which settings read them.
 *
 * The files of the folder CASES are used where they are; each kind also has an input of its own.
 */
#include "bets_file.h"
#include "bets_fixture.h"
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES(literal) (literal), sizeof(literal) - 1
#define ROW "Ana,Paz,30904465,1999-03-17,7574"

static enum status check_path(struct bets_fixture *f, const char *path)
{
    bool is_done = false;

    bets_file_close(f->file);
    f->file = NULL;
    enum status status = bets_file_open(path, &f->format, 1, &f->file, &f->err);
    assert_int_equal(status, STATUS_OK);
    while (status == STATUS_OK && !is_done)
        status = bets_file_check(f->file, &is_done, &f->err);
    return status;
}

static enum status check(struct bets_fixture *f, const char *bytes, size_t size)
{
    bets_fixture_write(f, bytes, size);
    return check_path(f, f->path);
}

/* The text after "path:", which has to begin the finding. */
static const char *after_path(const struct bets_fixture *f, const struct errbuf *text)
{
    size_t size = strlen(f->path);

    assert_int_equal(strncmp(text->text, f->path, size), 0);
    assert_int_equal(text->text[size], ':');
    return text->text + size + 1;
}

/* The file is refused; the first finding is about this line and says that. */
static void assert_advice(struct bets_fixture *f, const char *bytes, size_t size, const char *line,
                          const char *advice)
{
    if (check(f, bytes, size) != STATUS_INVALID)
        fail_msg("accepted, instead of: %s", advice);
    const struct bets_findings *findings = bets_file_findings(f->file);
    assert_true(findings->faults_count > 0);
    const char *text = after_path(f, &findings->faults[0]);
    if (strncmp(text, line, strlen(line)) != 0 || strstr(text, advice) == NULL)
        fail_msg("\"%s\" is not about line %s, or does not say: %s", text, line, advice);
    assert_string_equal(f->err.text, findings->faults[0].text);
}

/* Every kind of row that is recognised: what its text says, and that the reason is still there. */
static void test_rows(void **state)
{
    static const struct {
        const char *text;
        const char *line;
        const char *advice;
    } cases[] = {
        {"nombre,apellido,documento,nacimiento,numero\n" ROW "\n", "1: number is not in 0..9999; ",
         "a header"},
        {"first, last,document,birthdate, number\n" ROW "\n", "1: ", "set bets.header to skip"},
        {"sep=,\r\n" ROW "\r\n", "1: 2 fields instead of 5; ", "set bets.header to skip"},
        {"SEP=;\r\n" ROW "\r\n", "1: 1 fields instead of 5; ", "a \"sep=\" line"},
        {"Ana;Paz;1;1999-03-17;1\n", "1: ", "set bets.delimiter to ;"},
        {"Ana\tPaz\t1\t1999-03-17\t1\n", "1: ", "set bets.delimiter to tab"},
        {"1,Ana,Paz,1,1999-03-17,1\r\n", "1: 6 fields instead of 5; ", "the server's own bets.csv"},
        {ROW "\n,,,,\n", "2: number is not in 0..9999; ", "a row of empty fields"},
        {ROW "\n,,,,,,,\n", "2: 8 fields instead of 5; ", "a row of empty fields"},
        {ROW "\n   \n", "2: 1 fields instead of 5; ", "a line of blanks"},
        {ROW "\n\x1a", "2: 1 fields instead of 5; ", "a Ctrl-Z"},
        {ROW ",\n", "1: 6 fields instead of 5; ", "the sixth column"},
        {ROW "\nJos\xe9,N\xfa\xf1"
             "ez,1,1999-03-17,1\n",
         "2: first name is not valid UTF-8", "set bets.encoding to windows-1252"},
        {ROW "\nAna,N\xfa\xf1"
             "ez,1,1999-03-17,1\n",
         "2: last name is not valid UTF-8", "set bets.encoding to windows-1252"},
        {"Ana,\xc3\x83\xc2\x8d,1,1999-03-17,1\n", "1: last name", "two signs for a letter"},
        {"Ana,Paz,30.904.465,1999-03-17,1\n", "1: document is not", "write digits alone, 30904465"},
        {"Ana,Paz,30 904 465,1999-03-17,1\n", "1: document is not", "with dots or blanks"},
        {"Ana,Paz,30904465.0,1999-03-17,1\n", "1: document is not", "with decimals"},
        {"Ana,Paz,3.09E+07,1999-03-17,1\n", "1: document is not", "2.01E+07"},
        {"Ana,Paz, 1,1999-03-17,1\n", "1: document is not", "blanks around it"},
        {"Ana,Paz,1\xc2\xa0,1999-03-17,1\n", "1: document is not", "a no-break space"},
        {"Ana,Paz,1,1999-03-17,\xe2\x80\x8b"
         "1\n",
         "1: number is not", "cannot be seen"},
        {"Ana,Paz,1,1999-03-17\xe2\x80\xaf,1\n", "1: birthdate is not", "a no-break space"},
        {"Ana,Paz,1,17/03/1999,1\n", "1: birthdate is not", "write 1999-03-17"},
        {"Ana,Paz,1,7/3/99,1\n", "1: birthdate is not", "as in 17/03/1999"},
        {"Ana,Paz,1,17-03-1999 00:00,1\n", "1: birthdate is not", "as in 17/03/1999"},
        {"Ana,Paz,1,1999-3-7,1\n", "1: birthdate is not", "two digits for month and day"},
        {"Ana,Paz,1,1999/03/07,1\n", "1: birthdate is not", "two digits for month and day"},
        {"Ana,Paz,1,1999-03-17 00:00:00,1\n", "1: birthdate is not", "a time after the date"},
        {"Ana,Paz,1,1999-03-17T00:00,1\n", "1: birthdate is not", "a time after the date"},
        {"Ana,Paz,1,36236,1\n", "1: birthdate is not", "a number of days"},
        {"Ana,Paz,1,1999-03-17,7574.0\n", "1: number is not in 0..9999; ", "with decimals"},
        {"Ana,Paz,1,1999-03-17,\"7.574\"\n", "1: number is not in 0..9999; ", "with dots"},
        {"Ana,Paz,1,1999-03-17,7574 \n", "1: number is not in 0..9999; ", "blanks around it"},
    };
    struct bets_fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++)
        assert_advice(f, cases[i].text, strlen(cases[i].text), cases[i].line, cases[i].advice);
}

/* Rows that are only wrong get the reason and nothing else: no guess that misleads. */
static void test_no_advice(void **state)
{
    static const char *const texts[] = {"Ana,Paz,1,1999-03-17,10000\n",
                                        "Ana,Paz,1,1999-03-17,-1\n",
                                        "Ana,Paz,1,1999-03-17,x\n",
                                        "Ana,Paz,1,1999-02-30,1\n",
                                        "Ana,Paz,1,1999,03-17\n",
                                        "Ana,Paz,1,17.3,1\n",
                                        "Ana,Paz,,1999-03-17,1\n",
                                        "Ana,Paz,a-b,1999-03-17,1\n",
                                        "Ana\x01,Paz,1,1999-03-17,1\n",
                                        "Ana\xc2\x85,Paz,1,1999-03-17,1\n",
                                        "Ana,Paz,1,1999-03-17\n",
                                        "Ana,Paz,1,1999-03-17,1,2\n",
                                        "x,Ana,Paz,1,1999-03-17,1\n",
                                        ",Paz,1,1999-03-17,1\n",
                                        ROW "\nnombre,apellido,dni,fecha,x\n"};
    struct bets_fixture *f = *state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_int_equal(check(f, texts[i], strlen(texts[i])), STATUS_INVALID);
        if (strchr(f->err.text, ';') != NULL)
            fail_msg("%s", f->err.text);
    }
}

/* What is not CSV, or not in UTF-8 at all, is said once, and nothing about its "rows". */
static void test_kinds_of_file(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        enum bets_encoding encoding;
        const char *advice;
    } cases[] = {
        {BYTES("\xff\xfe"
               "A\0n\0a\0,\0P\0a\0z\0,\0001\0,\0001\0,\0002\0\n\0"),
         BETS_ENCODING_UTF_8, "set bets.encoding to utf-16, or"},
        {BYTES("\xfe\xff\0A\0n\0a\0;\0P\0a\0z\0;\0001\0;\0001\0;\0002\0\n"), BETS_ENCODING_UTF_8,
         "set bets.encoding to utf-16 and bets.delimiter to ;"},
        {BYTES("A\0n\0a\0\t\0P\0a\0z\0\t\0001\0\t\0001\0\t\0002\0\n\0"), BETS_ENCODING_ISO_8859_1,
         "set bets.encoding to utf-16le and bets.delimiter to tab"},
        {BYTES("\0A\0n\0a\0,\0P\0a\0z\0,\0001\0,\0001\0,\0002\0\n"), BETS_ENCODING_UTF_8,
         "set bets.encoding to utf-16be, or"},
        {BYTES("nombre,n\n"), BETS_ENCODING_UTF_16, "not UTF-16, as bets.encoding says"},
        {BYTES("\xef\xbb\xbfnombre,n\n"), BETS_ENCODING_WINDOWS_1252, "byte order mark of UTF-8"},
        {BYTES("PK\003\004\024\0\006\0"), BETS_ENCODING_UTF_8, "a ZIP archive"},
        {BYTES("\xd0\xcf\x11\xe0\xa1\xb1"), BETS_ENCODING_UTF_16, "an old Excel workbook"},
        {BYTES("%PDF-1.7\nx"), BETS_ENCODING_UTF_8, "a PDF document"},
        {BYTES("\x1f\x8b\x08\0"), BETS_ENCODING_UTF_8, "compressed with gzip"},
        {BYTES("<table>\n<tr>\n"), BETS_ENCODING_UTF_8, "a web page"},
    };
    struct bets_fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        f->format.encoding = cases[i].encoding;
        assert_advice(f, cases[i].bytes, cases[i].size, "1: the file ", cases[i].advice);
        assert_int_equal(bets_file_findings(f->file)->faults_count, 1);
    }
}

/* If the first row shows what is wrong with all of them, the others are not listed. */
static void test_same_fault_in_all_rows(void **state)
{
    static const char semicolons[] = "Ana;Paz;1;1999-03-17;1\nAna;Paz;1;1999-03-17;1\n";
    static const char servers[] = "1,Ana,Paz,1,1999-03-17,1\n1,Ana,Paz,1,1999-03-17,1\n";
    struct bets_fixture *f = *state;

    assert_int_equal(check(f, BYTES(semicolons)), STATUS_INVALID);
    assert_int_equal(bets_file_findings(f->file)->faults_count, 1);
    assert_int_equal(check(f, BYTES(servers)), STATUS_INVALID);
    assert_int_equal(bets_file_findings(f->file)->faults_count, 1);
}

/* All bad rows are listed, up to 20, each with its own line; the advice is given once. Whatever
 * cannot be parsed ends with its line, and the next line is a row again. */
static void test_all_bad_rows(void **state)
{
    static const char text[] = "Ana,Paz,1.0,1999-03-17,1\n" ROW "\n"
                               "Ana,Paz,1.0,1999-03-17,1\n"
                               "A\"na,Paz,1,1999-03-17,1\n"
                               "\"Ana,Paz,1,1999-03-17,1\n\"Eva\",Gil,1,1999-03-17,1\n"
                               "Ana\r,Paz,1,1999-03-17,1\n"
                               "\"A\n\",Paz,1,1999-03-17,1\n" ROW "\n"
                               "x,y\n";
    static const char *const expected[] = {
        "1: document is not 1 to 16 ASCII letters or digits; it is written with decimals",
        "3: document is not 1 to 16 ASCII letters or digits",
        "4: a quote in the wrong place",
        "5: a quote in the wrong place",
        "7: a carriage return within a line",
        "8: first name is not valid UTF-8 without control characters",
        "11: 2 fields instead of 5"};
    struct bets_fixture *f = *state;

    assert_int_equal(check(f, BYTES(text)), STATUS_INVALID);
    const struct bets_findings *findings = bets_file_findings(f->file);
    assert_int_equal(findings->faults_count, COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++) {
        const char *found = after_path(f, &findings->faults[i]);
        if (strncmp(found, expected[i], strlen(expected[i])) != 0 ||
            (i > 0 && strlen(found) != strlen(expected[i])))
            fail_msg("%s", found);
    }
}

/* After 20 the rest is counted, however many there are, and wherever the good rows are. */
static void test_count_of_the_rest(void **state)
{
    enum { PAIRS = 10000 };
    struct bets_fixture *f = *state;

    for (int pairs = 20; pairs <= PAIRS; pairs += pairs == 21 ? PAIRS - 21 : 1) {
        FILE *file = fopen(f->path, "we");
        assert_non_null(file);
        for (int i = 0; i < pairs; i++)
            assert_true(fputs(ROW "\nbad\n", file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(check_path(f, f->path), STATUS_INVALID);
        const struct bets_findings *findings = bets_file_findings(f->file);
        assert_int_equal(findings->faults_count, pairs == 20 ? 20 : 21);
        assert_string_equal(after_path(f, &findings->faults[19]), "40: 1 fields instead of 5");
        char rest[32];
        (void)snprintf(rest, sizeof(rest), " %d more bad rows", pairs - 20);
        if (pairs > 20)
            assert_string_equal(after_path(f, &findings->faults[20]), rest);
    }
}

/* Open quotes on every line: each is reported, and the work stays in proportion. */
static void test_open_quotes(void **state)
{
    enum { LINES = 3000 };
    struct bets_fixture *f = *state;
    FILE *file = fopen(f->path, "we");

    assert_non_null(file);
    for (int i = 0; i < LINES; i++)
        assert_true(fputs("\"Ana,Paz,1,1999-03-17,1\n\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(check_path(f, f->path), STATUS_INVALID);
    const struct bets_findings *findings = bets_file_findings(f->file);
    assert_int_equal(findings->faults_count, 21);
    assert_string_equal(after_path(f, &findings->faults[19]), "39: a quote in the wrong place");
    assert_string_equal(after_path(f, &findings->faults[20]), " 2980 more bad rows");
}

/* Valid bets with characters that nobody types are warned about, and not refused. */
static void test_warnings(void **state)
{
    static const struct {
        const char *text;
        const char *line;
        const char *advice;
    } cases[] = {
        {ROW "\nAna\xc2\xa0Luz,Gil,1,1999-03-17,1\n", "2: ", "a no-break space"},
        {ROW "\n" ROW "\nAna,Gil\xe2\x80\x8b,1,1999-03-17,1", "3: ", "cannot be seen"},
        {"Ana,P\xc3\x83\xc2\xa9rez,1,1999-03-17,1\n", "1: ", "two signs for a letter"},
    };
    static const char good[] = "Jos\xc3\xa9,\xc2\xbfQu\xc3\xa9?,1,1999-03-17,1\n"
                               "O\xe2\x80\x99Hara,\xe2\x82\xac,1,1999-03-17,1\n"
                               "Mari\xcc\x81"
                               "a,Paz,1,1999-03-17,1\n";
    struct bets_fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(check(f, cases[i].text, strlen(cases[i].text)), STATUS_OK);
        const struct bets_findings *findings = bets_file_findings(f->file);
        assert_int_equal(findings->faults_count, 0);
        assert_int_equal(findings->warnings_count, 1);
        const char *text = after_path(f, &findings->warnings[0]);
        assert_int_equal(strncmp(text, cases[i].line, strlen(cases[i].line)), 0);
        assert_non_null(strstr(text, cases[i].advice));
    }
    assert_int_equal(check(f, BYTES(good)), STATUS_OK);
    assert_int_equal(bets_file_findings(f->file)->warnings_count, 0);
}

/* A warning is found wherever the blocks of the file end, also within the character. */
static void test_warning_between_blocks(void **state)
{
    enum { BLOCK = 256 * 1024, BEFORE = 50 };
    struct bets_fixture *f = *state;
    char expected[32];

    for (int shift = 0; shift < 4; shift++) {
        FILE *file = fopen(f->path, "we");
        assert_non_null(file);
        int lines = 0;
        for (; ftell(file) < BLOCK - 100; lines++)
            assert_true(fputs(ROW "\n", file) >= 0);
        for (; ftell(file) < BLOCK - BEFORE; lines++)
            assert_int_equal(fputc('\n', file), '\n');
        while (ftell(file) < BLOCK - shift)
            assert_int_equal(fputc('x', file), 'x');
        assert_true(fputs("\xe2\x80\x8b,Paz,1,1999-03-17,1\n", file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(check_path(f, f->path), STATUS_OK);
        assert_int_equal(bets_file_findings(f->file)->warnings_count, 1);
        (void)snprintf(expected, sizeof(expected), "%d: ", lines + 1);
        assert_int_equal(strncmp(after_path(f, &bets_file_findings(f->file)->warnings[0]), expected,
                                 strlen(expected)),
                         0);
    }
}

static void assert_reads(struct bets_fixture *f, const char *bytes, size_t size,
                         const char *first_name)
{
    struct bet bet;

    if (check(f, bytes, size) != STATUS_OK)
        fail_msg("%s", f->err.text);
    assert_int_equal(bets_file_rows(f->file), 2);
    for (int i = 0; i < 2; i++) { /* from the first row, also when something was before it */
        assert_int_equal(bets_fixture_seek(f, 0), STATUS_OK);
        assert_int_equal(bets_file_peek(f->file, &bet, &f->err), STATUS_OK);
        assert_int_equal(bet.first_name.size, strlen(first_name));
        assert_memory_equal(bet.first_name.data, first_name, bet.first_name.size);
        bets_file_advance(f->file);
        assert_int_equal(bets_file_peek(f->file, &bet, &f->err), STATUS_OK);
        assert_int_equal(bet.number, 1);
        bets_file_advance(f->file);
        assert_int_equal(bets_file_peek(f->file, &bet, &f->err), STATUS_NOTFOUND);
    }
}

/* Each setting reads what it is for. */
static void test_settings(void **state)
{
    static const struct {
        struct bets_format format;
        const char *bytes;
        size_t size;
        const char *first_name;
    } cases[] = {
        {{BETS_ENCODING_WINDOWS_1252, 0, 0, 0},
         BYTES("Jos\xe9 \x80,N\xfa\xf1"
               "ez,1,1999-03-17,2\r\nEva,Gil,2,1999-03-17,1"),
         "Jos\xc3\xa9 \xe2\x82\xac"},
        {{BETS_ENCODING_ISO_8859_1, BETS_DELIMITER_SEMICOLON, BETS_HEADER_SKIP, 0},
         BYTES("a;b;c;d;e\nJos\xe9;\"P;z\";1;1999-03-17;2\r\nEva;Gil;2;1999-03-17;1\n"),
         "Jos\xc3\xa9"},
        {{BETS_ENCODING_UTF_16, BETS_DELIMITER_TAB, 0, 0},
         BYTES("\xff\xfe"
               "e\0\xac\x20\t\0x\0\t\0001\0\t\0001\0009\0009\0009\0-\0000\0003\0-\0001\0007\0"
               "\t\0002\0\n\0"
               "y\0\t\0z\0\t\0001\0\t\0001\0009\0009\0009\0-\0000\0003\0-\0001\0007\0"
               "\t\0001\0\n\0"),
         "e\xe2\x82\xac"},
        {{BETS_ENCODING_UTF_16BE, 0, 0, 0},
         BYTES(
             "\xd8\x3d\xde\x00\0,\0x\0,\0001\0,\0001\0009\0009\0009\0-\0000\0003\0-\0001\0007\0,"
             "\0002"
             "\0\n\0y\0,\0z\0,\0001\0,\0001\0009\0009\0009\0-\0000\0003\0-\0001\0007\0,\0001\0\n"),
         "\xf0\x9f\x98\x80"},
        {{BETS_ENCODING_UTF_16, 0, 0, 0},
         BYTES("\0z\0,\0x\0,\0001\0,\0001\0009\0009\0009\0-\0000\0003\0-\0001\0007\0,\0002\0\n"
               "\0y\0,\0z\0,\0001\0,\0001\0009\0009\0009\0-\0000\0003\0-\0001\0007\0,\0001\0\n"),
         "z"},
        {{0, 0, BETS_HEADER_SKIP, 0},
         BYTES("\n\xef\xbb\xbfnombre,apellido,documento,nacimiento,numero\n" ROW
               "\nEva,Gil,2,1999-03-17,1\n"),
         "Ana"},
        {{0, 0, BETS_HEADER_SKIP, 0},
         BYTES("\xef\xbb\xbfsep=,\r\nnombre,apellido,documento,nacimiento,numero\r\n" ROW
               "\r\nEva,Gil,2,1999-03-17,1\r\n"),
         "Ana"},
        {{0, BETS_DELIMITER_SEMICOLON, BETS_HEADER_SKIP, 0},
         BYTES("sep=;\nA,na;Paz;1;1999-03-17;1\nEva;Gil;2;1999-03-17;1\n"),
         "A,na"},
    };
    struct bets_fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        f->format = cases[i].format;
        assert_reads(f, cases[i].bytes, cases[i].size, cases[i].first_name);
    }
}

/* A header alone, with and without a line end, is not a bet, and may be allowed. */
static void test_header_alone(void **state)
{
    static const char *const texts[] = {"a,b,c,d,e", "a,b,c,d,e\r\n", "sep=,\na,b,c,d,e", "sep=,"};
    struct bets_fixture *f = *state;
    struct bet bet;

    f->format.header = BETS_HEADER_SKIP;
    f->format.empty = BETS_EMPTY_ALLOWED;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_int_equal(check(f, texts[i], strlen(texts[i])), STATUS_OK);
        assert_int_equal(bets_file_rows(f->file), 0);
        assert_int_equal(bets_fixture_seek(f, 0), STATUS_OK);
        assert_int_equal(bets_file_peek(f->file, &bet, &f->err), STATUS_NOTFOUND);
    }
}

/* A setting that does not fit the file is an error that names it; nobody's bet is skipped. */
static void test_wrong_settings(void **state)
{
    struct bets_fixture *f = *state;

    f->format.header = BETS_HEADER_SKIP;
    assert_advice(f, BYTES(ROW "\n" ROW "\n"), "1: a bet where a header should be; ",
                  "set it to none");
    assert_int_equal(bets_file_findings(f->file)->faults_count, 1);
    assert_advice(f, BYTES("Ana,Paz,1,17/03/1999,1\n" ROW "\n"), "1: birthdate", "17/03/1999");
    assert_advice(f, BYTES("a,b,c,d,e\n"), " no bets", "bets.allowEmpty");
    f->format = (struct bets_format){.delimiter = BETS_DELIMITER_SEMICOLON};
    assert_advice(f, BYTES(ROW "\n"), "1: 1 fields instead of 5; ", "set bets.delimiter to ,");
    assert_advice(f, BYTES("Ana;Paz;1;1999-03-17;1\n" ROW "\n"), "2: 1 fields instead of 5",
                  "set bets.delimiter to ,");
    f->format = (struct bets_format){.encoding = BETS_ENCODING_WINDOWS_1252};
    assert_advice(f, BYTES(ROW "\nA\x81,Paz,1,1999-03-17,1\n"), "2: first name",
                  "no character in the encoding");
    assert_int_equal(check(f, BYTES("Jos\xc3\xa9,Paz,1,1999-03-17,1\n")), STATUS_OK);
    assert_non_null(
        strstr(bets_file_findings(f->file)->warnings[0].text, "set bets.encoding to utf-8"));
    f->format = (struct bets_format){.encoding = BETS_ENCODING_UTF_16LE};
    assert_advice(f, BYTES("A\0\0\xd8,\0P\0,\0001\0"), "1: 3 fields", "3 fields instead of 5");
}

/* The server's own file, when it has no bet yet, is known by its journal beside it. */
static void test_empty_file_of_the_server(void **state)
{
    struct bets_fixture *f = *state;
    char journal[300];

    assert_advice(f, BYTES(""), " no bets: ", "set bets.allowEmpty to true if the agency has none");
    (void)snprintf(journal, sizeof(journal), "%s/bets.journal", f->folder);
    FILE *file = fopen(journal, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_advice(f, BYTES("\n"), " no bets, ", "the server's own bets.csv");
}

/* The files of the folder CASES. */
static void test_files_of_people(void **state)
{
    static const struct {
        const char *name;
        const char *advice; /* NULL: it is fit as it is */
        struct bets_format format;
        uint64_t rows; /* with the format; 0: no setting reads it */
    } cases[] = {
        {"utf16le-bom.csv", "bets.encoding to utf-16", {BETS_ENCODING_UTF_16, 0, 0, 0}, 3},
        {"utf16-tab.csv",
         "and bets.delimiter to tab",
         {BETS_ENCODING_UTF_16, BETS_DELIMITER_TAB, 0, 0},
         3},
        {"latin1.csv", "bets.encoding to windows-1252", {BETS_ENCODING_WINDOWS_1252, 0, 0, 0}, 3},
        {"semicolon.csv", "bets.delimiter to ;", {0, BETS_DELIMITER_SEMICOLON, 0, 0}, 3},
        {"tab.csv", "bets.delimiter to tab", {0, BETS_DELIMITER_TAB, 0, 0}, 3},
        {"sep-line.csv", "bets.header to skip", {0, 0, BETS_HEADER_SKIP, 0}, 3},
        {"header.csv", "bets.header to skip", {0, 0, BETS_HEADER_SKIP, 0}, 3},
        {"header-quoted-all.csv", NULL, {0, 0, 0, 0}, 3},
        {"only-commas-end.csv", "a row of empty fields", {0, 0, 0, 0}, 0},
        {"trailing-comma.csv", "the sixth column", {0, 0, 0, 0}, 0},
        {"dni-dots.csv", "30904465", {0, 0, 0, 0}, 0},
        {"dni-float.csv", "with decimals", {0, 0, 0, 0}, 0},
        {"number-float.csv", "with decimals", {0, 0, 0, 0}, 0},
        {"number-zeros.csv", NULL, {0, 0, 0, 0}, 1},
        {"date-excel-es.csv", "yyyy-mm-dd", {0, 0, 0, 0}, 0},
        {"date-one-digit.csv", "yyyy-mm-dd", {0, 0, 0, 0}, 0},
        {"date-time.csv", "a time after the date", {0, 0, 0, 0}, 0},
        {"ctrl-z.csv", "a Ctrl-Z", {0, 0, 0, 0}, 0},
        {"spaces-line.csv", "a line of blanks", {0, 0, 0, 0}, 0},
        {"mojibake.csv", "export the file again", {0, 0, 0, 0}, 0},
        {"crcrlf.csv", NULL, {0, 0, 0, 0}, 3},
        {"nfd.csv", NULL, {0, 0, 0, 0}, 3},
        {"nbsp.csv", NULL, {0, 0, 0, 0}, 1},
    };
    struct bets_fixture *f = *state;
    char path[512];
    size_t found = 0;

    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", CASES, cases[i].name);
        if (access(path, R_OK) != 0)
            continue;
        found++;
        f->format = (struct bets_format){0};
        assert_int_equal(check_path(f, path), cases[i].advice == NULL ? STATUS_OK : STATUS_INVALID);
        if (cases[i].advice != NULL && strstr(f->err.text, cases[i].advice) == NULL)
            fail_msg("%s", f->err.text);
        if (strcmp(cases[i].name, "nbsp.csv") == 0)
            assert_non_null(strstr(bets_file_findings(f->file)->warnings[0].text, "no-break"));
        f->format = cases[i].format;
        if (cases[i].rows > 0) {
            assert_int_equal(check_path(f, path), STATUS_OK);
            assert_int_equal(bets_file_rows(f->file), cases[i].rows);
        }
    }
    if (found == 0)
        _skip(__FILE__, __LINE__); /* cmocka_all.h has no skip() */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, bets_fixture_begin, bets_fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_rows),
        CASE(test_no_advice),
        CASE(test_kinds_of_file),
        CASE(test_same_fault_in_all_rows),
        CASE(test_all_bad_rows),
        CASE(test_count_of_the_rest),
        CASE(test_open_quotes),
        CASE(test_warnings),
        CASE(test_warning_between_blocks),
        CASE(test_settings),
        CASE(test_header_alone),
        CASE(test_wrong_settings),
        CASE(test_empty_file_of_the_server),
        CASE(test_files_of_people),
    };

    return cmocka_run_group_tests_name("bets_findings", tests, NULL, NULL);
}
