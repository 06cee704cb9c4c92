/* group.h - a commit group: operations that share one write and one sync.
 *
 * The loop's thread fills a group and the committer's thread commits it; a group belongs to one of
 * them at a time.
 */
#ifndef LOTTERY_STORE_GROUP_H
#define LOTTERY_STORE_GROUP_H

#include "data_dir.h"
#include "store.h"

#include <sys/uio.h>

struct group {
    struct store_op *first; /* in the order they were submitted */
    struct store_op **end;  /* where the next one is linked */
    size_t count;           /* operations */
    char *bytes;            /* owned: the formatted lines of its batches */
    size_t size;            /* bytes in use */
    size_t capacity;        /* bytes allocated */
    struct group *next;     /* in the list that it is in */
};

void group_init(struct group *group);
void group_fini(struct group *group);

/* Empties the group. Keeps its memory, unless that is unusually much. */
void group_reset(struct group *group);

/* Appends an operation, which is borrowed until its done() runs. */
void group_add(struct group *group, struct store_op *op);

/* Formats a batch, op->count bets of op->agency, into the group and sets place, size and checksum
 * in `op`. STATUS_NOMEM: the group is unchanged. */
enum status group_format(struct group *group, struct store_op *op, const struct bet *bets);

/* What a process needs for committing; used by one thread. */
struct committing {
    struct store_files files;
    struct state *state;
    struct planned *planned; /* [0..agencies], see group.c */
    uint32_t round;          /* number of the current group */
    struct iovec *parts;     /* runs of bytes for bets.csv */
    uint8_t *records;        /* encoded journal records */
    size_t parts_capacity;   /* how many runs fit into `parts` */
    size_t records_capacity; /* how many records fit into `records` */
};

/* Opens files of its own. `data_dir` is borrowed until committing_fini. On failure nothing stays
 * open, and *err has the reason. */
enum status committing_init(struct committing *committing, const struct data_dir *data_dir,
                            struct errbuf *err);
void committing_fini(struct committing *committing);

/* Decides the outcome of each operation in the group and writes them all. They are durable once
 * state.synced has reached *need. Blocks on the mutex and the files, but does not sync. If it
 * returns anything but STATUS_OK, a sync failed earlier, or the files could not be restored after a
 * failed write. Then this process must end: it may hold the mutex, and its death tells the next
 * holder to repair the files. */
enum status group_commit(struct committing *committing, struct group *group, uint64_t *need);

/* Notes in the journal's header how far everything is on disk, for the next start. Blocks on the
 * mutex and the file. Anything but STATUS_OK: as for group_commit. */
enum status committing_note_synced(struct committing *committing);

/* Syncs both files; blocks for it. A failure is final for every process, and is noted in the shared
 * state, where all of them see it. */
enum status committing_sync(const struct committing *committing);

/* Commits the record of the draw, including a sync; blocks for it. STATUS_CLOSED when the draw has
 * already taken place. Sets *must_end when this process must end after the failure. */
enum status draw_commit(struct committing *committing, const struct journal_record *record,
                        bool *must_end);

#endif
