/* ctl_watch.h - the status, again every second. */
#ifndef LOTTERY_CTL_WATCH_H
#define LOTTERY_CTL_WATCH_H

#include "ctl_ask.h"

/* Shows the status every second until SIGINT or SIGTERM: on a terminal in place of the one before,
 * otherwise after it. While the server cannot be reached it says so, and goes on. Returns the exit
 * status. */
int ctl_watch_status(const struct ctl_options *options);

#endif
