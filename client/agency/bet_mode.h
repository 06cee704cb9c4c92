/* bet_mode.h - mode bet: sends the one bet that the environment describes. */
#ifndef LOTTERY_BET_MODE_H
#define LOTTERY_BET_MODE_H

#include "mode.h"

extern const struct mode bet_mode;

#endif
