/* bets_file.h - an agency's CSV file: `first name,last name,document,birthdate,number` per row.
 *
 * CRLF or LF, quoted fields, blank lines, a leading byte order mark and a missing last newline are
 * all fine. The whole file is checked before any of it is used, then read again from the row that
 * the server asks for. Memory does not grow with the file's size, except for one position every
 * 4096 rows. Errors name the physical line: "bets.csv:251: number is not in 0..9999".
 */
#ifndef LOTTERY_BETS_FILE_H
#define LOTTERY_BETS_FILE_H

#include "bet.h"
#include "errbuf.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

struct bets_file;

/* Opens the file; `path` is copied. The caller closes it. */
enum status bets_file_open(const char *path, struct bets_file **out, struct errbuf *err);

/* Closes it. NULL is fine. */
void bets_file_close(struct bets_file *file);

/* Checks the next rows, a few thousand at most, so that a loop can run in between. Sets *out_done
 * to whether they were the last ones, but only on success; do not call it again after the last.
 * STATUS_INVALID: *err names the line and what is wrong with it. Blocks on the file. */
enum status bets_file_check(struct bets_file *file, bool *out_done, struct errbuf *err);

/* Rows in the file; known once it is checked. */
uint64_t bets_file_rows(const struct bets_file *file);

/* Goes to the row with that number, 0..rows, of a checked file. Blocks on the file. */
enum status bets_file_seek(struct bets_file *file, uint64_t row, struct errbuf *err);

/* The bet at the current row; its texts are valid until the next call.
 * STATUS_NOTFOUND after the last row. STATUS_INVALID when the file has changed since the check.
 * Blocks on the file. */
enum status bets_file_peek(struct bets_file *file, struct bet *out, struct errbuf *err);

/* Goes to the next row, after a peek that succeeded. */
void bets_file_advance(struct bets_file *file);

#endif
