/* sync_timer.h - measures how long the ledger waits for the disk. */
#ifndef LOTTERY_SYNC_TIMER_H
#define LOTTERY_SYNC_TIMER_H

#include "file_ops.h"
#include "scoreboard.h"

/* `ops`, of which each sync counts on the scoreboard, how long it took and whether or not it
 * succeeded. In a process this is done once: both are borrowed for its life, and so is what is
 * returned. */
const struct file_ops *sync_timer_start(const struct file_ops *ops,
                                        struct scoreboard_ledger *scoreboard);

#endif
