/* An agency's CSV file.
 *
 * Nearly every row is one line without quotes that is a valid bet; it is used where it lies in the
 * line reader's block. Any other row goes to the row parser, which decides whether it is valid; so
 * do all rows with another delimiter than a comma. While the file is checked, the position of every
 * CHECK_ROWS-th row is noted as a mark, so that any row can be found again. The checksum of the
 * rows is computed on the second reading alone, and noted at the marks: a row further on is reached
 * from the last mark that has one.
 */
#include "bets_file.h"

#include "assertion.h"
#include "buffer.h"
#include "clock.h"
#include "csv_line.h"
#include "file_kind.h"
#include "line_reader.h"
#include "row_advice.h"
#include "row_checksum.h"
#include "row_parser.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECK_ROWS 4096 /* rows that one call checks, and from one mark to the next */

struct bets_mark {
    struct line_position at; /* where a row begins */
    uint32_t checksum;       /* of the rows before it, if it is one of those that have it */
};

struct bets_file {
    uint32_t today;            /* for the rules: YYYYMMDD */
    struct bets_format format; /* how it is written */
    uint64_t plain_from;       /* the offset from where on lines without quotes may be taken */
    bool has_begun;            /* what comes before the first bet has been read */
    uint32_t skipped;          /* rows before it */
    bool is_hopeless;          /* all rows are bad for the reason that was given */
    uint64_t faults;           /* bad rows */
    uint32_t advised;          /* bit i: the advice i was given */
    struct bets_findings findings;
    bool is_checked;   /* all rows keep the rules, while the file does not change */
    bool has_row;      /* `bet` is the current row */
    uint64_t next_row; /* the number of the current row */
    uint64_t rows;     /* found by the check */
    struct bet bet;    /* the current row */
    bool is_seeking;   /* on the way to `sought_row` */
    uint64_t sought_row;
    struct text plain_number; /* of the current row, if it is a plain line; otherwise empty */
    struct row_checksum checksum;
    struct bets_mark *marks; /* of every CHECK_ROWS-th row */
    size_t marks_count;
    size_t marks_capacity;
    size_t marks_summed;   /* the first of them, which have a checksum */
    uint64_t unsummed_row; /* of the first mark without one */
    struct row_parser parser;
    struct line_reader lines;
};

static char bets_file_delimiter(const struct bets_format *format)
{
    switch (format->delimiter) {
    case BETS_DELIMITER_SEMICOLON:
        return ';';
    case BETS_DELIMITER_TAB:
        return '\t';
    case BETS_DELIMITER_COMMA:
        break;
    }
    return ',';
}

enum status bets_file_open(const char *path, const struct bets_format *format, uint32_t agency,
                           struct bets_file **out, struct errbuf *err)
{
    struct bets_file *file = calloc(1, sizeof(*file));
    enum status status = STATUS_NOMEM;

    if (file == NULL || row_parser_init(&file->parser, bets_file_delimiter(format)) != STATUS_OK) {
        errbuf_set(err, "%s: %s", path, status_text(status));
        goto err_free;
    }
    file->today = clock_today();
    file->format = *format;
    row_checksum_init(&file->checksum, agency);
    file->marks_summed = 1; /* before the first row there is nothing */
    file->unsummed_row = CHECK_ROWS;
    /* The first line may begin with a byte order mark. */
    file->plain_from = format->delimiter == BETS_DELIMITER_COMMA ? 1 : UINT64_MAX;
    status = line_reader_open(&file->lines, path, format->encoding, err);
    if (status != STATUS_OK)
        goto err_after_parser;
    *out = file;
    return STATUS_OK;

err_after_parser:
    row_parser_fini(&file->parser);
err_free:
    free(file);
    return status;
}

void bets_file_close(struct bets_file *file)
{
    if (file == NULL)
        return;
    row_parser_fini(&file->parser);
    line_reader_close(&file->lines);
    free(file->marks);
    free(file);
}

bool bets_file_is_at(const struct bets_file *file, const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && info.st_dev == file->lines.info.st_dev &&
           info.st_ino == file->lines.info.st_ino;
}

