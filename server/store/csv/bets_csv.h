/* bets_csv.h - bets as the text of bets.csv. Pure: bytes in, bytes out.
 *
 * A line is `agency,first_name,last_name,document,birthdate,number` and ends with CRLF. It is
 * quoted as Python's csv.writer does by default: a field that contains a comma or a double quote is
 * put in double quotes, and each double quote inside it is doubled. No field of a valid bet
 * contains a line break, so a line feed always ends a line.
 */
#ifndef LOTTERY_BETS_CSV_H
#define LOTTERY_BETS_CSV_H

#include "bet.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

/* The longest line, in bytes: an agency of ten digits, two names that consist of double quotes
 * (each doubled, and two around them), document, birthdate, number, five commas, CRLF. */
#define BETS_CSV_LINE_MAX                                                                          \
    (10 + 2 * (2 * BET_NAME_MAX + 2) + BET_DOCUMENT_MAX + BET_BIRTHDATE_SIZE + 4 + 5 + 2)

/* Writes the lines of `count` valid bets of `agency` to `out`, which must have
 * count * BETS_CSV_LINE_MAX bytes. Returns how many bytes it wrote. */
size_t bets_csv_format(uint32_t agency, const struct bet *bets, size_t count, char *out);

/* The size in bytes of the first `count` lines of a text; `size` when it has no more of them. */
size_t bets_csv_skip(const void *text, size_t size, uint32_t count);

/* Reads only the number of the first bet in a text of `size` bytes: the last field of the first
 * line. Returns the size of the line in bytes, 0 when it is not a line with a number. */
size_t bets_csv_parse_number(const char *text, size_t size, uint32_t *out);

/* Takes one bet; the bet's texts are valid during the call. Return false to stop bets_csv_parse. */
typedef bool (*bets_csv_bet_cb)(void *context, uint32_t agency, const struct bet *bet);

/* Calls `on_bet` for every line of `text`, which must consist of whole lines. Changes `text`:
 * quoted fields are unquoted in place. Returns STATUS_OK; STATUS_DAMAGED with the offset of the bad
 * line in *bad_at; or STATUS_STOPPED when on_bet returned false, with the offset of that line in
 * *bad_at. */
enum status bets_csv_parse(char *text, size_t size, bets_csv_bet_cb on_bet, void *context,
                           size_t *bad_at);

#endif
