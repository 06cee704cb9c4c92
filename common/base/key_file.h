/* key_file.h - small files with secrets: read only if nobody else can, and made so; and those that
 * belong to them. Blocks.
 *
 * A process that has read or made a secret leaves no core file from then on (privileges.h).
 */
#ifndef LOTTERY_KEY_FILE_H
#define LOTTERY_KEY_FILE_H

#include "buffer.h"
#include "errbuf.h"
#include "status.h"
#include "text.h"

#define KEY_FILE_MAX 16384 /* bytes of such a file */
#define KEY_FILE_PUBLIC_MAX (1024 * 1024)

/* Who may access a file that is read. */
enum key_file_access {
    KEY_FILE_OWNER, /* its owner alone: a mode with none of the bits 077 */
    KEY_FILE_USER,  /* our own user alone; or, if it is root's, also read by its group: a mode with
                       none of the bits 037. So a group of the machine can share a key. */
    KEY_FILE_PUBLIC /* everybody: it has no secret, and up to KEY_FILE_PUBLIC_MAX bytes */
};

/* Appends the file's bytes to `out`, which the caller ends with key_file_forget(). The path is
 * absolute or relative to the directory `dir_fd` (AT_FDCWD: the current one).
 *
 * NOTFOUND: there is no such file. INVALID: others than `access` allows may access it, it is not a
 * regular file, or larger than KEY_FILE_MAX. NOMEM, IO. *err has the reason, without the path. */
enum status key_file_read(int dir_fd, const char *path, enum key_file_access access,
                          struct buffer *out, struct errbuf *err);

/* Makes the file, with mode 0600, and makes it durable. It has its name only once it is whole; a
 * process that is killed before may leave `<path>.<8 hex digits>`. A file that is there stays as it
 * is.
 *
 * INUSE: there is one already. INVALID: the path is too long. NOMEM, NOSPACE, NOTFOUND (the
 * directory), IO; *err as above. */
enum status key_file_create(int dir_fd, const char *path, struct text bytes, struct errbuf *err);

/* Overwrites the buffer's memory and frees it. */
void key_file_forget(struct buffer *buffer);

#endif
