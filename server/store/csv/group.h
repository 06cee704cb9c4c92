/* group.h - operations that share one write and one sync, and how they are committed.
 *
 * A group is filled by the loop's thread and committed by the committer's; it belongs to one of
 * them at a time.
 */
#ifndef LOTTERY_STORE_GROUP_H
#define LOTTERY_STORE_GROUP_H

#include "home.h"
#include "store.h"

#include <sys/uio.h>

struct group {
    struct store_op *first; /* in the order they were handed in */
    struct store_op **end;  /* where the next one is linked */
    size_t count;           /* operations */
    char *bytes;            /* the formatted lines of its batches */
    size_t size;
    size_t room;
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
    size_t room;             /* operations that parts and records have room for */
};

enum status committing_init(struct committing *committing, const struct store_home *home,
                            struct errbuf *err);
void committing_fini(struct committing *committing);

/* Decides and writes the whole group, and sets the outcome of each operation. They are durable once
 * `synced` has reached *need. Blocks on the lock and the files, but does not sync. STATUS_IO: the
 * files could not be brought back after a failed write, and this process must not go on. */
enum status group_commit(struct committing *committing, struct group *group, uint64_t *need);

/* Notes in the journal's header how far everything is on disk, for the next start. STATUS_IO: as
 * for group_commit. */
enum status committing_note_synced(struct committing *committing);

/* Commits the record of the raffle, with a sync. */
enum status draw_commit(struct committing *committing, const struct journal_record *record);

#endif