/* Reads the fields of a row that was checked before. Checks the sizes again, because the code that
 * writes messages relies on them; the server checks all rules. */
static enum bet_fault bets_file_read_checked_bet(const struct text fields[ROW_FIELDS],
                                                 struct bet *out)
{
    *out = (struct bet){fields[0], fields[1], fields[2], fields[3], 0};
    enum bet_fault fault = bet_number_read(fields[4], &out->number);
    return fault != BET_FAULT_NONE ? fault : bet_check_sizes(out);
}

/* Reads the fields of a row as a bet and checks all rules. */
static enum bet_fault bets_file_read_bet(const struct text fields[ROW_FIELDS], uint32_t today,
                                         struct bet *out)
{
    enum bet_fault fault = bets_file_read_checked_bet(fields, out);

    return fault != BET_FAULT_NONE ? fault : bet_check(out, today);
}

/* Takes the next line as a row of its own, if it is a valid bet without quotes. A line with a
 * carriage return in it is left to the row parser: no field of a valid bet has one. */
static bool bets_file_take_plain_line(struct bets_file *file)
{
    struct text fields[ROW_FIELDS];
    struct text buffered = line_reader_buffered(&file->lines);

    if (file->lines.at.offset < file->plain_from)
        return false;
    size_t size = csv_line_split(buffered.data, buffered.size, fields, ROW_FIELDS);
    if (size == 0)
        return false;
    enum bet_fault fault = file->is_checked ? bets_file_read_checked_bet(fields, &file->bet)
                                            : bets_file_read_bet(fields, file->today, &file->bet);
    if (fault != BET_FAULT_NONE)
        return false;
    line_reader_skip(&file->lines, size);
    file->plain_number = fields[ROW_FIELDS - 1];
    return true;
}

/* Has no row been judged before? */
static bool bets_file_is_at_first_row(const struct bets_file *file)
{
    return file->next_row == 0 && file->faults == 0;
}

/* Adds what a bad row is and what to do, if that has not been said yet. */
static void bets_file_advise(struct bets_file *file, enum row_advice advice, char *out, size_t size)
{
    out[0] = '\0';
    if (advice == ROW_ADVICE_NONE || (file->advised >> advice & 1) != 0)
        return;
    file->advised |= UINT32_C(1) << advice;
    (void)snprintf(out, size, "; %s", row_advice_text(advice));
}

/* Is the file something else than CSV in the encoding expected? Says so in *err. */
static bool bets_file_is_other_kind(const struct bets_file *file, struct errbuf *err)
{
    char kind[FILE_KIND_TEXT_MAX];
    char head[FILE_KIND_HEAD];
    struct text begin = {head, line_reader_head(&file->lines, head, sizeof(head))};

    if (!file_kind_describe(begin, file->format.encoding, kind))
        return false;
    errbuf_set(err, "%s:1: %s", file->lines.path, kind);
    return true;
}

/* Returns STATUS_MALFORMED, with "file:line: reason; advice" in *err. */
static enum status bets_file_refuse_row(struct bets_file *file, const char *reason,
                                        enum row_advice advice, struct errbuf *err)
{
    char more[512];

    if (bets_file_is_at_first_row(file)) {
        file->is_hopeless = bets_file_is_other_kind(file, err);
        if (file->is_hopeless)
            return STATUS_MALFORMED;
        file->is_hopeless = row_advice_is_about_file(advice);
    }
    bets_file_advise(file, advice, more, sizeof(more));
    errbuf_set(err, "%s:%" PRIu64 ": %s%s", file->lines.path, file->parser.begin.line + 1, reason,
               more);
    return STATUS_MALFORMED;
}

/* What the row is that the parser has read and that has this fault. */
static enum row_advice bets_file_advice(const struct bets_file *file, enum bet_fault fault)
{
    return row_advice_find(&(struct row_facts){
        .fields = file->parser.fields,
        .count = file->parser.count,
        .fault = fault,
        .is_first = bets_file_is_at_first_row(file) && file->format.header == BETS_HEADER_NONE,
        .format = &file->format,
        .today = file->today,
    });
}

