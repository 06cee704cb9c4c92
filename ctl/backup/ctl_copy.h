/* ctl_copy.h - copies files out of a data directory. Calls block. */
#ifndef LOTTERY_CTL_COPY_H
#define LOTTERY_CTL_COPY_H

#include "errbuf.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define CTL_COPY_STEP ((size_t)8 * 1024 * 1024) /* bytes that are copied at once, at most */

/* Who wants to know how far it is, and may stop it. */
struct ctl_progress {
    /* `size` more bytes were copied. Returns false to stop; NULL: never. */
    bool (*on_copied)(void *owner, uint64_t size);
    void *owner;
};

/* Is it a name that a file of a copy may have: one or two parts with a '/' between them, each of at
 * most 128 letters, digits, '.', '_' and '-', with a letter or digit first? */
bool ctl_copy_is_name(const char *name);

/* Opens such a file in the directory `dir_fd` for reading; *out_info is its fstat(). A symbolic
 * link is not followed on the way, and nothing but a regular file is opened. NOTFOUND: it is not
 * there; INVALID, IO, ...; *err names the file. The caller owns the descriptor. */
enum status ctl_copy_open(int dir_fd, const char *name, int *out_fd, struct stat *out_info,
                          struct errbuf *err);

/* Copies `size` bytes between the positions of two files. NOSPACE, IO; DAMAGED: `from` has fewer;
 * STOPPED. *err says why, without a name. */
enum status ctl_copy_bytes(int from, int to, uint64_t size, const struct ctl_progress *progress,
                           struct errbuf *err);

/* Writes `size` bytes. As above. */
enum status ctl_copy_write(int to, const void *bytes, size_t size, struct errbuf *err);

#endif
