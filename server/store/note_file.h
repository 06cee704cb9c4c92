/* note_file.h - reads the files with signed notes, to send them as they are. */
#ifndef LOTTERY_STORE_NOTE_FILE_H
#define LOTTERY_STORE_NOTE_FILE_H

#include "errbuf.h"
#include "file_ops.h"
#include "status.h"

#define NOTE_FILE_MAX ((size_t)2048) /* bytes; all of ours are shorter */

/* Reads the file `name` in the directory `dir_fd`: at most NOTE_FILE_MAX bytes of lines of UTF-8
 * that end with a line feed, which is all that is checked. *out is a string, which the caller
 * frees. NOTFOUND, DAMAGED, IO, NOMEM; *err says why. Blocks. */
enum status note_file_read(const struct file_ops *ops, int dir_fd, const char *name, char **out,
                           struct errbuf *err);

#endif
