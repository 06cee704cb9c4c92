/* check.h - prints what is in a data directory, and whether it is valid. */
#ifndef LOTTERY_CHECK_H
#define LOTTERY_CHECK_H

/* Reads the folder as the server does when it starts, and all of its bets and winners besides, but
 * changes nothing. In a data directory whose `current` names a draw, that is the draw's folder, and
 * a first line says which. Prints to stdout the bets of each agency that has any, and whether it
 * finished; then the sums, the draw's settings and outcome, of a draw that operators run who
 * closed, sealed and drew it when, and what they did; and what the server would cut. Returns 0 when
 * the folder is valid; 1 when it is damaged, cannot be read or is in use by a server, with file,
 * offset and reason on stderr. Blocks. */
int check_folder(const char *dir);

#endif
