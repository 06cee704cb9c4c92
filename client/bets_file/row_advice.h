/* row_advice.h - recognises why a row is bad, as people's programs write such rows, and says what
 * to do. Pure.
 */
#ifndef LOTTERY_ROW_ADVICE_H
#define LOTTERY_ROW_ADVICE_H

#include "bet.h"
#include "bets_format.h"
#include "row_parser.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* XX(NAME, text): what a bad row can be. */
#define ROW_ADVICE_MAP(XX)                                                                         \
    XX(NONE, "")                                                                                   \
    XX(SEP_LINE,                                                                                   \
       "a \"sep=\" line, which is for Excel only: set bets.header to skip, or delete the line")    \
    XX(HEADER, "a header with the names of the columns: set bets.header to skip, or delete it")    \
    XX(NO_HEADER, "bets.header is skip, but this is not a header: set it to none")                 \
    XX(SERVER_FILE, "the server's own bets.csv, with the agency in front of each bet: set "        \
                    "bets.file to the agency's file, which lies elsewhere")                        \
    XX(COMMAS, "the fields are separated by commas: set bets.delimiter to ,")                      \
    XX(SEMICOLONS, "the fields are separated by semicolons, as Excel does where the comma is the " \
                   "decimal sign: set bets.delimiter to ;")                                        \
    XX(TABS, "the fields are separated by tabs: set bets.delimiter to tab")                        \
    XX(EMPTY_FIELDS, "a row of empty fields, as Excel leaves them below the last one that was in " \
                     "use: delete it")                                                             \
    XX(BLANKS, "a line of blanks: delete it")                                                      \
    XX(CTRL_Z, "a Ctrl-Z, which old programs put at the end of a file: delete it")                 \
    XX(SIXTH_EMPTY, "an empty field after the number: delete the last delimiter of each row, or "  \
                    "the sixth column")                                                            \
    XX(NOT_UTF_8, "the file is probably Windows-1252 (Latin-1, as Excel's plain CSV): set "        \
                  "bets.encoding to windows-1252, or save it as CSV UTF-8")                        \
    XX(NOT_ENCODING, "it has bytes that are no character in the encoding that bets.encoding says") \
    XX(MOJIBAKE, "the names are UTF-8 that a program took for Windows-1252, and show two signs "   \
                 "for a letter with an accent: set bets.encoding to utf-8 if it is not that "      \
                 "already, or else export the file again from where it came")                      \
    XX(NO_BREAK_SPACE, "it has a no-break space (U+00A0) or another character that cannot be "     \
                       "seen, as copied from a web page: replace it by nothing or by a blank")     \
    XX(BLANKS_AROUND, "it has blanks around it: delete them")                                      \
    XX(DOTS, "it is written with dots or blanks, as in 30.904.465: write digits alone, 30904465; " \
             "in Excel, give the column the format 0")                                             \
    XX(DECIMALS, "it is written with decimals, as in 7574.0: write digits alone; in Excel, give "  \
                 "the column the format 0")                                                        \
    XX(SCIENTIFIC, "it is written as in 2.01E+07: in Excel, give the column the format 0")         \
    XX(DAY_FIRST, "it is written as in 17/03/1999: write 1999-03-17; in Excel, give the column "   \
                  "the format yyyy-mm-dd (aaaa-mm-dd)")                                            \
    XX(OTHER_DATE, "it is not written as in 1999-03-07: two digits for month and day, and "        \
                   "hyphens; in Excel, give the column the format yyyy-mm-dd (aaaa-mm-dd)")        \
    XX(WITH_TIME, "it has a time after the date: write the date alone, 1999-03-17")                \
    XX(SERIAL, "it is a number of days, as Excel stores a date: give the column the format "       \
               "yyyy-mm-dd (aaaa-mm-dd)")

enum row_advice {
#define XX(name, text) ROW_ADVICE_##name,
    ROW_ADVICE_MAP(XX)
#undef XX
        ROW_ADVICE_COUNT
};

/* A row that is bad. */
struct row_facts {
    const struct text *fields; /* ROW_FIELDS_KEPT, or `count` if that is less */
    size_t count;              /* fields in the row */
    enum bet_fault fault;      /* when it has ROW_FIELDS */
    bool is_first;             /* there is no row before it */
    const struct bets_format *format;
    uint32_t today; /* for the rules: YYYYMMDD */
};

/* What the row is, or ROW_ADVICE_NONE. */
enum row_advice row_advice_find(const struct row_facts *facts);

/* The text for people: what it is, and what to do. Static, never NULL; empty for ROW_ADVICE_NONE.
 */
const char *row_advice_text(enum row_advice advice);

/* Is a first row like this enough to know that all rows are bad for the same reason? */
bool row_advice_is_about_file(enum row_advice advice);

/* Is it a line "sep=;", or does the row have the names of columns instead of a bet? */
bool row_advice_is_sep_line(const struct text *fields, size_t count);
bool row_advice_is_header(const struct text *fields, size_t count);

#endif
