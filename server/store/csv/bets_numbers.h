/* bets_numbers.h - the numbers of many bets in the text of bets.csv, quickly. Pure.
 *
 * A draw reads every line and needs the number of each, and nothing else of nearly all.
 * bets_csv_parse_number() says which lines have a number, and which number it is.
 */
#ifndef LOTTERY_BETS_NUMBERS_H
#define LOTTERY_BETS_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* One line. */
struct bets_number {
    uint32_t number; /* of the bet */
    uint32_t end;    /* where the line ends, in bytes from the beginning of the text */
};

#define BETS_NUMBERS 512 /* lines that are read together, at most */

/* Reads lines of a text of less than 4 GiB, which begins with a line, up to the first that is not
 * one with a number. Returns how many it has read; 0 only when the first one is none. */
size_t bets_numbers_read(const char *text, size_t size, struct bets_number out[BETS_NUMBERS]);

#endif
