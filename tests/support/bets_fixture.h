/* bets_fixture.h - a file of bets that a test writes and an agency reads; the clock is a fake one.
 */
#ifndef LOTTERY_BETS_FIXTURE_H
#define LOTTERY_BETS_FIXTURE_H

#include "bets_file.h"

#include <stddef.h>
#include <stdint.h>

struct bets_fixture {
    char *folder;
    char path[256];            /* bets.csv in it, which is not there before it is written */
    struct bets_format format; /* zeroed at first */
    struct bets_file *file;    /* closed at the end; NULL at first */
    struct errbuf err;
};

/* A test's setup and teardown, with the fixture as its state. Both end the test when they cannot.
 */
int bets_fixture_begin(void **state);
int bets_fixture_end(void **state);

/* Writes the file, in place of what is there. Ends the test when it cannot. */
void bets_fixture_write(const struct bets_fixture *f, const char *bytes, size_t size);

/* Goes to this row of the open file, as bets_file_seek does, until it is there. */
enum status bets_fixture_seek(struct bets_fixture *f, uint64_t row);

#endif
