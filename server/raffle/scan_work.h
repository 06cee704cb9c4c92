/* scan_work.h - the work of a job: what each of its processes does, and what they share.
 *
 * Everything here is called in turn and blocks; scan_job.h says in which process and when. The
 * processes get a copy of struct scan_work by the fork; only the results are shared memory.
 */
#ifndef LOTTERY_SCAN_WORK_H
#define LOTTERY_SCAN_WORK_H

#include "journal_file.h"
#include "ledger.h"
#include "scan_outcome.h"
#include "store.h"

#include <stddef.h>
#include <stdint.h>

#define SCAN_PARTS_MAX 64
#define SCAN_FDS_MAX (2 + SCAN_PARTS_MAX)

struct scan_kind;

/* What a job is to do; all of it is borrowed while the job is active. */
struct scan_order {
    const struct scan_kind *kind;
    struct ledger_news news; /* of the draw, which is closed or drawn */
    struct draw_drawn drawn; /* winners: number, uid and source that the draw has, or will have */
    int key_dir_fd;          /* seal, result: where the path of the key that signs begins, or */
    const char *key_path;    /* AT_FDCWD; and that path */
};

/* What a process leaves behind, complete when it ends with status 0. */
struct scan_result {
    enum status status;
    struct errbuf err;           /* why, if it is not OK; may be empty */
    uint64_t bets;               /* scanner of winners: that the part has */
    struct scan_outcome outcome; /* joiner: what it has found */
};

struct scan_work {
    const struct data_dir *data_dir; /* borrowed */
    struct scan_order order;
    struct draw draw;             /* as closed, from the checkpoint; otherwise only agencies */
    struct bets_extent extent;    /* of bets.csv, from the checkpoint */
    unsigned parts;               /* processes that scan; 0: there is nothing to scan */
    int fds[SCAN_FDS_MAX];        /* owned: those that get names, then those of the parts */
    size_t files;                 /* how many of fds are open */
    struct scan_results *results; /* shared with the processes; NULL: none */
    struct scan_outcome outcome;  /* of the job */
};

/* The kinds of jobs; each function but the last works on what prepare() or prepare_check() has left
 * in *work, which has data_dir, order and, but for a check, files. Where a status is returned, *err
 * says why it is not OK. */
struct scan_kind {
    enum store_files files;
    const char *what;    /* they are for: in "the files for ... cannot be made" */
    bool has_part_files; /* each scanner needs a file of its own */
    /* Prepares, in up to `scanners` parts, and maps the results. */
    enum status (*prepare)(struct scan_work *work, unsigned scanners, struct errbuf *err);
    void (*scan)(const struct scan_work *work, unsigned part); /* in a process; sets its result */
    /* Have the scanners together read what the draw was closed with? */
    enum status (*gather)(const struct scan_work *work, struct errbuf *err);
    void (*join)(const struct scan_work *work); /* in a process; sets the result of 0 */
    /* Sets work->outcome from what the joiner has found. */
    enum status (*take)(struct scan_work *work, struct errbuf *err);
    void (*check)(const struct scan_work *work); /* in a process; sets the result of 0 */
};

extern const struct scan_kind scan_winners; /* winners.csv and its index */
extern const struct scan_kind scan_seal;    /* seal.txt and seal.leaves */
extern const struct scan_kind scan_note;    /* result.txt */

void scan_work_init(struct scan_work *work, const struct data_dir *data_dir);

/* Closes the files and gives back what an attempt had; none of its processes may run any more. The
 * next attempt may follow. */
void scan_work_clear(struct scan_work *work);

/* Prepares to look at the files of what is on record. NOMEM. */
enum status scan_work_prepare_check(struct scan_work *work, struct errbuf *err);

/* What the process `index` has left behind: a scanner that of its part, joiner and checker that of
 * 0. Valid until scan_work_clear(). */
struct scan_result *scan_work_result(const struct scan_work *work, unsigned index);

/* What follows is for the kinds. */

/* Reads how far bets.csv goes and what its checksums are, as the draw was closed with. DAMAGED:
 * that cannot be found; IO, NOMEM, ... */
enum status scan_work_read_checkpoint(struct scan_work *work, struct errbuf *err);

/* Maps the results, and `size` bytes of zeroed memory that the processes share, besides. NOMEM. */
enum status scan_work_map(struct scan_work *work, size_t size, struct errbuf *err);

/* These bytes; aligned to eight. */
void *scan_work_shared(const struct scan_work *work);

/* The scanners have found `bets` where the draw was closed with others: DAMAGED, and *err says what
 * to do. */
enum status scan_work_refuse_bets(const struct scan_work *work, uint64_t bets, struct errbuf *err);

#endif
