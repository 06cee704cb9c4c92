#include "row_parser.h"

#include "assertion.h"

#include <string.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define BYTE_ORDER_MARK_SIZE ((size_t)3)

static void row_parser_on_field(void *data, size_t size, void *context)
{
    struct row_parser *parser = context;

    if (parser->count++ >= ROW_FIELDS_KEPT)
        return;
    ASSERT(size <= ROW_MAX - parser->size); /* fields are never longer than the bytes fed */
    char *text = parser->text + parser->size;
    if (size > 0)
        memcpy(text, data, size);
    parser->fields[parser->count - 1] = (struct text){text, size};
    parser->size += size;
}

static void row_parser_on_row(int end, void *context)
{
    struct row_parser *parser = context;

    (void)end;
    parser->is_whole = true;
}

/* Keeps libcsv from trimming blanks: they belong to the field, so " 7574" is not a number. */
static int row_parser_is_space(unsigned char byte)
{
    (void)byte;
    return 0;
}

enum status row_parser_init(struct row_parser *parser, char delimiter)
{
    parser->is_at_end = false;
    parser->delimiter = delimiter;
    if (csv_init(&parser->csv, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return STATUS_NOMEM;
    csv_set_delim(&parser->csv, (unsigned char)delimiter);
    csv_set_space_func(&parser->csv, row_parser_is_space);
    return STATUS_OK;
}

void row_parser_fini(struct row_parser *parser)
{
    csv_free(&parser->csv);
}

enum status row_parser_restart(struct row_parser *parser)
{
    row_parser_fini(parser);
    return row_parser_init(parser, parser->delimiter);
}

static enum status row_parser_refuse(struct row_parser *parser, const char *fault)
{
    parser->fault = fault;
    return STATUS_MALFORMED;
}

static bool row_has_byte_order_mark(struct text line)
{
    return line.size >= BYTE_ORDER_MARK_SIZE &&
           memcmp(line.data, BYTE_ORDER_MARK, BYTE_ORDER_MARK_SIZE) == 0;
}

static bool row_is_blank(struct text line)
{
    size_t at = 0;

    while (at < line.size && (line.data[at] == '\r' || line.data[at] == '\n'))
        at++;
    return at == line.size;
}

/* Is there a carriage return within the line? libcsv would end a row there, and rows could then
 * begin in the middle of a line. */
static bool row_has_stray_return(struct text line)
{
    while (line.size > 0 && (line.data[line.size - 1] == '\n' || line.data[line.size - 1] == '\r'))
        line.size--;
    return memchr(line.data, '\r', line.size) != NULL;
}

/* Ends the last row at the end of the file, where it may have no newline. */
static enum status row_parser_end(struct row_parser *parser)
{
    parser->is_at_end = true;
    if (csv_fini(&parser->csv, row_parser_on_field, row_parser_on_row, parser) != 0)
        return row_parser_refuse(parser, "a quote that is never closed");
    return STATUS_OK;
}

/* Feeds the next line. */
static enum status row_parser_feed(struct row_parser *parser, struct line_reader *lines,
                                   struct errbuf *err)
{
    struct text line;

    enum status status = line_reader_peek(lines, &line, err);
    if (status != STATUS_OK)
        return status;
    size_t line_size = line.size;
    if (parser->fed == 0)
        parser->begin = line_reader_here(lines);
    if (line_size == 0)
        return row_parser_end(parser);
    if (lines->at.offset == 0 && row_has_byte_order_mark(line)) {
        line.data += BYTE_ORDER_MARK_SIZE;
        line.size -= BYTE_ORDER_MARK_SIZE;
    }
    if (line.size > ROW_MAX - parser->fed)
        return row_parser_refuse(parser, "row longer than 4096 bytes");
    if (row_has_stray_return(line))
        return row_parser_refuse(parser, "a carriage return within a line");
    if (csv_parse(&parser->csv, line.data, line.size, row_parser_on_field, row_parser_on_row,
                  parser) != line.size)
        return row_parser_refuse(parser, "a quote in the wrong place");
    line_reader_skip(lines, line_size);
    /* A blank line between rows is not a row; the next row begins after it. */
    if (parser->fed > 0 || !row_is_blank(line))
        parser->fed += line.size;
    return STATUS_OK;
}

enum status row_parser_read(struct row_parser *parser, struct line_reader *lines,
                            struct errbuf *err)
{
    parser->fed = 0;
    parser->fault = NULL;
    parser->count = 0;
    parser->size = 0;
    parser->is_whole = false;
    while (!parser->is_whole) {
        if (parser->is_at_end)
            return STATUS_NOTFOUND;
        enum status status = row_parser_feed(parser, lines, err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status row_parser_recover(struct row_parser *parser, struct line_reader *lines,
                               struct errbuf *err)
{
    enum status status = line_reader_skip_line_at(lines, parser->begin, err);

    if (status == STATUS_OK && row_parser_restart(parser) != STATUS_OK) {
        errbuf_set(err, "%s: %s", lines->path, status_text(STATUS_NOMEM));
        status = STATUS_NOMEM;
    }
    return status;
}
