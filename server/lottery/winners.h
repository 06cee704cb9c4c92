/* winners.h - which bets win. Pure. */
#ifndef LOTTERY_WINNERS_H
#define LOTTERY_WINNERS_H

#include "bet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an agency is told about a winning bet. */
struct winner {
    uint32_t agency;
    uint8_t document_size;           /* 1..BET_DOCUMENT_MAX */
    char document[BET_DOCUMENT_MAX]; /* not NUL-terminated */
};

/* Did this bet win? */
bool has_won(const struct bet *bet, uint32_t winner_number);

#endif
