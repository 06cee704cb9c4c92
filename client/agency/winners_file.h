/* winners_file.h - the documents of an agency's winners in a file for people: one a line, in the
 * order of the bets.
 *
 * The file appears under its name when it is complete and on disk, in place of one that was there.
 * Until then the lines are in a temporary file beside it.
 */
#ifndef LOTTERY_WINNERS_FILE_H
#define LOTTERY_WINNERS_FILE_H

#include "errbuf.h"
#include "file_place.h"
#include "status.h"
#include "text.h"

#include <stddef.h>

#define WINNERS_FILE_BUFFER ((size_t)64 * 1024) /* bytes that are written at a time */

struct winners_file {
    int fd;                              /* of the temporary file; -1 = there is none */
    char path[FILE_PLACE_PATH_MAX];      /* of the complete file */
    char temporary[FILE_PLACE_PATH_MAX]; /* of the other */
    size_t size;                         /* bytes in the buffer */
    char buffer[WINNERS_FILE_BUFFER];
};

/* Makes the temporary file for the one at `path`, which is copied. Whether this works or not, the
 * caller ends with winners_file_fini(). */
enum status winners_file_init(struct winners_file *file, const char *path, struct errbuf *err);

/* Removes the temporary file if there still is one. A struct whose fd is -1 is fine. */
void winners_file_fini(struct winners_file *file);

/* Forgets all winners: the list comes again from its beginning. Blocks, as do the next two. */
enum status winners_file_restart(struct winners_file *file, struct errbuf *err);

/* Adds a document. STATUS_MALFORMED when it could not be a line of its own. */
enum status winners_file_add(struct winners_file *file, struct text document, struct errbuf *err);

/* Syncs the file and gives it its name. */
enum status winners_file_commit(struct winners_file *file, struct errbuf *err);

#endif
