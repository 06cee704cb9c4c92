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

/* Appends the text, signed by the key in a file, see seal_key_load(), as a note. Statuses of that.
 */
enum status sealed_note_sign(int key_dir_fd, const char *key_path, const char *text, size_t size,
                             struct buffer *out, struct errbuf *err);

/* Is `bytes`, a string from the file `name`, a note, and if the key, where it is as for
 * sealed_note_sign(), has signed it, is the signature right? Another one's stays as it is, as
 * nobody here could make it again. DAMAGED, NOMEM; *err says why. */
enum status sealed_note_verify(int key_dir_fd, const char *key_path, const char *name,
                               const char *bytes, struct errbuf *err);

/* Is the file such a note, with this text, and one that note_file_read() reads, so that it can be
 * sent? NOTFOUND, DAMAGED, IO, NOMEM; *err says why. */
enum status sealed_note_check(const struct data_dir *data_dir, const char *name, int key_dir_fd,
                              const char *key_path, const char *text, size_t size,
                              struct errbuf *err);

#endif
