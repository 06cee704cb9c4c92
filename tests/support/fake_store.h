/* fake_store.h - a store in memory, for tests of the ledger: it fails when it is told to.
 *
 * The struct has no pointers of its own, so in shared memory it outlives the process that uses it,
 * as files do: what was committed is there, and the rest is dropped by the next opening.
 *
 * Its snapshot says how many records are committed: "records: N".
 *
 * Its encoding: a bet is its document and a line feed.
 */
#ifndef LOTTERY_FAKE_STORE_H
#define LOTTERY_FAKE_STORE_H

#include "draw.h"
#include "store.h"
#include "store_encoding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_STORE_RECORDS 16384
#define FAKE_STORE_BYTES ((size_t)24 * 1024 * 1024)

/* What a call returns next: `status`, once `after` calls have succeeded; only once. STATUS_OK:
 * nothing fails. */
struct fake_fault {
    enum status status;
    unsigned after;
};

struct fake_store {
    struct store base;
    size_t count;     /* records, with those of the group */
    size_t committed; /* records that are durable */
    size_t used;      /* bytes of bets, with those of the group */
    size_t used_committed;
    struct fake_fault append;
    struct fake_fault commit;
    struct fake_fault maintain;
    struct fake_fault open;
    struct fake_fault publish;
    struct fake_fault snapshot;
    unsigned commits;            /* groups that became durable */
    unsigned maintains;          /* calls */
    unsigned idles;              /* calls with is_idle */
    unsigned opens;              /* calls of open_files that succeeded */
    unsigned publishes;          /* the same of publish_files */
    bool has_files[STORE_FILES]; /* opened, and not published */
    bool is_open;
    struct draw_record records[FAKE_STORE_RECORDS];
    char texts[FAKE_STORE_RECORDS][DRAW_TEXT_MAX]; /* of the records that have one */
    size_t bets_at[FAKE_STORE_RECORDS]; /* of each record: where its bets begin in `bets` */
    size_t bets_size[FAKE_STORE_RECORDS];
    char bets[FAKE_STORE_BYTES];
};

/* Begins with a zeroed struct, or continues with what an earlier store has committed: *draw, an
 * initialised state, gets the records. */
struct store *fake_store_open(struct fake_store *store, struct draw *draw);

/* See above. */
extern const struct store_encoding fake_store_encoding;

#endif
