/* data_dir.h - a data folder that this server has locked, as the store's modules see it. */
#ifndef LOTTERY_STORE_DATA_DIR_H
#define LOTTERY_STORE_DATA_DIR_H

#include "file_ops.h"
#include "state.h"
#include "store_csv.h"

#define LOCK_NAME "bets.lock"

struct data_dir {
    const struct file_ops *ops; /* borrowed */
    struct state *state;        /* shared with the processes that are forked later */
    int dir_fd;
    int lock_fd; /* the lock lasts until the last process that inherited it has ended */
};

/* bets.csv and the journal, opened by one process. */
struct store_files {
    const struct file_ops *ops;
    int bets_fd;
    int journal_fd;
};

/* Opens both for reading and writing. On failure neither stays open, and *err has the reason. */
enum status store_files_open(const struct data_dir *data_dir, struct store_files *out,
                             struct errbuf *err);
void store_files_close(struct store_files *files);

/* Syncs both files; blocks for it. An error is final: the kernel may have dropped what it could not
 * write. */
enum status store_files_sync(const struct store_files *files);

/* Notes in the journal's header how far everything is on disk, without a sync. The caller holds the
 * state's lock. */
enum status store_header_write(const struct store_files *files, struct state *state);

#endif
