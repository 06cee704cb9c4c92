/* winners_csv.h - winners.csv: `agency,document` per line with CRLF, in the order of the bets. */
#ifndef LOTTERY_STORE_WINNERS_CSV_H
#define LOTTERY_STORE_WINNERS_CSV_H

#include "errbuf.h"
#include "file_ops.h"
#include "journal.h"
#include "winners.h"

#define WINNERS_NAME "winners.csv"

/* Writes the file atomically and durably; *record gets its size, checksum and count. Blocks. */
enum status winners_csv_write(const struct file_ops *ops, int dir_fd,
                              const struct winner_list *winners, struct journal_record *record,
                              struct errbuf *err);

/* Reads the file that `record` tells of. STATUS_DAMAGED when it is not that one. Blocks. */
enum status winners_csv_read(const struct file_ops *ops, int dir_fd,
                             const struct journal_record *record, struct winner_list *out,
                             struct errbuf *err);

/* Is the file the one that `record` tells of? */
enum status winners_csv_check(const struct file_ops *ops, int dir_fd,
                              const struct journal_record *record, struct errbuf *err);

#endif
