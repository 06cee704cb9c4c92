/* commit.h - the embedded store's object: its commit group, and how that gets to disk. */
#ifndef LOTTERY_STORE_COMMIT_H
#define LOTTERY_STORE_COMMIT_H

#include "bets_extent.h"
#include "data_dir.h"
#include "journal_file.h"
#include "store.h"

#include <sys/uio.h>

/* When to do what; tests use smaller ones. */
struct commit_limits {
    uint64_t inline_max; /* a group with at most so many bytes of lines carries them in its records;
                            up to JOURNAL_INLINE_MAX */
    uint64_t sync_after; /* bytes of journal after which bets.csv is synced */
    uint64_t journal_max; /* bytes of journal after which a new file begins */
    uint64_t bets_max;    /* bytes of bets since the checkpoint, the same */
    uint64_t reserve;     /* zeros by which the journal's file grows */
};

extern const struct commit_limits commit_limits_usual;

struct commit {
    struct store store;                 /* first */
    const struct data_dir *data_dir;    /* borrowed */
    const struct commit_limits *limits; /* borrowed */
    struct draw *draw;                  /* borrowed; for checkpoints */
    int bets_fd;                        /* owned; -1: not open */
    int journal_fd;                     /* owned; -1: there is no journal yet */
    struct file_id bets_id;             /* of what bets_fd is open on */
    struct file_id journal_id;          /* of what journal_fd is open on */
    struct journal_header header;       /* the newer one in the file */

    /* What is committed. */
    uint64_t bets_size;       /* bytes of bets.csv */
    uint32_t bets_crc;        /* of these */
    uint64_t bets_synced;     /* how many of them are on disk; the others are in the journal */
    uint64_t journal_size;    /* bytes of the journal, all on disk */
    uint64_t capacity;        /* of its file: zeros from journal_size on */
    uint64_t bets_sync_at;    /* journal_size when bets.csv was last synced */
    uint64_t checkpoint_bets; /* bets_size at the checkpoint */
    uint64_t checkpoint_end;  /* journal_size after it */
    uint64_t retry_at;        /* journal_size at which to try again to begin a new journal file */
    bool must_checkpoint;     /* do not wait for more: the draw was closed */
    bool is_uncertain;        /* nothing may be written any more */
    bool is_draw_ahead;       /* the last group failed: unless it was taken back, the draw's state
                                 has what is not committed */

    /* The group. */
    struct bets_extent extent; /* bets.csv with the group's lines */
    struct iovec *parts;       /* owned; runs of lines, borrowed */
    size_t parts_count;
    size_t parts_capacity;
    struct buffer records; /* encoded, not yet sealed */
    struct buffer image;   /* the records as the journal gets them */
    bool has_closing;      /* it has a DRAW_CLOSING record */
};

static inline struct commit *commit_of(struct store *store)
{
    return (struct commit *)store;
}

/* The backend's functions, see store.h: store_append() and so on. */
enum status commit_append(struct store *store, struct draw_record *record, const void *lines,
                          size_t size);
enum status commit_group(struct store *store, struct errbuf *err);
enum status commit_maintain(struct store *store, bool is_idle, struct errbuf *err);
enum status commit_open_files(struct store *store, enum store_files files, int *fds, size_t count,
                              struct errbuf *err);
enum status commit_publish_files(struct store *store, enum store_files files, struct errbuf *err);
enum status commit_snapshot(struct store *store, struct buffer *out, struct errbuf *err);

/* Is a group begun? */
static inline bool commit_has_group(const struct commit *self)
{
    return self->records.size > 0;
}

/* Is bets.csv as long as it has to be? Otherwise *err says so. */
bool commit_has_bets(const struct commit *self, struct errbuf *err);

/* Are the folder and both files where they were? Otherwise *err says what is not. */
bool commit_is_in_place(const struct commit *self, struct errbuf *err);

/* Syncs bets.csv and begins a new journal file with a checkpoint. No group is begun. NOSPACE, IO,
 * NOMEM: the old one goes on. GONE: so does what has its name now. */
enum status commit_checkpoint(struct commit *self, struct errbuf *err);

/* Syncs bets.csv. UNCERTAIN. */
enum status commit_sync_bets(struct commit *self, struct errbuf *err);

/* A call failed, with errno, after which only a recovery can tell what is on disk: notes that, and
 * sets *err. Returns UNCERTAIN. */
enum status commit_be_uncertain(struct commit *self, struct errbuf *err, const char *what);

/* What everything ends with from then on. */
enum status commit_refuse(struct errbuf *err);

/* Frees the memory and closes the files, without writing anything. */
void commit_fini(struct commit *self);

#endif
