/* recovery.h - reads what a data directory has, and makes the files whole again.
 *
 * Reading trusts no byte: each record needs its checksum, its own offset and the stamp of the file,
 * has to continue bets.csv where the one before it ended, and draw_apply() has to accept it. What
 * bets.csv had at the checkpoint is taken as it is; see docs/disk-format.md.
 */
#ifndef LOTTERY_STORE_RECOVERY_H
#define LOTTERY_STORE_RECOVERY_H

#include "bets_extent.h"
#include "data_dir.h"
#include "journal_file.h"

/* The part of the journal that is in memory. */
struct recovery_window {
    uint8_t *bytes; /* owned */
    uint64_t at;    /* where it begins */
    size_t size;    /* bytes of it */
    bool is_last;   /* the file ends with it */
};

struct recovery {
    /* The caller sets these, all borrowed, and zeroes the rest. */
    const struct data_dir *data_dir;
    int bets_fd;
    int journal_fd;
    bool (*must_stop)(void);   /* NULL: never; asked while it reads and settles */
    struct draw_opened opened; /* for a journal of version 1 */
    struct draw *draw;         /* an initialised state; gets what the records say */

    /* What was found. */
    bool is_version_1;
    struct journal_header header;     /* the newer one */
    struct bets_extent at_checkpoint; /* crcs is not set: those of `extent` are its own, too */
    uint64_t checkpoint_end;          /* where the records after the checkpoint begin */
    struct bets_extent extent;        /* the valid part of bets.csv; owned */
    uint64_t bets_size;               /* of the file; what follows the valid part is torn */
    uint64_t bets_synced;             /* bytes of it that are known to be on disk */
    uint64_t journal_end;             /* where the valid part ends */
    uint64_t journal_used;            /* where what is not zero ends; at least journal_end */
    uint64_t journal_size;            /* of the file */
    uint64_t synced;                  /* bytes of it that are known to be on disk */

    /* While it reads. */
    struct recovery_window window;
    uint64_t bytes_done;     /* read so far */
    uint64_t bytes_all;      /* to read */
    uint64_t next_report_ms; /* when to say how far it is */
    struct errbuf reason;    /* why the valid part ended where it did; empty: no reason yet */
};

/* Reads both files. Changes nothing on disk; blocks on them. As of store_csv_open(), with the
 * reason in *err; DAMAGED has the file and the byte. */
enum status recovery_read(struct recovery *self, struct errbuf *err);

/* After that: sets torn tails aside and cuts them, writes again what is not known to be on disk,
 * and syncs all of it. When it fails, a later recovery can go on. */
enum status recovery_settle(struct recovery *self, struct errbuf *err);

void recovery_fini(struct recovery *self);

/* What reading and settling are made of, whatever the version of the journal (recovery_input.c). */

#define RECOVERY_WINDOW ((size_t)128 * 1024) /* bytes that are read at a time */

/* To be called between blocks: logs each second how far it is. STOPPED, with the reason in *err,
 * when must_stop() returns true; otherwise OK. */
enum status recovery_pause(struct recovery *self, struct errbuf *err);

/* Gets `size` bytes of the journal at `at`, fewer only at its end, into *bytes and *got; valid
 * until the next call. `size` is at most RECOVERY_WINDOW. */
enum status recovery_look(struct recovery *self, uint64_t at, size_t size, const uint8_t **bytes,
                          size_t *got, struct errbuf *err);

/* Follows the next `size` bytes of bets.csv, unless they are missing: then the valid part ends.
 * Each of the `count` checksums goes on over them. */
enum status recovery_follow_bets(struct recovery *self, size_t size, uint32_t *crcs, size_t count,
                                 struct errbuf *err);

/* The valid part ends here, and why. */
void recovery_mark_end(struct recovery *self, const char *file, uint64_t at, const char *what);
bool recovery_is_at_end(const struct recovery *self);

/* It ends before what is known to be on disk. Returns DAMAGED. */
enum status recovery_refuse_damage(const struct recovery *self, struct errbuf *err);

#endif
