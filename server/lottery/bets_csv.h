/* bets_csv.h - bets as the text of bets.csv. Pure: bytes in, bytes out.
 *
 * A line is `agency,first_name,last_name,document,birthdate,number` with CRLF, quoted as Python's
 * csv.writer quotes with its defaults: a field with a comma or a double quote is put in double
 * quotes, and double quotes within are doubled. A valid bet has no line break in any field, so a
 * line feed always ends a line.
 */
#ifndef LOTTERY_BETS_CSV_H
#define LOTTERY_BETS_CSV_H

#include "bet.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes that one line takes at most: the agency's ten digits, two names of quotes alone (each byte
 * doubled, two around), document, birthdate, number, five commas, CRLF. */
#define BETS_CSV_LINE_MAX                                                                          \
    (10 + 2 * (2 * BET_NAME_MAX + 2) + BET_DOCUMENT_MAX + BET_BIRTHDATE_SIZE + 4 + 5 + 2)

/* Writes the lines of `count` valid bets of `agency` to `out`, which has room for
 * count * BETS_CSV_LINE_MAX bytes. Returns the bytes written. */
size_t bets_csv_format(uint32_t agency, const struct bet *bets, size_t count, char *out);

/* Reads only the number of the first bet of a text of `size` bytes, which is the last field of its
 * line. Returns the line's bytes, 0 when there is no such line. */
size_t bets_csv_parse_number(const char *text, size_t size, uint32_t *out);

/* Takes one bet of a text; the bet's texts are valid during the call. false stops bets_csv_parse.
 */
typedef bool (*bets_csv_bet_cb)(void *context, uint32_t agency, const struct bet *bet);

/* Calls `on_bet` for every line of `text`, which must consist of whole lines. `text` is changed
 * (quoted fields are unquoted in place) and lent until the call returns. Returns STATUS_OK;
 * STATUS_DAMAGED with the offset of the bad line in *bad_at; STATUS_STOPPED when on_bet said so,
 * with the offset of that bet's line in *bad_at. */
enum status bets_csv_parse(char *text, size_t size, bets_csv_bet_cb on_bet, void *context,
                           size_t *bad_at);

#endif
