/* config_file.h - reads a settings file, which may be a pipe, and which must not keep a program
 * from being stopped.
 */
#ifndef LOTTERY_CONFIG_FILE_H
#define LOTTERY_CONFIG_FILE_H

#include "errbuf.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_FILE_MAX 1048576 /* bytes of a file at most */

/* Reads the whole file at `path`. *out_text, with *out_size bytes and a NUL after them, is the
 * caller's to free. STATUS_NOTFOUND when there is none and none has to exist. STATUS_IO,
 * STATUS_INVALID (it is too long) and STATUS_NOMEM with "path: reason" in *err. STATUS_STOPPED when
 * SIGTERM or SIGINT, which the caller has blocked, arrive before the end of the file; they stay
 * pending. Blocks for as long as a pipe has a writer that writes nothing, or none yet. */
enum status config_file_read(const char *path, bool must_exist, char **out_text, size_t *out_size,
                             struct errbuf *err);

#endif
