/* store.h - makes the records of a draw durable: what the ledger asks of a backend.
 *
 * The ledger is the only one who uses it, on one thread. Records are appended to a commit group;
 * store_commit() makes the whole group durable. The embedded backend is store_csv.h; another one
 * only has to provide a struct store_backend.
 */
#ifndef LOTTERY_STORE_H
#define LOTTERY_STORE_H

#include "buffer.h"
#include "draw.h"
#include "errbuf.h"
#include "status.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* What is computed from a closed draw, and kept in files beside its bets. */
enum store_files {
    STORE_WINNERS, /* winners.csv, winners.index */
    STORE_SEAL,    /* seal.txt, seal.leaves */
    STORE_RESULT,  /* result.txt */
    STORE_FILES    /* how many kinds */
};

/* How many files of the kind get names. */
static inline size_t store_files_named(enum store_files files)
{
    return files == STORE_RESULT ? 1 : 2;
}

struct store_backend {
    enum status (*append)(struct store *store, struct draw_record *record, const void *bets,
                          size_t size);
    enum status (*commit)(struct store *store, struct errbuf *err);
    enum status (*maintain)(struct store *store, bool is_idle, struct errbuf *err);
    size_t (*skip)(const void *bets, size_t size, uint32_t count);
    enum status (*open_files)(struct store *store, enum store_files files, int *fds, size_t count,
                              struct errbuf *err);
    enum status (*publish_files)(struct store *store, enum store_files files, struct errbuf *err);
    enum status (*snapshot)(struct store *store, struct buffer *out, struct errbuf *err);
    void (*close)(struct store *store);
};

/* The first member of every backend's object. */
struct store {
    const struct store_backend *backend;
};

/* Adds an accepted record to the commit group. `bets` are the encoded bets of a DRAW_BETS record
 * (see store_encoding.h), `size` bytes; they are borrowed until the group was committed. Sets
 * closed.extent of a DRAW_CLOSING record, which the ledger takes over into its state before the
 * commit. Does not touch the disk. STATUS_NOMEM: the record is not in the group, which is as
 * before. */
static inline enum status store_append(struct store *store, struct draw_record *record,
                                       const void *bets, size_t size)
{
    return store->backend->append(store, record, bets, size);
}

/* Makes the group durable and begins the next one. Blocks for the disk. An empty group is fine.
 *
 * OK                 all of it is on disk
 * NOSPACE, IO, NOMEM nothing of it is stored, and the files are as before: the ledger takes the
 *                    records back (draw_undo), and later groups may succeed
 * UNCERTAIN          a sync failed, or what was written cannot be taken back: the process has to
 *                    end; only a recovery can tell what is there
 * GONE               the folder was moved, emptied or replaced: the server has to stop */
static inline enum status store_commit(struct store *store, struct errbuf *err)
{
    return store->backend->commit(store, err);
}

/* Does what is due and was not worth keeping answers waiting for: syncs what a commit has left for
 * later, and writes a checkpoint when the journal has grown. With `is_idle` there is nothing else
 * to do. Call it while no group is begun. Statuses as of store_commit; after any but UNCERTAIN and
 * GONE the work is tried again later. */
static inline enum status store_maintain(struct store *store, bool is_idle, struct errbuf *err)
{
    return store->backend->maintain(store, is_idle, err);
}

/* The size in bytes of the first `count` bets of an encoded batch; `size` when it has no more. */
static inline size_t store_skip(struct store *store, const void *bets, size_t size, uint32_t count)
{
    return store->backend->skip(bets, size, count);
}

/* Creates files of one kind, empty and open for reading and writing: the first ones get the names
 * that enum store_files lists, in that order, when they are published; the others, up to `count`,
 * are for anything and vanish when they are closed. The caller owns the descriptors. Those of an
 * earlier call for the same kind are not published any more. */
static inline enum status store_open_files(struct store *store, enum store_files files, int *fds,
                                           size_t count, struct errbuf *err)
{
    return store->backend->open_files(store, files, fds, count, err);
}

/* Gives the files, which were written and synced, their names, durably; the first one of the kind
 * last. UNCERTAIN and GONE as above. */
static inline enum status store_publish_files(struct store *store, enum store_files files,
                                              struct errbuf *err)
{
    return store->backend->publish_files(store, files, err);
}

/* Makes sure that all bets that were committed are on disk, and appends to `out` what stands for
 * the draw as it is now beside the bets: who has both, also of the bets only what there is now, has
 * a whole copy. Call it while no group is begun. NOMEM; UNCERTAIN and GONE as above. */
static inline enum status store_snapshot(struct store *store, struct buffer *out,
                                         struct errbuf *err)
{
    return store->backend->snapshot(store, out, err);
}

/* Closes the files after a last checkpoint, without the group that was begun. After a group that
 * failed, the checkpoint waits for the next start: nobody says that it was taken back. NULL is
 * fine. */
static inline void store_close(struct store *store)
{
    if (store != NULL)
        store->backend->close(store);
}

#endif
