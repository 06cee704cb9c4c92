#include "winners.h"

bool has_won(const struct bet *bet, uint32_t winner_number)
{
    return bet->number == winner_number;
}
