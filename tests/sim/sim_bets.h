/* sim_bets.h - the bets of the model agencies, which follow from the seed, and what they look like
 * in bets.csv and winners.csv. Written without the code under test.
 */
#ifndef LOTTERY_SIM_BETS_H
#define LOTTERY_SIM_BETS_H

#include "bet.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_TEXT_MAX 128

/* Space for the texts of a bet. */
struct sim_bet_texts {
    char document[BET_DOCUMENT_MAX + 1];
    char last_name[BET_NAME_MAX + 1];
};

/* Bet `index` of an agency; its texts point into *texts. */
struct bet sim_bet(uint32_t agency, uint32_t index, struct sim_bet_texts *texts);

/* Does it win? */
bool sim_bet_wins(uint32_t agency, uint32_t index);

/* Its document, NUL-terminated, in texts->document. Returns the size. */
uint32_t sim_bet_document(uint32_t agency, uint32_t index, struct sim_bet_texts *texts);

/* Writes its line of bets.csv to `out`, of SIM_TEXT_MAX bytes; returns the size. */
uint32_t sim_bet_write(uint32_t agency, uint32_t index, char *out);

/* The same line, *size bytes; valid until the next call. */
const char *sim_bet_line(uint32_t agency, uint32_t index, uint32_t *size);

#endif
