/* store_script.h - what a store has to hold: a list of records, and the state after each of them.
 */
#ifndef LOTTERY_STORE_SCRIPT_H
#define LOTTERY_STORE_SCRIPT_H

#include "store_fixture.h"

#define SCRIPT_MAX 80

/* One record: bets of an agency, or (count 0) that it has finished, or (agency 0) the closing, as
 * all have finished; or one of those that only a manual draw has, which end their group. */
struct script_step {
    uint32_t agency;
    size_t count;
    enum draw_record_type type; /* DRAW_CLOSING (by an operator), _SEALING, _DRAWING, _ACT; or 0 */
    bool ends_group;            /* commit after it */
    bool is_idle;               /* and say that there is nothing else to do */
};

struct script {
    struct script_step steps[SCRIPT_MAX];
    size_t count;
    struct draw_terms terms; /* what the draw is opened with: store_fixture_terms */
};

/* What is there after some of the steps. */
struct script_content {
    uint64_t counts[STORE_AGENCIES + 1];
    uint32_t finished;
    uint32_t acts;
    bool is_closed;
    bool is_sealed;
    bool is_drawn;
};

/* A script with a random list of small and large batches and groups, up to the closing. */
struct script script_random(unsigned seed);

/* The same of a manual draw, with what operators do, up to the draw and after it. */
struct script script_random_manual(unsigned seed);

struct script_content script_content(const struct script *script, size_t done);

/* Does the steps from `from` to `to`, with all commits; stops early when one fails. *acked, which
 * may be shared memory, is how many were acknowledged. */
enum status script_run(const struct script *script, struct store_fixture *f, size_t from, size_t to,
                       volatile size_t *acked);

/* How many steps the store holds, of bets.csv line by line; SCRIPT_MAX + 1 when its content is not
 * that after any number of steps, or what it says of terms, seal, number and acts is not theirs. */
size_t script_done(const struct script *script, struct store_fixture *f);

#endif
