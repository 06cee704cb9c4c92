/* sim_operator.h - somebody who moves, removes or replaces the data directory, or one of its two
 * files, under a server that works on it; and puts it back before the next server starts.
 */
#ifndef LOTTERY_SIM_OPERATOR_H
#define LOTTERY_SIM_OPERATOR_H

#include "message.h"

#include <stdbool.h>
#include <stdint.h>

struct sim_operator {
    bool has_meddled;  /* what the server works on is not where it was */
    int dir;           /* the directory, as it is to be at the path again */
    const char *name;  /* the file that was meddled with; NULL: the directory itself */
    int file;          /* what is to have that name again */
    uint32_t finished; /* as was committed before that: no news may have more, or a later phase */
    uint32_t phase;
    bool has_lost_winners; /* once */
};

extern struct sim_operator sim_operator;

void sim_operator_reset(void);

/* Meddles, unless that was done already. */
void sim_operator_meddle(void);

/* Removes one of the files that say who has won, if there is one: they are made again. */
void sim_operator_lose_winners(void);

/* Puts back what is not in its place. The server is dead, unless what it has open comes back. */
void sim_operator_put_back(void);

/* Can it be put back under the server? */
bool sim_operator_may_put_back_now(void);

/* A ledger has recovered: what it has open are the files that have the names now. */
void sim_operator_note_start(void);

/* The ledger sends this: may it? */
void sim_operator_check_sent(const struct message *message);

#endif
