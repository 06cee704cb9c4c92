/* data_dir.h - the data directory of a server, locked.
 *
 * The lock is on the directory itself and belongs to the open descriptor, which all processes of
 * the server inherit: the directory is free again when the last of them is gone.
 *
 * The previous release locked a file in it, bets.lock. While that file exists its lock is taken,
 * too, and held, so that no server of that release works here at the same time. Carrying the folder
 * over to the present format removes the file; nobody makes it again.
 */
#ifndef LOTTERY_STORE_DATA_DIR_H
#define LOTTERY_STORE_DATA_DIR_H

#include "errbuf.h"
#include "file_ops.h"
#include "status.h"

#include <stdbool.h>

#define DATA_DIR_OLD_LOCK "bets.lock"

struct data_dir {
    const struct file_ops *ops; /* borrowed */
    const char *path;           /* as it was opened; borrowed. If it is relative, the process must
                                   stay in its working directory */
    int fd;                     /* of the directory; owned */
    struct file_id id;          /* of the directory */
    int old_lock_fd;            /* of bets.lock, -1 if there was none; owned */
};

/* Opens and locks the directory; waits up to a second for a server that is about to end. Changes
 * nothing in it. INUSE when another server works on it (also one of a release that locked a file
 * named bets.lock in it), NOTFOUND, IO; *err names the path and says why. */
enum status data_dir_open(const char *path, const struct file_ops *ops, struct data_dir *out,
                          struct errbuf *err);

/* The same for the folder of a draw in `base`, which is one that data_dir_open() has opened, and
 * stays open. No symbolic link is followed. `path` is where the folder is, for texts and for
 * data_dir_is_in_place(); borrowed. */
enum status data_dir_open_draw(const struct data_dir *base, const char *id, const char *path,
                               struct data_dir *out, struct errbuf *err);

/* Opens what `from` has open a second time, with the same lock, which lasts until both are closed.
 * `path` as for data_dir_open_draw(), of the same directory. IO. */
enum status data_dir_share(const struct data_dir *from, const char *path, struct data_dir *out,
                           struct errbuf *err);

/* Closes what this process has open of it. May be called again. */
void data_dir_close(struct data_dir *data_dir);

/* Opens it for reading, for a check: without a lock, but INUSE while a server holds one.
 * *err does not name the path. */
enum status data_dir_open_check(const char *path, const struct file_ops *ops, struct data_dir *out,
                                struct errbuf *err);

/* Is it still where it was opened? Otherwise *err says whether it was moved, removed or replaced.
 * One system call if it is. A directory that was opened as "." cannot be moved from there: it is
 * always where the process is. */
bool data_dir_is_in_place(const struct data_dir *data_dir, struct errbuf *err);

/* Opens a file in it: no symbolic link is followed, a FIFO does not wait for its other end, a new
 * file gets mode 0640. Like openat, with errno. */
int data_dir_open_file(const struct data_dir *data_dir, const char *name, int flags);

#endif
