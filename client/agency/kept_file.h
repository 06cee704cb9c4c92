/* kept_file.h - a small file that is written as a whole, and again when there is more to say: it is
 * complete and on disk, or as it was before.
 */
#ifndef LOTTERY_KEPT_FILE_H
#define LOTTERY_KEPT_FILE_H

#include "errbuf.h"
#include "file_place.h"
#include "status.h"
#include "text.h"

#include <stdbool.h>

struct kept_file {
    char path[FILE_PLACE_PATH_MAX];      /* empty: nothing is kept */
    char temporary[FILE_PLACE_PATH_MAX]; /* beside it, with XXXXXX at its end */
};

/* Checks that a file can be written at `path`, which is copied: a temporary one beside it is made
 * and removed. Blocks, as do the others. */
enum status kept_file_init(struct kept_file *file, const char *path, struct errbuf *err);

/* Is there a file at the path? */
bool kept_file_exists(const struct kept_file *file);

/* Writes the file, in place of the one before. */
enum status kept_file_write(const struct kept_file *file, struct text text, struct errbuf *err);

#endif
