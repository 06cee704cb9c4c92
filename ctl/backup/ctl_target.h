/* ctl_target.h - the folder that a backup is written to. Calls block for the disk.
 *
 * It is made under another name, NAME.part-XXXXXX beside it, and gets its own when all of it is on
 * disk: so whoever finds it finds a whole backup. One that was cut short leaves the other name,
 * which stands in nobody's way and may be removed.
 */
#ifndef LOTTERY_CTL_TARGET_H
#define LOTTERY_CTL_TARGET_H

#include "errbuf.h"
#include "status.h"

#include <limits.h>
#include <sys/types.h>

struct ctl_target {
    int parent_fd;             /* of the folder that it is made in; owned */
    int fd;                    /* of itself; owned */
    char path[PATH_MAX];       /* absolute, without symbolic links */
    const char *name;          /* its last part */
    char part[NAME_MAX + 1];   /* its name until ctl_target_finish() */
    char folder[NAME_MAX + 1]; /* the folder that was made in it; empty: none */
};

/* Makes it, with mode 0700, for a backup of the data directory that is open as `data_dir_fd`. `dir`
 * must not be there, or be an empty folder, which is replaced at the end; nor may it be a symbolic
 * link, a mount point, or in the data directory. Its parent has to be there. INVALID, IO, NOSPACE,
 * ...; *err says why. */
enum status ctl_target_create(struct ctl_target *target, const char *dir, int data_dir_fd,
                              struct errbuf *err);

/* Makes a file in it, for writing, with this mode but for the umask; `name` is a
 * ctl_copy_is_name(): for one with two parts the folder is made first, and there can be one only.
 * The caller owns the descriptor. As above. */
enum status ctl_target_make_file(struct ctl_target *target, const char *name, mode_t mode,
                                 int *out_fd, struct errbuf *err);

/* All its files were synced: syncs its folders and gives it its name, durably. On failure it has
 * its other name, and ctl_target_discard() has to follow, unless the status is UNCERTAIN: it is
 * there, but a power cut may take it away. */
enum status ctl_target_finish(struct ctl_target *target, struct errbuf *err);

/* Removes it with all that is in it. */
void ctl_target_discard(struct ctl_target *target);

/* Closes it. */
void ctl_target_close(struct ctl_target *target);

#endif
