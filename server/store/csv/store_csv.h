/* store_csv.h - the embedded store: bets.csv and its journal in a data directory.
 *
 * docs/disk-format.md has the format of the journal by byte.
 */
#ifndef LOTTERY_STORE_CSV_H
#define LOTTERY_STORE_CSV_H

#include "data_dir.h"
#include "draw.h"
#include "store.h"
#include "store_encoding.h"

struct commit_limits;

/* What store_csv_open() needs; borrowed until store_close(). */
struct store_csv_config {
    const struct data_dir *data_dir;
    struct draw_opened opened;          /* for a folder of version 1, which does not say */
    bool must_exist;                    /* refuse a folder without a journal: it is not new */
    bool (*must_stop)(void);            /* NULL: never; asked during the recovery */
    const struct commit_limits *limits; /* NULL: the usual ones; for tests, see commit.h */
};

/* What was found. */
struct store_csv_report {
    uint64_t bets_torn;    /* bytes of bets.csv that were set aside */
    uint64_t journal_torn; /* bytes of the journal that were set aside */
    uint64_t bets_size;    /* valid bytes of bets.csv */
    bool is_carried_over;  /* the folder was of version 1 */
    bool lacks_result;     /* store_csv_check: result.txt is still to be made */
};

/* Recovers the directory's files into *draw, an initialised state that the store goes on reading
 * until it is closed (the ledger changes it: between two commits it is what the committed records
 * say). A new directory gets its files. Logs what it found, and each second how far it is.
 *
 * DAMAGED  data that is known to have been on disk is not what it was; nothing was changed
 * STOPPED  must_stop returned true; a later opening goes on
 * INVALID, NOSPACE, IO, NOMEM, with a reason in *err */
enum status store_csv_open(const struct store_csv_config *config, struct draw *draw,
                           struct store **out, struct store_csv_report *report, struct errbuf *err);

/* Reads everything as opening does, and verifies all of bets.csv and winners.csv, and that the
 * files of a seal are there, but not what is in them. Changes nothing. `data_dir` is from
 * data_dir_open_check(). */
enum status store_csv_check(const struct data_dir *data_dir, struct draw *draw,
                            struct store_csv_report *report, struct errbuf *err);

/* Lines of bets.csv. */
extern const struct store_encoding store_csv_encoding;

#endif
