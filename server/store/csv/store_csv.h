/* store_csv.h - the embedded store: bets.csv and a journal with checksums.
 *
 * The supervisor locks and recovers the data folder before it forks. Each process that works on it
 * attaches and gets a struct store (store.h) of its own. What the processes share - the sizes of
 * the files, what each agency sent, who finished - is in memory that they inherit through fork(),
 * under a robust mutex, which survives the death of its holder.
 *
 * docs/disk-format.md documents the files by byte.
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
    uint64_t bets_cut;      /* bytes after the last whole batch */
    uint64_t journal_cut;   /* bytes after the last whole record */
    uint32_t finished;      /* agencies that have finished */
    bool has_draw;
    uint32_t winner_number; /* that won, if has_draw */
    uint64_t winners;       /* entries in winners.csv, if has_draw */
};

/* Locks the data folder `dir`, creates or recovers its files, and cuts a torn tail. `ops` is
 * borrowed until data_dir_close. `agencies` is N. Returns STATUS_INUSE when another server uses the
 * folder, STATUS_DAMAGED with file, offset and advice in *err, STATUS_INVALID when there are bets
 * of an agency beyond N, STATUS_NOMEM or an I/O status. Sets *out only on success. Blocks, up to a
 * second on the lock. */
enum status data_dir_open(const char *dir, uint32_t agencies, const struct file_ops *ops,
                          struct data_dir **out, struct store_report *report, struct errbuf *err);

/* For the last process: notes that everything is durable (unless a sync failed), so that the next
 * start can tell damage from a torn tail everywhere, then releases the folder. Blocks for syncs.
 * NULL is allowed. */
void data_dir_close(struct data_dir *data_dir);

/* Verifies a data folder without changing it. STATUS_INUSE while a server uses it, STATUS_NOTFOUND
 * when there is no folder, bets.csv or journal; other errors as data_dir_open.
 * For i = 1..agencies, received[i] gets the number of agency i's bets, and has_finished[i] whether
 * it has finished; either may be NULL. Blocks. */
enum status data_dir_check(const char *dir, uint32_t agencies, const struct file_ops *ops,
                           struct store_report *report, uint64_t *received, bool *has_finished,
                           struct errbuf *err);

/* Ends the process when a sync fails. Must not return in production. May run on any thread. */
typedef void (*store_fatal_cb)(const char *reason);

/* Attaches this process: opens the files again (a sync error must reach every process that relies
 * on the data) and starts the thread that writes and syncs. `loop` runs the callbacks; `data_dir`
 * and `loop` are borrowed until store_csv_detach. STATUS_IO after a failed sync of any process:
 * then the data folder has to be closed and opened again. */
enum status store_csv_attach(struct data_dir *data_dir, uv_loop_t *loop, store_fatal_cb on_fatal,
                             struct store **out, struct errbuf *err);

/* Waits until the submitted operations are on disk, stops the thread and frees the store. The
 * callbacks of the operations run before this returns and must not submit more. Blocks for a sync.
 * The loop must run once more to close a handle. NULL is allowed. */
void store_csv_detach(struct store *store);

#endif
