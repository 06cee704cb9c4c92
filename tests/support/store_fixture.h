/* store_fixture.h - an embedded store in a new folder, used step by step as the ledger does.
 *
 * Every bet of these tests follows from its agency and its index among the agency's bets, so that
 * the content of a store can be checked line by line without keeping what was sent.
 */
#ifndef LOTTERY_STORE_FIXTURE_H
#define LOTTERY_STORE_FIXTURE_H

#include "commit.h"
#include "store_csv.h"

#include <stdbool.h>
#include <stddef.h>

#define STORE_AGENCIES 4     /* N in these tests, unless one says otherwise */
#define STORE_BATCH_MAX 256  /* bets that store_fixture_bets makes at a time */
#define STORE_GROUP_MAX 1024 /* records in a group */
#define STORE_NUMBER 7574    /* every tenth bet of these tests has it */
#define STORE_SOURCE "the urn in room 4"
#define STORE_ROOT "\x01\x02 as good a root as any \xff" /* at most DRAW_ROOT_SIZE bytes */

/* Limits that a few bets reach. */
extern const struct commit_limits store_small_limits;

struct store_fixture {
    const char *dir;            /* borrowed */
    const struct file_ops *ops; /* borrowed */
    struct data_dir data_dir;
    struct draw draw;
    struct store *store;
    struct store_csv_report report;              /* from opening */
    struct errbuf err;                           /* from the last failure */
    struct draw_outcome last;                    /* of the last record */
    struct draw_record records[STORE_GROUP_MAX]; /* of the group */
    char *lines[STORE_GROUP_MAX];                /* owned; of the group */
    size_t count;                                /* records in the group */
};

/* For cmocka: setup makes a new folder, whose name is *state, plans no faults and logs only
 * critical lines; teardown removes the folder. */
int store_fixture_setup(void **state);
int store_fixture_teardown(void **state);

/* Set while bets.csv may be damaged before the checkpoint, which no opening notices: then what is
 * recovered need not have the checksums of its lines. */
extern bool store_fixture_has_damaged_bets;

/* What a new draw is opened with from now on; a setup makes it that of a draw that nobody runs. */
extern struct draw_terms store_fixture_terms;

/* Opens folder and store, and opens the draw if it is new. `limits` NULL: the usual ones. On
 * failure nothing stays open. */
enum status store_fixture_open(struct store_fixture *self, const char *dir,
                               const struct file_ops *ops, const struct commit_limits *limits,
                               uint32_t agencies);
void store_fixture_close(struct store_fixture *self);

/* Frees everything as if the process had been killed: nothing is written. Needs fault_file_ops. */
void store_fixture_kill(struct store_fixture *self);

/* The `count` bets of an agency from index `first` on. Valid until the next call. */
const struct bet *store_fixture_bets(uint32_t agency, uint64_t first, size_t count);

/* Is the bet the one with that index of the agency? */
bool store_fixture_is_bet(const struct bet *bet, uint32_t agency, uint64_t index);

/* Decide about a record as the ledger does; an accepted one is in the group. Return the status of
 * the outcome, which is in `last`, or of store_append(), which took it back. */
enum status store_fixture_add(struct store_fixture *self, uint32_t agency, uint64_t offset,
                              size_t count);
enum status store_fixture_add_record(struct store_fixture *self, struct draw_record record);

/* Commits the group; a failure that leaves the files as before takes all of it back. */
enum status store_fixture_commit(struct store_fixture *self);

/* One record and its commit. */
enum status store_fixture_append(struct store_fixture *self, uint32_t agency, uint64_t offset,
                                 size_t count);
enum status store_fixture_finish(struct store_fixture *self, uint32_t agency, uint64_t total);
enum status store_fixture_end_draw(struct store_fixture *self); /* the closing */
enum status store_fixture_act(struct store_fixture *self, const char *text);

/* Writes and publishes files of a kind that has no winners, with anything in them. */
enum status store_fixture_publish(struct store_fixture *self, enum store_files files);

/* Closes a manual draw as an operator does: the user 1000. */
enum status store_fixture_close_draw(struct store_fixture *self);

/* Seals a closed draw: writes and publishes the seal's files and records it. */
enum status store_fixture_seal(struct store_fixture *self);

/* Holds the draw: writes and publishes both winners' files and records it; a manual one with the
 * number STORE_NUMBER, from the user 1000, with a source. */
enum status store_fixture_hold_draw(struct store_fixture *self);

/* Reads all lines of bets.csv. Returns false when one is not the next bet of its agency; otherwise
 * counts[i] is the number of bets of agency i, for i = 1..agencies. */
bool store_fixture_count(struct store_fixture *self, uint32_t agencies, uint64_t *counts);

/* The files of a data directory. */
#define FOLDER_FILES 7
enum { BETS_FILE, JOURNAL_FILE, WINNERS_FILE, INDEX_FILE, SEAL_FILE, LEAVES_FILE, RESULT_FILE };
extern const char *const folder_names[FOLDER_FILES];

struct folder {
    unsigned char *bytes[FOLDER_FILES]; /* owned; NULL if there is no such file */
    size_t sizes[FOLDER_FILES];
};

struct folder folder_read(const char *dir);

/* Writes these files; removes all others. */
void folder_write(const char *dir, const struct folder *folder);

/* Has it these files and no others? */
bool folder_equals(const char *dir, const struct folder *folder);
void folder_free(struct folder *folder);

#endif
