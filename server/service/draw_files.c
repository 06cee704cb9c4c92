#include "draw_files.h"

#include "draw_seal.h"

#include <stdlib.h>

void draw_files_close(struct draw_files *files)
{
    winner_index_close(files->winners);
    draw_seal_close(files->seal);
    free(files->result);
    *files = (struct draw_files){0};
}
