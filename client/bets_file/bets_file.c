/* An agency's CSV file.
 *
 * Nearly every row is one line without quotes that is a valid bet; it is used where it lies in the
 * line reader's block. Any other row goes to the row parser, which decides whether it is valid.
 * While the file is checked, the position of every CHECK_ROWS-th row is noted as a mark, so that
 * any row can be found again.
 */
#include "bets_file.h"

#include "assertion.h"
#include "buffer.h"
#include "clock.h"
#include "csv_line.h"
#include "line_reader.h"
#include "row_parser.h"

#include <stdlib.h>

#define CHECK_ROWS 4096 /* rows that one call checks, and from one mark to the next */

struct bets_file {
    uint32_t today;              /* for the rules: YYYYMMDD */
    bool is_checked;             /* all rows keep the rules, while the file does not change */
    bool has_row;                /* `bet` is the current row */
    uint64_t next_row;           /* the number of the current row */
    uint64_t rows;               /* found by the check */
    struct bet bet;              /* the current row */
    struct line_position *marks; /* of every CHECK_ROWS-th row */
    size_t marks_count;
    size_t marks_capacity;
    struct row_parser parser;
    struct line_reader lines;
};

enum status bets_file_open(const char *path, struct bets_file **out, struct errbuf *err)
{
    struct bets_file *file = calloc(1, sizeof(*file));
    enum status status = STATUS_NOMEM;

    if (file == NULL || row_parser_init(&file->parser) != STATUS_OK) {
        errbuf_set(err, "%s: %s", path, status_text(status));
        goto err_free;
    }
    file->today = clock_today();
    status = line_reader_open(&file->lines, path, err);
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
 * carriage return in it is left to the row parser: no field of a valid bet has one. So is the first
 * line, which may begin with a byte order mark. */
static bool bets_file_take_plain_line(struct bets_file *file)
{
    struct text fields[ROW_FIELDS];
    struct text buffered = line_reader_buffered(&file->lines);

    if (file->lines.at.offset == 0)
        return false;
    size_t size = csv_line_split(buffered.data, buffered.size, fields, ROW_FIELDS);
    if (size == 0)
        return false;
    enum bet_fault fault = file->is_checked ? bets_file_read_checked_bet(fields, &file->bet)
                                            : bets_file_read_bet(fields, file->today, &file->bet);
    if (fault != BET_FAULT_NONE)
        return false;
    line_reader_skip(&file->lines, size);
    return true;
}

/* Takes the next row with the row parser. */
static enum status bets_file_take_row(struct bets_file *file, struct errbuf *err)
{
    enum status status = row_parser_read(&file->parser, &file->lines, err);

    if (status != STATUS_OK)
        return status;
    enum bet_fault fault = bets_file_read_bet(file->parser.fields, file->today, &file->bet);
    if (fault != BET_FAULT_NONE)
        return row_parser_refuse(&file->parser, &file->lines, bet_fault_text(fault), err);
    return STATUS_OK;
}

enum status bets_file_peek(struct bets_file *file, struct bet *out, struct errbuf *err)
{
    if (!file->has_row && !bets_file_take_plain_line(file)) {
        enum status status = bets_file_take_row(file, err);
        if (status != STATUS_OK)
            return status;
    }
    file->has_row = true;
    *out = file->bet;
    return STATUS_OK;
}

void bets_file_advance(struct bets_file *file)
{
    ASSERT(file->has_row);
    file->has_row = false;
    file->next_row++;
}

/* Adds a mark for the place where the next row begins. */
static enum status bets_file_add_mark(struct bets_file *file, struct errbuf *err)
{
    if (file->marks_count == file->marks_capacity) {
        struct line_position *grown =
            array_grow(file->marks, &file->marks_capacity, file->marks_count + 1, sizeof(*grown));
        if (grown == NULL) {
            errbuf_set(err, "%s: %s", file->lines.path, status_text(STATUS_NOMEM));
            return STATUS_NOMEM;
        }
        file->marks = grown;
    }
    file->marks[file->marks_count++] = file->lines.at;
    return STATUS_OK;
}

enum status bets_file_check(struct bets_file *file, bool *out_done, struct errbuf *err)
{
    struct bet bet;

    ASSERT(!file->is_checked);
    enum status status = bets_file_add_mark(file, err);
    for (int i = 0; status == STATUS_OK && i < CHECK_ROWS; i++) {
        status = bets_file_peek(file, &bet, err);
        if (status == STATUS_OK)
            bets_file_advance(file);
    }
    if (status != STATUS_OK && status != STATUS_NOTFOUND)
        return status;
    file->is_checked = status == STATUS_NOTFOUND;
    file->lines.must_be_unchanged = file->is_checked;
    file->rows = file->next_row;
    *out_done = file->is_checked;
    return STATUS_OK;
}

uint64_t bets_file_rows(const struct bets_file *file)
{
    return file->rows;
}

enum status bets_file_seek(struct bets_file *file, uint64_t row, struct errbuf *err)
{
    struct bet bet;

    ASSERT(file->is_checked && row <= file->rows);
    enum status status = line_reader_seek(&file->lines, file->marks[row / CHECK_ROWS], err);
    if (status != STATUS_OK)
        return status;
    if (row_parser_restart(&file->parser) != STATUS_OK) {
        errbuf_set(err, "%s: %s", file->lines.path, status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    file->next_row = row / CHECK_ROWS * CHECK_ROWS;
    file->has_row = false;
    while (file->next_row < row) {
        status = bets_file_peek(file, &bet, err);
        if (status != STATUS_OK)
            return status;
        bets_file_advance(file);
    }
    return STATUS_OK;
}