/* Is the row that the parser has read before the first bet: a line "sep=;" or a header? Only if the
 * settings say that there may be some. */
static bool bets_file_is_before_bets(struct bets_file *file)
{
    const struct row_parser *parser = &file->parser;

    if (file->has_begun || file->format.header == BETS_HEADER_NONE)
        return false;
    if (file->skipped == 0 && row_advice_is_sep_line(parser->fields, parser->count)) {
        file->skipped++;
        return true;
    }
    file->has_begun = true;
    if (!row_advice_is_header(parser->fields, parser->count))
        return false;
    file->skipped++;
    return true;
}

/* Reads the fields of the row that the parser has read as a bet. STATUS_MALFORMED when it is bad.
 */
static enum status bets_file_judge_row(struct bets_file *file, struct errbuf *err)
{
    const struct row_parser *parser = &file->parser;

    if (parser->count != ROW_FIELDS) {
        char reason[64];
        (void)snprintf(reason, sizeof(reason), "%zu fields instead of 5", parser->count);
        return bets_file_refuse_row(file, reason, bets_file_advice(file, BET_FAULT_NONE), err);
    }
    enum bet_fault fault = bets_file_read_bet(parser->fields, file->today, &file->bet);
    if (fault != BET_FAULT_NONE)
        return bets_file_refuse_row(file, bet_fault_text(fault), bets_file_advice(file, fault),
                                    err);
    if (file->format.header == BETS_HEADER_SKIP && file->skipped == 0 && !file->is_checked &&
        bets_file_is_at_first_row(file))
        return bets_file_refuse_row(file, "a bet where a header should be", ROW_ADVICE_NO_HEADER,
                                    err);
    return STATUS_OK;
}

/* Takes the next row with the row parser. STATUS_MALFORMED when it is bad. */
static enum status bets_file_take_row(struct bets_file *file, struct errbuf *err)
{
    enum status status;

    file->plain_number.size = 0;
    do
        status = row_parser_read(&file->parser, &file->lines, err);
    while (status == STATUS_OK && bets_file_is_before_bets(file));
    if (status == STATUS_MALFORMED)
        return bets_file_refuse_row(file, file->parser.fault, ROW_ADVICE_NONE, err);
    return status == STATUS_OK ? bets_file_judge_row(file, err) : status;
}

enum status bets_file_peek(struct bets_file *file, struct bet *out, struct errbuf *err)
{
    if (!file->has_row && !bets_file_take_plain_line(file)) {
        enum status status = bets_file_take_row(file, err);
        if (status != STATUS_OK)
            return status == STATUS_MALFORMED ? STATUS_INVALID : status;
    }
    file->has_row = true;
    *out = file->bet;
    return STATUS_OK;
}

enum status bets_file_locate(struct bets_file *file, struct errbuf *out, struct errbuf *err)
{
    struct bet bet;

    enum status status = bets_file_peek(file, &bet, err);
    if (status != STATUS_OK)
        return status;
    /* A plain line is the one before the reader's place; any other row was left to the parser. */
    uint64_t line = file->plain_number.size > 0 ? file->lines.at.line : file->parser.begin.line + 1;
    errbuf_set(out, "%s:%" PRIu64, file->lines.path, line);
    return STATUS_OK;
}

/* The current row is the first with a mark that has no checksum yet. */
static void bets_file_sum_mark(struct bets_file *file)
{
    if (file->marks_summed < file->marks_count)
        file->marks[file->marks_summed++].checksum = row_checksum_value(&file->checksum);
    file->unsummed_row = (uint64_t)file->marks_summed * CHECK_ROWS;
}

/* Adds the current row to the checksum. As a plain line it lies there as bets.csv has it, unless
 * its number has needless zeros. */
static void bets_file_sum_row(struct bets_file *file)
{
    struct text number = file->plain_number;
    const char *begin = file->bet.first_name.data;

    if (number.size == 1 || (number.size > 1 && number.data[0] != '0'))
        row_checksum_add_plain(&file->checksum,
                               (struct text){begin, (size_t)(number.data + number.size - begin)});
    else
        row_checksum_add(&file->checksum, &file->bet);
}

