/* ctl_backup.h - makes a backup of the running draw. Calls block. */
#ifndef LOTTERY_CTL_BACKUP_H
#define LOTTERY_CTL_BACKUP_H

#include "ctl_ask.h"

/* Copies the draw in force to the folder `dir`, see ctl_target_create(), and prints what there is.
 * SIGINT, SIGTERM and SIGHUP end it: what was copied so far is removed, and the process dies of the
 * signal. */
int ctl_backup(const struct ctl_options *options, const char *dir);

#endif
