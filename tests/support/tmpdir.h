/* tmpdir.h - a new folder for one test, removed afterwards with everything in it. */
#ifndef LOTTERY_TMPDIR_H
#define LOTTERY_TMPDIR_H

/* Makes a folder under $TMPDIR or /tmp. The name is the caller's to pass to tmpdir_remove. Ends the
 * test when it cannot. */
char *tmpdir_make(void);

/* Removes the folder with everything in it and frees the name. */
void tmpdir_remove(char *path);

#endif