void bets_file_advance(struct bets_file *file)
{
    ASSERT(file->has_row);
    bets_file_sum_row(file);
    file->has_row = false;
    if (++file->next_row == file->unsummed_row)
        bets_file_sum_mark(file);
}

/* Adds a mark: the place where a row begins. */
static enum status bets_file_add_mark(struct bets_file *file, struct line_position place,
                                      struct errbuf *err)
{
    if (file->marks_count == file->marks_capacity) {
        struct bets_mark *grown =
            array_grow(file->marks, &file->marks_capacity, file->marks_count + 1, sizeof(*grown));
        if (grown == NULL) {
            errbuf_set(err, "%s: %s", file->lines.path, status_text(STATUS_NOMEM));
            return STATUS_NOMEM;
        }
        file->marks = grown;
    }
    file->marks[file->marks_count++] = (struct bets_mark){.at = place};
    return STATUS_OK;
}

/* Keeps the text about a bad row, if it is one of the first. */
static void bets_file_keep_fault(struct bets_file *file, const struct errbuf *text)
{
    struct bets_findings *findings = &file->findings;

    if (file->faults++ < BETS_FILE_FAULTS_MAX)
        findings->faults[findings->faults_count++] = *text;
}

/* Checks a row that is no plain line; a bad one is kept in mind. STATUS_NOTFOUND after the last. */
static enum status bets_file_check_other_row(struct bets_file *file, struct errbuf *err)
{
    enum status status = bets_file_take_row(file, err);

    if (status == STATUS_OK)
        file->next_row++;
    if (status != STATUS_MALFORMED)
        return status;
    bets_file_keep_fault(file, err);
    if (file->is_hopeless)
        return STATUS_NOTFOUND;
    return file->parser.fault == NULL ? STATUS_OK
                                      : row_parser_recover(&file->parser, &file->lines, err);
}

/* Checks the next row. STATUS_NOTFOUND after the last one. */
static enum status bets_file_check_row(struct bets_file *file, struct errbuf *err)
{
    if (!bets_file_take_plain_line(file))
        return bets_file_check_other_row(file, err);
    file->next_row++;
    return STATUS_OK;
}

/* Checks the first row, and notes where it begins, after what was skipped; if there is none, that
 * is the end of the file. */
static enum status bets_file_check_first_row(struct bets_file *file, struct errbuf *err)
{
    enum status status = bets_file_check_other_row(file, err);

    if (status != STATUS_OK && status != STATUS_NOTFOUND)
        return status;
    enum status added = bets_file_add_mark(
        file, status == STATUS_OK ? file->parser.begin : line_reader_here(&file->lines), err);
    return added == STATUS_OK ? status : added;
}

/* Is there a file of the server's beside this one? */
static bool bets_file_is_in_data_directory(const struct bets_file *file)
{
    const char *path = file->lines.path;
    const char *slash = strrchr(path, '/');
    char journal[1024];

    int size = snprintf(journal, sizeof(journal), "%.*sbets.journal",
                        slash == NULL ? 0 : (int)(slash - path + 1), path);
    return size > 0 && (size_t)size < sizeof(journal) && access(journal, F_OK) == 0;
}

/* A file without a bet is more likely a mistake than an agency without bets: if it were sent, the
 * agency would be finished. */
static void bets_file_refuse_empty(struct bets_file *file)
{
    struct errbuf text;

    if (bets_file_is_in_data_directory(file))
        errbuf_set(&text, "%s: no bets, and it lies in the server's data directory: %s",
                   file->lines.path, row_advice_text(ROW_ADVICE_SERVER_FILE));
    else
        errbuf_set(&text, "%s: no bets: set bets.allowEmpty to true if the agency has none",
                   file->lines.path);
    bets_file_keep_fault(file, &text);
}

static void bets_file_warn(struct bets_file *file, enum odd_text kind, enum row_advice advice)
{
    struct bets_findings *findings = &file->findings;
    uint64_t line = file->lines.odd.lines[kind];

    if (line != 0 && (file->advised >> advice & 1) == 0)
        errbuf_set(&findings->warnings[findings->warnings_count++], "%s:%" PRIu64 ": %s",
                   file->lines.path, line, row_advice_text(advice));
}

