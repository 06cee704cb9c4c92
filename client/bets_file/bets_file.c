/* An agency's CSV.
 *
 * Nearly every row is one line without quotes that is a valid bet, and is taken as it lies there.
 * Any other goes to libcsv, which decides what it is. libcsv is fed one physical line at a time: so
 * its rows have line numbers, and a place between two rows has an offset in the file to come back
 * to.
 */
#include "bets_file.h"

#include "clock.h"
#include "csv_line.h"

#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_SIZE ((size_t)256 * 1024)
#define ROW_MAX ((size_t)4096) /* bytes of one row; a valid one has some 300 */
#define CHECK_ROWS 4096        /* rows that one call checks, and from one mark to the next */
#define FIELDS 5

/* Where a row begins. */
struct mark {
    uint64_t offset; /* bytes into the file */
    uint64_t line;   /* physical lines before it */
};

/* The row that libcsv is putting together. */
struct row {
    char text[ROW_MAX]; /* its fields */
    struct text fields[FIELDS];
    size_t size;  /* of text */
    size_t count; /* fields, also those beyond FIELDS */
    bool is_whole;
    bool is_too_long;
};

struct bets_file {
    char *path;
    int fd;
    struct csv_parser parser;
    struct stat info;   /* when it was opened */
    struct mark *marks; /* of every CHECK_ROWS-th row */
    size_t marks_count;
    size_t marks_capacity;
    uint64_t rows;  /* found by the check */
    uint32_t today; /* for the rules */

    struct mark at;    /* where the next line begins */
    uint64_t next_row; /* the row that begins there, or is peeked at */
    uint64_t row_line; /* physical line where the row in hand begins */
    size_t row_bytes;  /* of the row in hand that were fed */
    bool is_checked;   /* all rows keep the rules, while the file does not change */
    bool has_row;      /* the row in hand is whole, and a valid bet */
    bool is_at_end;
    size_t block_at; /* what of the block was fed */
    size_t block_size;
    struct bet bet; /* the row in hand */
    struct row row;
    char block[BLOCK_SIZE];
};

static void on_field(void *data, size_t size, void *context)
{
    struct row *row = context;

    if (row->count++ >= FIELDS)
        return;
    if (size > ROW_MAX - row->size) {
        row->is_too_long = true;
        return;
    }
    char *text = row->text + row->size;
    if (size > 0)
        memcpy(text, data, size);
    row->fields[row->count - 1] = (struct text){text, size};
    row->size += size;
}

static void on_row(int end, void *context)
{
    struct row *row = context;

    (void)end;
    row->is_whole = true;
}

/* Blanks belong to the field: " 7574" is no number. */
static int no_space(unsigned char byte)
{
    (void)byte;
    return 0;
}

static enum status fail_errno(const struct bets_file *file, struct errbuf *err)
{
    errbuf_set(err, "%s: %s", file->path, strerror(errno));
    return status_from_errno(errno);
}

static enum status fail_row(const struct bets_file *file, const char *reason, struct errbuf *err)
{
    errbuf_set(err, "%s:%llu: %s", file->path, (unsigned long long)file->row_line, reason);
    return STATUS_INVALID;
}

