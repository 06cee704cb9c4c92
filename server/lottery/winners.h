/* winners.h - the rules of the draw: when it is due and which bets win. Pure. */
#ifndef LOTTERY_WINNERS_H
#define LOTTERY_WINNERS_H

#include "bet.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an agency is told about a winning bet. */
struct winner {
    uint32_t agency;
    uint8_t document_size;           /* 1..BET_DOCUMENT_MAX */
    char document[BET_DOCUMENT_MAX]; /* not NUL-terminated */
};

/* Winners in the order of their bets. */
struct winner_list {
    struct winner *items; /* owned */
    size_t count;         /* items in use */
    size_t capacity;      /* items allocated */
};

/* Did this bet win? */
bool has_won(const struct bet *bet, uint32_t winner_number);

/* Is the draw due: are there agencies, and have all of them finished? */
bool draw_is_due(uint32_t agencies, uint32_t finished);

/* Appends the winners among the bets in `text`, which has whole lines of bets.csv and may be
 * changed (see bets_csv_parse). Returns STATUS_OK, STATUS_NOMEM, or STATUS_DAMAGED with the offset
 * of the bad line in *bad_at. */
enum status winners_collect(char *text, size_t size, uint32_t winner_number,
                            struct winner_list *winners, size_t *bad_at);

/* Appends one winner. STATUS_NOMEM: the list is as it was. */
enum status winner_list_add(struct winner_list *list, const struct winner *winner);

/* Frees the items; the list is empty afterwards. */
void winner_list_fini(struct winner_list *list);

#endif
