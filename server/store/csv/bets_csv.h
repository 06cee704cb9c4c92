/* bets_csv.h - reads the text of bets.csv, whose lines bet_line.h describes and writes. Pure: bytes
 * in, bytes out.
 *
 * No field of a valid bet contains a line break, so a line feed always ends a line.
 */
#ifndef LOTTERY_BETS_CSV_H
#define LOTTERY_BETS_CSV_H

#include "bet.h"
#include "bet_line.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

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
