/* draw_files.h - the files of a draw that agencies are told about: its winners, and what was
 * signed. */
#ifndef LOTTERY_DRAW_FILES_H
#define LOTTERY_DRAW_FILES_H

#include "errbuf.h"
#include "file_ops.h"
#include "status.h"
#include "winner_files.h"

struct draw_seal;

/* A zeroed struct has none open. */
struct draw_files {
    struct winner_index *winners; /* owned; NULL: not open */
    struct draw_seal *seal;       /* owned; NULL: not read, or the draw is not sealed */
    char *result;                 /* owned; result.txt, a string; NULL: the same */
};

/* Closes all of it. */
void draw_files_close(struct draw_files *files);

#endif
