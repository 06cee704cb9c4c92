/* store_fixture.h - an embedded store in a new folder, used step by step.
 *
 * Every bet of these tests follows from its agency and its index among the agency's bets, so that
 * the content of a store can be checked line by line without keeping what was sent.
 */
#ifndef LOTTERY_STORE_FIXTURE_H
#define LOTTERY_STORE_FIXTURE_H

#include "store_csv.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define STORE_AGENCIES 4    /* N in these tests, unless one says otherwise */
#define STORE_BATCH_MAX 256 /* bets that store_fixture_bets makes at a time */
#define STORE_NUMBER 7574   /* every tenth bet of these tests has it */

struct store_fixture {
    const char *dir;            /* borrowed */
    const struct file_ops *ops; /* borrowed; set before open */
    uv_loop_t *loop;            /* owned; NULL while detached */
    struct data_dir *data_dir;
    struct store *store;
    struct store_report report; /* from opening the folder */
    struct errbuf err;          /* from the last failure */
    struct store_op last;       /* outcome of the last synchronous operation */
};

#define STORE_FATAL_EXIT 78 /* status of a process that the store ended through on_fatal */

/* An operation in flight, and how it ended. */
struct store_call {
    struct store_op op; /* first */
    unsigned *ended;    /* incremented when the operation ends; may be NULL */
    unsigned order;     /* the value of *ended after that */
    unsigned calls;     /* how often done() ran */
};

/* For cmocka: setup makes a new folder, whose name is *state, plans no faults and logs only
 * critical lines; teardown removes the folder. */
int store_fixture_setup(void **state);
int store_fixture_teardown(void **state);

/* Opens folder and store. On failure nothing stays open. */
enum status store_fixture_open(struct store_fixture *self, const char *dir,
                               const struct file_ops *ops, uint32_t agencies);

/* Only attaches, like a process that inherited a data folder. */
enum status store_fixture_attach(struct store_fixture *self);
void store_fixture_detach(struct store_fixture *self);

/* Detaches and closes the folder. */
void store_fixture_close(struct store_fixture *self);

/* The `count` bets of an agency from index `first` on. Valid until the next call. */
const struct bet *store_fixture_bets(uint32_t agency, uint64_t first, size_t count);

/* Is the bet the one with that index of the agency? */
bool store_fixture_is_bet(const struct bet *bet, uint32_t agency, uint64_t index);

/* Prepare the call and submit the operation. */
enum status store_call_append(struct store_fixture *self, struct store_call *call, unsigned *ended,
                              uint32_t agency, uint64_t offset, size_t count);
void store_call_finish(struct store_fixture *self, struct store_call *call, unsigned *ended,
                       uint32_t agency, uint64_t total);

/* The same, but wait for the end and return its status; the outcome is in `last`. */
enum status store_fixture_append(struct store_fixture *self, uint32_t agency, uint64_t offset,
                                 size_t count);
enum status store_fixture_finish(struct store_fixture *self, uint32_t agency, uint64_t total);
uint64_t store_fixture_received(struct store_fixture *self, uint32_t agency);

/* Reads the whole store. Returns false when a line is not the next bet of its agency; otherwise
 * counts[i] is the number of bets of agency i, for i = 1..agencies. */
bool store_fixture_count(struct store_fixture *self, uint32_t agencies, uint64_t *counts);

/* The files of a data folder. */
#define FOLDER_FILES 3
extern const char *const folder_names[FOLDER_FILES]; /* bets.csv, bets.journal, winners.csv */

struct folder {
    unsigned char *bytes[FOLDER_FILES]; /* owned; NULL if there is no such file */
    size_t sizes[FOLDER_FILES];
};

struct folder folder_read(const char *dir);
void folder_write(const char *dir, const struct folder *folder);
bool folder_equals(const char *dir, const struct folder *folder);
void folder_free(struct folder *folder);

#endif
