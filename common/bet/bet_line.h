/* bet_line.h - a bet as a line of bets.csv. Pure: bytes out, no I/O.
 *
 * A line is `agency,first_name,last_name,document,birthdate,number` and ends with CRLF. It is
 * quoted as Python's csv.writer does by default: a field that contains a comma or a double quote is
 * put in double quotes, and each double quote inside it is doubled.
 */
#ifndef LOTTERY_BET_LINE_H
#define LOTTERY_BET_LINE_H

#include "bet.h"

#include <stddef.h>
#include <stdint.h>

/* The longest line, in bytes: an agency of ten digits, two names that consist of double quotes
 * (each doubled, and two around them), document, birthdate, number, five commas, CRLF. */
#define BET_LINE_MAX                                                                               \
    (10 + 2 * (2 * BET_NAME_MAX + 2) + BET_DOCUMENT_MAX + BET_BIRTHDATE_SIZE + 4 + 5 + 2)

#define BET_LINE_AGENCY_MAX 11 /* bytes of ten digits and a comma */

/* Writes what each line of the agency begins with, its id and a comma, to `out`, which must have
 * BET_LINE_AGENCY_MAX bytes. Returns how many bytes it wrote. */
size_t bet_line_put_agency(uint32_t agency, char *out);

/* Writes the lines of `count` valid bets of `agency` to `out`, which must have
 * count * BET_LINE_MAX bytes. Returns how many bytes it wrote. */
size_t bet_lines_format(uint32_t agency, const struct bet *bets, size_t count, char *out);

#endif
