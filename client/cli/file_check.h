/* file_check.h - says whether an agency's file of bets is fit to be sent, without a server. */
#ifndef LOTTERY_FILE_CHECK_H
#define LOTTERY_FILE_CHECK_H

#include "client_settings.h"

/* Checks the file at `path`, as an agency with these settings does before it sends anything. Prints
 * to stdout what is wrong with it, a line for each bad row as in the agency's log, and what looks
 * like a mistake; if nothing is wrong, the number of its bets. Returns 0 when the file is fit, else
 * 1. Blocks. */
int file_check(const char *path, const struct client_settings *settings);

#endif
