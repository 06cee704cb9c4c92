/* sealed_files.h - small files of a sealed draw, for the processes that make or check them. All of
 * it blocks.
 */
#ifndef LOTTERY_SEALED_FILES_H
#define LOTTERY_SEALED_FILES_H

#include "buffer.h"
#include "data_dir.h"
#include "errbuf.h"
#include "seal_key.h"
#include "status.h"

/* Writes all of it to a new file, `name` of which goes into *err, and syncs it. */
enum status sealed_file_write(const struct file_ops *ops, int fd, const struct buffer *bytes,
                              const char *name, struct errbuf *err);

/* Appends a whole file of the directory, of at most `size_max` bytes, to `out`. NOTFOUND, DAMAGED:
 * it is larger; IO, NOMEM; *err says why. */
enum status sealed_file_read(const struct data_dir *data_dir, const char *name, size_t size_max,
                             struct buffer *out, struct errbuf *err);

/* Appends the text, signed by the key in a file, see seal_key_load(), as a note. Statuses of that.
 */
enum status sealed_note_sign(int key_dir_fd, const char *key_path, const char *text, size_t size,
                             struct buffer *out, struct errbuf *err);

/* Is the file a note with this text? If the key, where it is as for sealed_note_sign(), has signed
 * it, the signature is looked at, too; another one's stays as it is, as nobody here could make it
 * again. NOTFOUND, DAMAGED, IO, NOMEM. */
enum status sealed_note_check(const struct data_dir *data_dir, const char *name, int key_dir_fd,
                              const char *key_path, const char *text, size_t size,
                              struct errbuf *err);

#endif
