/* check.h - prints what is in a data folder, and whether it is valid. */
#ifndef LOTTERY_CHECK_H
#define LOTTERY_CHECK_H

/* Reads the folder as a start of the server would, but changes nothing. Prints to stdout, for each
 * agency that has something, its bets and whether it finished; then the sums, the draw, and what a
 * start would cut. Returns 0 when the folder is valid; 1 when it is damaged, cannot be read or has
 * a server at work, with file, offset and reason on stderr. Blocks. */
int check_folder(const char *dir);

#endif
