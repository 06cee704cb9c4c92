/* sim_check.h - is the promise kept? Each acked bet counts once, batches are whole, the draw is
 * held once, over exactly what was closed, and has the right winners. What is wrong ends the
 * program with sim_fail().
 */
#ifndef LOTTERY_SIM_CHECK_H
#define LOTTERY_SIM_CHECK_H

#include "draw.h"
#include "sim_agency.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Forgets what was seen of the draw. */
void sim_check_reset(void);

/* bets.csv has only what an old directory has of acknowledged bets. */
void sim_check_note_base(void);

/* The winners among those: how many, and what winners.csv has of them. */
uint32_t sim_check_base_winners(const char **text, size_t *size);

/* A ledger says that this is committed: once a draw has a seal and a number, it has these for good,
 * and never a number without the seal that has to be there. */
void sim_check_committed(const struct draw *draw);

/* An act was acknowledged. */
void sim_check_note_act(void);

/* What a copy of the draw has to have: what was promised when somebody asked for it. */
struct sim_copy {
    uint64_t acked[SIM_AGENCIES_MAX + 1]; /* bets of each agency */
    size_t acts;
    bool is_sealed;
    bool is_held;
};
void sim_check_note_copy(struct sim_copy *copy);

struct sim_file;

/* A snapshot has come, in a file: with as many bytes of bets.csv as it says, it is a whole draw,
 * and these are on disk. */
void sim_check_copy(const struct sim_copy *copy, struct sim_file *snapshot);

/* Was the draw closed before all had finished, as far as was committed? */
bool sim_check_is_closed_early(void);

/* A ledger has recovered this: it and bets.csv agree with what agencies were promised. */
void sim_check_recovered(const struct draw *draw);

/* A ledger could not start. Is that a reason that may be? */
void sim_check_start_failed(enum status status, const char *reason);

/* Somebody is told that the draw was held, with so many winners. */
void sim_check_drawn(uint64_t winners);

/* While a ledger works: bets.csv, as its readers see it, has all bets that were acked. */
void sim_check_visible(void);

/* Is winners.csv what it has to be? */
bool sim_check_has_winners(void);

/* At the end: all of it. */
void sim_check_end(const struct draw *draw);

#endif
