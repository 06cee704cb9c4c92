/* group.h - operations that share one write and one sync, and how they are committed.
 *
 * A group is filled by the loop's thread and committed by the committer's; it belongs to one of
 * them at a time.
 */
#ifndef LOTTERY_STORE_GROUP_H
#define LOTTERY_STORE_GROUP_H

#include "data_dir.h"
#include "store.h"

#include <sys/uio.h>

struct group {
    struct store_op *first; /* in the order they were handed in */
    struct store_op **end;  /* where the next one is linked */
    size_t count;           /* operations */
    char *bytes;            /* the formatted lines of its batches */
    size_t size;
    size_t capacity;
    struct group *next; /* in the list it is in */
};

void group_init(struct group *group);
void group_fini(struct group *group);

/* Empties it, keeping its memory unless that is unusually much. */
void group_reset(struct group *group);

/* Appends an operation that is filled in. */
void group_add(struct group *group, struct store_op *op);

/* Formats a batch into the group and notes place, size and checksum in `op`. STATUS_NOMEM: the
 * group is as it was. */
enum status group_format(struct group *group, struct store_op *op, const struct bet *bets);

/* What a process needs to commit; used by one thread. */
struct committing {
    struct store_files files;
    struct state *state;
    struct planned *planned; /* [0..agencies], see group.c */
    uint32_t round;          /* number of the group being planned */
    struct iovec *parts;     /* runs of bytes for bets.csv */
    uint8_t *records;        /* encoded journal records */
    size_t parts_capacity;   /* runs that parts has room for */
    size_t records_capacity; /* records that records has room for */
};

enum status committing_init(struct committing *committing, const struct data_dir *data_dir,
                            struct errbuf *err);
void committing_fini(struct committing *committing);

/* Decides and writes the whole group, and sets the outcome of each operation. They are durable once
 * `synced` has reached *need. Blocks on the lock and the files, but does not sync. Anything but
 * STATUS_OK: a sync has failed, or the files could not be brought back after a failed write. This
 * process must end then: it may hold the lock, and its death tells the next holder to repair. */
enum status group_commit(struct committing *committing, struct group *group, uint64_t *need);

/* Notes in the journal's header how far everything is on disk, for the next start. Anything but
 * STATUS_OK: as for group_commit. */
enum status committing_note_synced(struct committing *committing);

/* Syncs both files. A failure is final for every process: it is noted in the shared state, where
 * all of them find it. */
enum status committing_sync(const struct committing *committing);

/* Commits the record of the raffle, with a sync. STATUS_CLOSED when the raffle was held before.
 * *must_end tells that the failure is one after which this process must end. */
enum status draw_commit(struct committing *committing, const struct journal_record *record,
                        bool *must_end);

#endif
