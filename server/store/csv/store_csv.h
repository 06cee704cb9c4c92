/* store_csv.h - the embedded store: bets.csv and, beside it, a checksummed journal.
 *
 * The data folder is, recovered and locked by the supervisor before it forks. Each process
 * that works on it attaches and gets a struct store (store.h) of its own. What the processes share
 * - how far the files go, what each agency sent, who finished - lies in memory that fork() hands
 * on, under a lock that survives the death of its holder.
 *
 * ARCHITECTURE.md documents the files by byte.
 */
#ifndef LOTTERY_STORE_CSV_H
#define LOTTERY_STORE_CSV_H

#include "errbuf.h"
#include "file_ops.h"
#include "status.h"
#include "store.h"

#include <uv.h>

struct data_dir;

/* What a recovery found; also the report of a check. */
struct store_report {
    uint64_t bets;          /* in bets.csv */
    uint64_t bets_bytes;    /* its valid size */
    uint64_t journal_bytes; /* the journal's valid size */
    uint64_t bets_cut;      /* bytes behind the last whole batch */
    uint64_t journal_cut;   /* bytes behind the last whole record */
    uint32_t finished;      /* agencies */
    bool has_draw;
    uint32_t winner_number; /* that the raffle was held with */
    uint64_t winners;       /* entries in winners.csv, if the raffle was held */
};

/* Locks the folder, creates or recovers its files, and cuts a torn tail. `dir` is copied, `ops` is
 * borrowed for the data folder's life. `agencies` is N. Returns STATUS_INUSE when another server
 * has the folder, STATUS_DAMAGED with file, offset and advice in *err, STATUS_INVALID when the
 * folder has bets of an agency beyond N, or an I/O status. Blocks. */
enum status data_dir_open(const char *dir, uint32_t agencies, const struct file_ops *ops,
                          struct data_dir **out, struct store_report *report, struct errbuf *err);

/* The last process notes that everything is durable (unless a sync failed), so that the next start
 * can tell damage from a torn tail everywhere, and lets the folder go. NULL is fine. */
void data_dir_close(struct data_dir *data_dir);

/* Verifies a folder without changing it, for any number of agencies. STATUS_INUSE while a server
 * works on it; else as data_dir_open. `received`, if not
 * NULL, gets the bets of agency i at [i] and `has_finished` its state, for i = 1..agencies. */
enum status data_dir_check(const char *dir, uint32_t agencies, const struct file_ops *ops,
                           struct store_report *report, uint64_t *received, bool *has_finished,
                           struct errbuf *err);

/* How a process ends when a sync fails; must not return in production. */
typedef void (*store_fatal_cb)(const char *reason);

/* Attaches this process: opens the files anew (a sync error must reach every process that relies on
 * the data) and starts the thread that writes and syncs. `loop` runs the callbacks. STATUS_IO after
 * a failed sync of any process: only a new opening of the folder helps. */
enum status store_csv_attach(struct data_dir *data_dir, uv_loop_t *loop, store_fatal_cb on_fatal,
                             struct store **out, struct errbuf *err);

/* Waits for the operations handed in to reach the disk, stops the thread and frees the store. Their
 * callbacks still run, before this returns, and must not hand in more. Blocks for a sync. NULL is
 * fine. The loop must run once more to let its handle go. */
void store_csv_detach(struct store *store);

#endif
