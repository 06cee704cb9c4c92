/* row_parser.h - parses rows with libcsv; a row may have several physical lines.
 *
 * It accepts everything that CSV allows: quotes, newlines within quotes, blank lines, a byte order
 * mark. libcsv is fed one physical line at a time. So the line number of each row is known, and
 * also its offset in the file, to which the reader can return.
 */
#ifndef LOTTERY_ROW_PARSER_H
#define LOTTERY_ROW_PARSER_H

#include "errbuf.h"
#include "line_reader.h"
#include "status.h"
#include "text.h"

#include <csv.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROW_FIELDS 5           /* in a row */
#define ROW_FIELDS_KEPT 6      /* one more, to see what the others are */
#define ROW_MAX ((size_t)4096) /* bytes of one row; a valid one has some 300 */

struct row_parser {
    struct csv_parser csv;
    char delimiter;                      /* between two fields */
    struct line_position begin;          /* the physical line where the row begins */
    size_t fed;                          /* bytes of the row that libcsv has seen */
    bool is_whole;                       /* libcsv has said that the row is complete */
    bool is_at_end;                      /* the file has no further line */
    const char *fault;                   /* why the row cannot be parsed; static */
    size_t count;                        /* fields, also those that are not kept */
    struct text fields[ROW_FIELDS_KEPT]; /* point into `text` */
    size_t size;                         /* bytes of `text` in use */
    char text[ROW_MAX];                  /* the fields of the row */
};

/* Prepares for the first row. STATUS_NOMEM. */
enum status row_parser_init(struct row_parser *parser, char delimiter);

/* Frees what libcsv has allocated. */
void row_parser_fini(struct row_parser *parser);

/* Forgets everything, for rows from another place of the file. STATUS_NOMEM: only
 * row_parser_fini() may follow. */
enum status row_parser_restart(struct row_parser *parser);

/* Reads the next row into parser->fields, which are valid until the next call; it may have any
 * number of fields. STATUS_NOTFOUND after the last one. STATUS_MALFORMED, without a text in *err,
 * when it cannot be parsed; parser->fault says why, and only row_parser_recover() or
 * row_parser_restart() may follow. */
enum status row_parser_read(struct row_parser *parser, struct line_reader *lines,
                            struct errbuf *err);

/* Goes to the physical line after the one where the row that cannot be parsed began. */
enum status row_parser_recover(struct row_parser *parser, struct line_reader *lines,
                               struct errbuf *err);

#endif
