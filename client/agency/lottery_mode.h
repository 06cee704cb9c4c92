/* lottery_mode.h - mode lottery: sends the agency's file of bets and asks for its winners. */
#ifndef LOTTERY_LOTTERY_MODE_H
#define LOTTERY_LOTTERY_MODE_H

#include "mode.h"

extern const struct mode lottery_mode;

#endif
