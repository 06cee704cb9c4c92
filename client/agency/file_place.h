/* file_place.h - a path at which a complete file is to appear, in place of an older one. Blocks. */
#ifndef LOTTERY_FILE_PLACE_H
#define LOTTERY_FILE_PLACE_H

#include "errbuf.h"
#include "status.h"

#define FILE_PLACE_PATH_MAX 600 /* bytes of a path, with its NUL */
#define FILE_PLACE_MODE 0640    /* what an agency keeps is nobody else's business */

/* Sets *err to the path and what errno says; returns its status. */
enum status file_place_fail(const char *path, struct errbuf *err);

/* Fills in the two paths: `path`, and the one for a temporary file beside it, for mkostemp(). Then
 * checks the place: nothing but a regular file may be replaced. */
enum status file_place_prepare(const char *path, char out[FILE_PLACE_PATH_MAX],
                               char temporary[FILE_PLACE_PATH_MAX], struct errbuf *err);

/* Syncs the directory, so that the file's new name survives a power cut. */
enum status file_place_sync(const char *path, struct errbuf *err);

#endif
