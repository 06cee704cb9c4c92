/* ctl_act.h - the commands that change something. Calls block; a command that the server has taken
 * is not taken back if we are killed. */
#ifndef LOTTERY_CTL_ACT_H
#define LOTTERY_CTL_ACT_H

#include "ctl_ask.h"

/* Closes the draw, and waits for its seal, if it is to have one. Prints when it was closed, and the
 * root. */
int ctl_act_close(const struct ctl_options *options);

/* Draws `number` (0..9999); `source` says where it is from, at most 200 bytes of UTF-8. Waits for
 * the winners as long as it takes. */
int ctl_act_draw(const struct ctl_options *options, unsigned number, const char *source);

/* Begins the draw with this id; `close_at_s` is its closing time, 0 for none. Waits until it takes
 * bets. */
int ctl_act_next(const struct ctl_options *options, const char *draw, uint64_t close_at_s);

/* Has the settings read again. Waits until the server works with them. */
int ctl_act_reload(const struct ctl_options *options);

#endif