/* All rows have been checked: says what is to be said about all of them. */
static enum status bets_file_end_check(struct bets_file *file, struct errbuf *err)
{
    struct bets_findings *findings = &file->findings;

    if (!file->is_hopeless) {
        bets_file_warn(file, ODD_TEXT_BLANK, ROW_ADVICE_NO_BREAK_SPACE);
        bets_file_warn(file, ODD_TEXT_MOJIBAKE, ROW_ADVICE_MOJIBAKE);
    }
    if (file->faults == 0 && file->next_row == 0 && file->format.empty == BETS_EMPTY_REFUSED)
        bets_file_refuse_empty(file);
    if (file->faults == 0)
        return STATUS_OK;
    if (file->faults > BETS_FILE_FAULTS_MAX)
        errbuf_set(&findings->faults[findings->faults_count++], "%s: %" PRIu64 " more bad rows",
                   file->lines.path, file->faults - BETS_FILE_FAULTS_MAX);
    errbuf_set(err, "%s", findings->faults[0].text);
    return STATUS_INVALID;
}

enum status bets_file_check(struct bets_file *file, bool *out_done, struct errbuf *err)
{
    enum status status;

    ASSERT(!file->is_checked);
    if (file->marks_count == 0)
        status = bets_file_check_first_row(file, err);
    else
        status = bets_file_add_mark(file, line_reader_here(&file->lines), err);
    for (int i = file->marks_count == 1; status == STATUS_OK && i < CHECK_ROWS; i++)
        status = bets_file_check_row(file, err);
    if (status != STATUS_OK && status != STATUS_NOTFOUND)
        return status;
    if (status == STATUS_NOTFOUND) {
        status = bets_file_end_check(file, err);
        if (status != STATUS_OK)
            return status;
        file->is_checked = true;
        file->lines.must_be_unchanged = true;
    }
    file->rows = file->next_row;
    *out_done = file->is_checked;
    return STATUS_OK;
}

const struct bets_findings *bets_file_findings(const struct bets_file *file)
{
    return &file->findings;
}

uint64_t bets_file_rows(const struct bets_file *file)
{
    return file->rows;
}

/* Goes to the last mark before the row of which the checksum is known. */
static enum status bets_file_start_seek(struct bets_file *file, uint64_t row, struct errbuf *err)
{
    size_t mark = (size_t)(row / CHECK_ROWS);

    if (mark >= file->marks_summed)
        mark = file->marks_summed - 1;
    file->is_seeking = false;
    enum status status = line_reader_seek(&file->lines, file->marks[mark].at, err);
    if (status != STATUS_OK)
        return status;
    if (row_parser_restart(&file->parser) != STATUS_OK) {
        errbuf_set(err, "%s: %s", file->lines.path, status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    row_checksum_restart(&file->checksum, file->marks[mark].checksum);
    file->next_row = (uint64_t)mark * CHECK_ROWS;
    file->has_row = false;
    file->is_seeking = true;
    file->sought_row = row;
    return STATUS_OK;
}

enum status bets_file_seek(struct bets_file *file, uint64_t row, bool *out_done, struct errbuf *err)
{
    enum status status = STATUS_OK;
    struct bet bet;

    ASSERT(file->is_checked && row <= file->rows);
    if (!file->is_seeking || file->sought_row != row)
        status = bets_file_start_seek(file, row, err);
    for (int i = 0; status == STATUS_OK && i < CHECK_ROWS && file->next_row < row; i++) {
        status = bets_file_peek(file, &bet, err);
        if (status == STATUS_OK)
            bets_file_advance(file);
    }
    if (status != STATUS_OK)
        return status;
    file->is_seeking = file->next_row < row;
    *out_done = !file->is_seeking;
    return STATUS_OK;
}

uint32_t bets_file_checksum(struct bets_file *file)
{
    ASSERT(file->is_checked && !file->is_seeking);
    return row_checksum_value(&file->checksum);
}
