/* fake_control.h - a backend of the operator's socket that ends requests when the test says so. */
#ifndef LOTTERY_FAKE_CONTROL_H
#define LOTTERY_FAKE_CONTROL_H

#include "control.h"

#define FAKE_CONTROL_MAX 32 /* requests that run at a time, at most */

struct fake_control {
    bool waits; /* requests wait for fake_control_end(); otherwise they end at once */

    /* What requests end with. The test may change all of it. */
    struct control_status status;
    uint64_t agencies;          /* how long this list is; the rows are made up */
    uint64_t winners;           /* the same */
    size_t content;             /* bytes of the content of a backup's second file */
    size_t page;                /* rows in a page of both; at most CONTROL_PAGE_MAX */
    enum control_result result; /* of acts; of all if it is not DONE or MOVING */
    const char *text;           /* with it */

    /* What has come. */
    unsigned calls;   /* of all operations */
    const char *last; /* the name of the last one */
    uint32_t uid;     /* of its request; the next ones, too */
    uint32_t number;
    char source[DRAW_TEXT_MAX + 1];
    char draw[DRAW_ID_MAX + 1];
    uint64_t close_at_s;
    struct {
        struct control_request *request;
        const char *name;
    } running[FAKE_CONTROL_MAX]; /* in their order; only if `waits` */
    size_t running_count;
};

/* Its owner is a struct fake_control. */
extern const struct control_backend fake_control_backend;

/* An open draw of five agencies, two of which have finished; lists of three agencies and no
 * winners; acts are done. */
void fake_control_init(struct fake_control *fake);

/* Ends the request that runs for longest; there has to be one. */
void fake_control_end(struct fake_control *fake);

/* What a backup has: the first 1000 bytes of x/bets.csv, a content whose bytes count up from 0 to
 * 250 and again, and a file `key` if there is one. */
extern const struct control_file fake_control_files[3];

/* The rows of the lists: agency `row` + 1 with `row` * 3 bets, every second one has finished; and
 * winners of the agencies 1..5 in turn, whose document is the row's number. */
struct control_agency fake_control_agency(uint64_t row);
void fake_control_document(uint64_t row, char out[17]);

#endif