static int start_parser(struct bets_file *file)
{
    if (csv_init(&file->parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return -1;
    csv_set_space_func(&file->parser, no_space);
    return 0;
}

enum status bets_file_open(const char *path, struct bets_file **out, struct errbuf *err)
{
    struct bets_file *file = malloc(sizeof(*file));
    enum status status;

    if (file == NULL ||
        (memset(file, 0, offsetof(struct bets_file, row)), file->path = strdup(path)) == NULL) {
        errbuf_set(err, "%s: %s", path, status_text(STATUS_NOMEM));
        free(file);
        return STATUS_NOMEM;
    }
    file->today = clock_today();
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        status = fail_errno(file, err);
        goto err_free;
    }
    if (fstat(file->fd, &file->info) < 0) {
        status = fail_errno(file, err);
        goto err_close;
    }
    if (!S_ISREG(file->info.st_mode)) { /* it is read twice, and from the middle */
        errbuf_set(err, "%s: not a regular file", path);
        status = STATUS_INVALID;
        goto err_close;
    }
    if (start_parser(file) < 0) {
        errbuf_set(err, "%s: %s", path, status_text(STATUS_NOMEM));
        status = STATUS_NOMEM;
        goto err_close;
    }
    *out = file;
    return STATUS_OK;

err_close:
    (void)close(file->fd);
err_free:
    free(file->path);
    free(file);
    return status;
}

void bets_file_close(struct bets_file *file)
{
    if (file == NULL)
        return;
    csv_free(&file->parser);
    (void)close(file->fd);
    free(file->marks);
    free(file->path);
    free(file);
}

/* Is it the file that was checked? */
static enum status check_unchanged(const struct bets_file *file, struct errbuf *err)
{
    struct stat now;

    if (fstat(file->fd, &now) == 0 && now.st_size == file->info.st_size &&
        now.st_mtim.tv_sec == file->info.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == file->info.st_mtim.tv_nsec)
        return STATUS_OK;
    errbuf_set(err, "%s: changed while it was being sent", file->path);
    return STATUS_INVALID;
}

/* Moves what is left to the block's beginning and fills it up. */
static enum status fill_block(struct bets_file *file, struct errbuf *err)
{
    size_t left = file->block_size - file->block_at;

    memmove(file->block, file->block + file->block_at, left);
    file->block_at = 0;
    file->block_size = left;
    while (file->block_size < BLOCK_SIZE) {
        ssize_t got = pread(file->fd, file->block + file->block_size, BLOCK_SIZE - file->block_size,
                            (off_t)(file->at.offset + file->block_size));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(file, err);
        if (got == 0)
            break;
        file->block_size += (size_t)got;
    }
    return file->is_checked ? check_unchanged(file, err) : STATUS_OK;
}

/* The next physical line, with its end if it has one. Empty at the end of the file. */
static enum status next_line(struct bets_file *file, struct text *out, struct errbuf *err)
{
    for (int i = 0;; i++) {
        const char *from = file->block + file->block_at;
        size_t left = file->block_size - file->block_at;
        const char *newline = memchr(from, '\n', left);
        if (newline != NULL || i > 0) {
            *out = (struct text){from, newline != NULL ? (size_t)(newline - from) + 1 : left};
            return STATUS_OK;
        }
        enum status status = fill_block(file, err);
        if (status != STATUS_OK)
            return status;
    }
}

static bool begins_with_mark(const struct text *line)
{
    return line->size >= 3 && memcmp(line->data, "\xef\xbb\xbf", 3) == 0;
}

static bool is_blank(struct text line, size_t from)
{
    while (from < line.size && (line.data[from] == '\r' || line.data[from] == '\n'))
        from++;
    return from == line.size;
}

/* libcsv would end a row at any carriage return, and rows could then begin within a line. */
static bool has_stray_return(struct text line)
{
    while (line.size > 0 && (line.data[line.size - 1] == '\n' || line.data[line.size - 1] == '\r'))
        line.size--;
    return memchr(line.data, '\r', line.size) != NULL;
}

static enum status feed_parser(struct bets_file *file, const char *data, size_t size,
                               struct errbuf *err)
{
    if (csv_parse(&file->parser, data, size, on_field, on_row, &file->row) == size)
        return STATUS_OK;
    return fail_row(file, "a quote in the wrong place", err);
}

/* Takes the next line into the row in hand. */
static enum status take_line(struct bets_file *file, struct errbuf *err)
{
    struct text line;

    enum status status = next_line(file, &line, err);
    if (status != STATUS_OK)
        return status;
    if (file->row_bytes == 0)
        file->row_line = file->at.line + 1;
    if (line.size == 0) { /* the end: what has no line end yet is a row, too */
        file->is_at_end = true;
        if (csv_fini(&file->parser, on_field, on_row, &file->row) != 0)
            return fail_row(file, "a quote that is never closed", err);
        return STATUS_OK;
    }
    size_t skipped = file->at.offset == 0 && begins_with_mark(&line) ? 3 : 0;
    if (line.size - skipped > ROW_MAX - file->row_bytes)
        return fail_row(file, "row longer than 4096 bytes", err);
    if (has_stray_return(line))
        return fail_row(file, "a carriage return within a line", err);
    status = feed_parser(file, line.data + skipped, line.size - skipped, err);
    file->block_at += line.size;
    file->at.offset += line.size;
    file->at.line++;
    /* A blank line between rows is no row, and nothing is in hand after it. */
    if (file->row_bytes > 0 || !is_blank(line, skipped))
        file->row_bytes += line.size;
    return status;
}

/* The fields of a row that was checked before. What is written relies on the bounds, so these are
 * looked at again; the central looks at everything. */
static enum bet_fault read_checked_bet(const struct text fields[FIELDS], struct bet *out)
{
    *out = (struct bet){fields[0], fields[1], fields[2], fields[3], 0};
    enum bet_fault fault = bet_number_read(fields[4], &out->number);
    return fault != BET_FAULT_NONE ? fault : bet_check_sizes(out);
}

/* The fields of a row as a bet, if that is what they are. */
static enum bet_fault read_bet(const struct text fields[FIELDS], uint32_t today, struct bet *out)
{
    enum bet_fault fault = read_checked_bet(fields, out);

    return fault != BET_FAULT_NONE ? fault : bet_check(out, today);
}

/* Takes the next line as a row of its own, if it is a valid bet without quotes. A carriage return
 * within is left to libcsv: no field of a valid bet has one. The first line may have a mark. */
static bool take_plain_line(struct bets_file *file)
{
    struct text fields[FIELDS];
    const char *line = file->block + file->block_at;

    if (file->at.offset == 0)
        return false;
    size_t size = csv_line_split(line, file->block_size - file->block_at, fields, FIELDS);
    if (size == 0)
        return false;
    enum bet_fault fault = file->is_checked ? read_checked_bet(fields, &file->bet)
                                            : read_bet(fields, file->today, &file->bet);
    if (fault != BET_FAULT_NONE)
        return false;
    file->block_at += size;
    file->at.offset += size;
    file->at.line++;
    return true;
}

static enum status check_row(struct bets_file *file, struct errbuf *err)
{
    const struct row *row = &file->row;

    if (row->count != FIELDS) {
        errbuf_set(err, "%s:%llu: %zu fields instead of 5", file->path,
                   (unsigned long long)file->row_line, row->count);
        return STATUS_INVALID;
    }
    if (row->is_too_long)
        return fail_row(file, "row longer than 4096 bytes", err);
    enum bet_fault fault = read_bet(row->fields, file->today, &file->bet);
    return fault == BET_FAULT_NONE ? STATUS_OK : fail_row(file, bet_fault_text(fault), err);
}

/* Takes the next row through libcsv, of however many lines it is. */
static enum status take_row(struct bets_file *file, struct errbuf *err)
{
    do {
        if (file->is_at_end)
            return STATUS_NOTFOUND;
        if (file->row_bytes == 0) {
            file->row.count = 0;
            file->row.size = 0;
            file->row.is_whole = false;
            file->row.is_too_long = false;
        }
        enum status status = take_line(file, err);
        if (status != STATUS_OK)
            return status;
    } while (!file->row.is_whole);
    return check_row(file, err);
}

enum status bets_file_peek(struct bets_file *file, struct bet *out, struct errbuf *err)
{
    if (!file->has_row && !take_plain_line(file)) {
        enum status status = take_row(file, err);
        if (status != STATUS_OK)
            return status;
    }
    file->has_row = true;
    *out = file->bet;
    return STATUS_OK;
}

void bets_file_advance(struct bets_file *file)
{
    file->has_row = false;
    file->row_bytes = 0;
    file->next_row++;
}

static enum status add_mark(struct bets_file *file, struct errbuf *err)
{
    if (file->marks_count == file->marks_capacity) {
        size_t capacity = file->marks_capacity == 0 ? 64 : file->marks_capacity * 2;
        struct mark *grown = realloc(file->marks, capacity * sizeof(*grown));
        if (grown == NULL) {
            errbuf_set(err, "%s: %s", file->path, status_text(STATUS_NOMEM));
            return STATUS_NOMEM;
        }
        file->marks = grown;
        file->marks_capacity = capacity;
    }
    file->marks[file->marks_count++] = file->at;
    return STATUS_OK;
}

enum status bets_file_check(struct bets_file *file, bool *out_done, struct errbuf *err)
{
    struct bet bet;

    enum status status = add_mark(file, err);
    for (int i = 0; status == STATUS_OK && i < CHECK_ROWS; i++) {
        status = bets_file_peek(file, &bet, err);
        if (status == STATUS_OK)
            bets_file_advance(file);
    }
    *out_done = status == STATUS_NOTFOUND;
    file->is_checked = *out_done;
    if (status != STATUS_OK && status != STATUS_NOTFOUND)
        return status;
    file->rows = file->next_row;
    return STATUS_OK;
}

uint64_t bets_file_rows(const struct bets_file *file)
{
    return file->rows;
}

enum status bets_file_seek(struct bets_file *file, uint64_t row, struct errbuf *err)
{
    struct bet bet;

    enum status status = check_unchanged(file, err);
    if (status != STATUS_OK)
        return status;
    csv_free(&file->parser);
    if (start_parser(file) < 0) {
        errbuf_set(err, "%s: %s", file->path, status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    file->at = file->marks[row / CHECK_ROWS];
    file->next_row = row / CHECK_ROWS * CHECK_ROWS;
    file->has_row = false;
    file->row_bytes = 0;
    file->is_at_end = false;
    file->block_at = 0;
    file->block_size = 0;
    while (file->next_row < row) {
        status = bets_file_peek(file, &bet, err);
        if (status != STATUS_OK)
            return status;
        bets_file_advance(file);
    }
    return STATUS_OK;
}
