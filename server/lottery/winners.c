#include "winners.h"

#include "assertion.h"
#include "bets_csv.h"
#include "buffer.h"

#include <stdlib.h>
#include <string.h>

bool has_won(const struct bet *bet, uint32_t winner_number)
{
    return bet->number == winner_number;
}

bool draw_is_due(uint32_t agencies, uint32_t finished)
{
    return agencies > 0 && finished >= agencies;
}

enum status winner_list_add(struct winner_list *list, const struct winner *winner)
{
    struct winner *items =
        array_grow(list->items, &list->capacity, list->count + 1, sizeof(*items));

    ASSERT(winner->document_size >= 1 && winner->document_size <= BET_DOCUMENT_MAX);
    if (items == NULL)
        return STATUS_NOMEM;
    list->items = items;
    list->items[list->count++] = *winner;
    return STATUS_OK;
}

void winner_list_fini(struct winner_list *list)
{
    free(list->items);
    *list = (struct winner_list){NULL, 0, 0};
}

struct collector {
    struct winner_list *winners;
    uint32_t winner_number;
    enum status status;
};

static bool winners_collect_one(void *context, uint32_t agency, const struct bet *bet)
{
    struct collector *collector = context;
    struct winner winner = {.agency = agency};

    if (!has_won(bet, collector->winner_number))
        return true;
    if (bet->document.size < 1 || bet->document.size > BET_DOCUMENT_MAX) {
        collector->status = STATUS_DAMAGED;
        return false;
    }
    winner.document_size = (uint8_t)bet->document.size;
    memcpy(winner.document, bet->document.data, bet->document.size);
    collector->status = winner_list_add(collector->winners, &winner);
    return collector->status == STATUS_OK;
}

enum status winners_collect(char *text, size_t size, uint32_t winner_number,
                            struct winner_list *winners, size_t *bad_at)
{
    struct collector collector = {winners, winner_number, STATUS_OK};
    enum status status = STATUS_OK;
    size_t line = 0;

    /* Nearly every bet loses, and its number alone shows that. */
    for (size_t at = 0; at < size && status == STATUS_OK; at += line) {
        struct bet bet = {.number = 0};
        size_t bad_in_line;
        *bad_at = at;
        line = bets_csv_parse_number(text + at, size - at, &bet.number);
        if (line == 0)
            status = STATUS_DAMAGED;
        else if (has_won(&bet, winner_number))
            status = bets_csv_parse(text + at, line, winners_collect_one, &collector, &bad_in_line);
    }
    return collector.status != STATUS_OK ? collector.status : status;
}
