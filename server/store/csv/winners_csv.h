/* winners_csv.h - winners.csv: `agency,document` per line with CRLF, in the order of the bets. */
#ifndef LOTTERY_STORE_WINNERS_CSV_H
#define LOTTERY_STORE_WINNERS_CSV_H

#include "errbuf.h"
#include "file_ops.h"
#include "journal.h"
#include "winners.h"

#define WINNERS_NAME "winners.csv"

/* Writes the file atomically and durably; sets size, checksum and number of winners in *record.
 * After STATUS_NOMEM or an I/O status, the file is the old one (or missing), or the whole new one.
 * Blocks for syncs. */
enum status winners_csv_write(const struct file_ops *ops, int dir_fd,
                              const struct winner_list *winners, struct journal_record *record,
                              struct errbuf *err);

/* Reads the file that `record` describes; the caller frees *out with winner_list_fini(). Returns
 * STATUS_DAMAGED when the file does not match. Blocks. */
enum status winners_csv_read(const struct file_ops *ops, int dir_fd,
                             const struct journal_record *record, struct winner_list *out,
                             struct errbuf *err);

/* Checks that the file is the one that `record` describes, as winners_csv_read does. Blocks. */
enum status winners_csv_check(const struct file_ops *ops, int dir_fd,
                              const struct journal_record *record, struct errbuf *err);

#endif
