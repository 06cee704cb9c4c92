/* bets_file.h - an agency's CSV file: `first name,last name,document,birthdate,number` per row.
 *
 * CRLF or LF, quoted fields, blank lines, a leading byte order mark and a missing last newline are
 * all fine; struct bets_format says what else the file may be. The whole file is checked before any
 * of it is used, then read again from the row that the server asks for. Memory does not grow with
 * the file's size, except for one position every 4096 rows. Errors name the physical line, and what
 * to do where that is known: "bets.csv:251: number is not in 0..9999; it has blanks around it:
 * delete them".
 */
#ifndef LOTTERY_BETS_FILE_H
#define LOTTERY_BETS_FILE_H

#include "bet.h"
#include "bets_format.h"
#include "errbuf.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BETS_FILE_FAULTS_MAX 20  /* bad rows that are named; the others are counted */
#define BETS_FILE_WARNINGS_MAX 2 /* one of each kind */

struct bets_file;

/* What the check has found, for people; each text begins with the file and, nearly always, the
 * line. */
struct bets_findings {
    size_t faults_count;
    struct errbuf faults[BETS_FILE_FAULTS_MAX + 1]; /* the last: how many more there are */
    size_t warnings_count;
    struct errbuf
        warnings[BETS_FILE_WARNINGS_MAX]; /* about what is valid, but looks like a mistake */
};

/* Opens the file of an agency's bets, which is written in this format; `path` and `format` are
 * copied. The caller closes it. */
enum status bets_file_open(const char *path, const struct bets_format *format, uint32_t agency,
                           struct bets_file **out, struct errbuf *err);

/* Closes it. NULL is fine. */
void bets_file_close(struct bets_file *file);

/* Is it the file at `path`, be it by another name? */
bool bets_file_is_at(const struct bets_file *file, const char *path);

/* Checks the next rows, a few thousand at most, so that a loop can run in between. Sets *out_done
 * to whether they were the last ones, but only on success; do not call it again after the last, or
 * after an error. STATUS_INVALID, after the last row: some are bad, or there is none; the findings
 * have the reasons, and *err the first of them. Blocks on the file. */
enum status bets_file_check(struct bets_file *file, bool *out_done, struct errbuf *err);

/* What the check has found, up to now; valid until the file is closed. */
const struct bets_findings *bets_file_findings(const struct bets_file *file);

/* Rows in the file; known once it is checked. */
uint64_t bets_file_rows(const struct bets_file *file);

/* Goes to the row with that number, 0..rows, of a checked file, or nearer to it: by a few thousand
 * rows at most, so that a loop can run in between; to be called again until *out_done. Blocks on
 * the file. */
enum status bets_file_seek(struct bets_file *file, uint64_t row, bool *out_done,
                           struct errbuf *err);

/* The checksum of the bets before the current row (bets_checksum.h). The file is checked, and no
 * seek is half done. */
uint32_t bets_file_checksum(struct bets_file *file);

/* The bet at the current row; its texts are valid until the next call.
 * STATUS_NOTFOUND after the last row. STATUS_INVALID when the file has changed since the check.
 * Blocks on the file. */
enum status bets_file_peek(struct bets_file *file, struct bet *out, struct errbuf *err);

/* Writes where the current row begins to *out, as the errors name it: "bets.csv:251". Fails as
 * bets_file_peek() does. */
enum status bets_file_locate(struct bets_file *file, struct errbuf *out, struct errbuf *err);

/* Goes to the next row, after a peek that succeeded. */
void bets_file_advance(struct bets_file *file);

#endif
