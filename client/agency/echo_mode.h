/* echo_mode.h - mode echo: loop.amount messages to an echo server, one each loop.period. */
#ifndef LOTTERY_ECHO_MODE_H
#define LOTTERY_ECHO_MODE_H

#include "mode.h"

extern const struct mode echo_mode;

#endif
