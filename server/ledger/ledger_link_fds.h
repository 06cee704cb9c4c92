/* ledger_link_fds.h - the descriptors that travel over a link, each with its message.
 *
 * A message with descriptors has a sendmsg() of its own, because of how the kernel treats these:
 * they belong to the first byte of the call that sent them, and a read that has received some takes
 * nothing from later calls. So their message is always the last of a read.
 *
 * No call blocks: the sockets are asked not to.
 */
#ifndef LOTTERY_LEDGER_LINK_FDS_H
#define LOTTERY_LEDGER_LINK_FDS_H

#include "buffer.h"
#include "message.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct link_parcel;

/* The descriptors of messages that have not left. To be initialised. */
struct link_parcels {
    struct link_parcel *first; /* in the order of their messages; owned */
    struct link_parcel **end;  /* where the next one is linked in */
};

void link_parcels_init(struct link_parcels *parcels);

/* Adds 1..MESSAGE_FDS descriptors, which go with the message that lies `at` bytes from the
 * beginning of the out queue, after those of the parcels before. They are the parcels' if this
 * returns STATUS_OK, and otherwise (STATUS_NOMEM) still the caller's. */
enum status link_parcels_add(struct link_parcels *parcels, size_t at, const int *fds, size_t count);

/* The first `size` bytes of the out queue have left it: the others move to its beginning. */
void link_parcels_shift(struct link_parcels *parcels, size_t size);

/* Closes all descriptors. */
void link_parcels_drop(struct link_parcels *parcels);

/* One call to the kernel: writes the out queue from its byte `sent` on, as far as the next message
 * with descriptors, or that one alone with them. Returns how many bytes have left, or -1 with
 * errno. Descriptors that have left are closed here. */
ssize_t link_parcels_write(struct link_parcels *parcels, int fd, const struct buffer *out,
                           size_t sent);

/* The descriptors that came with the last read. A zeroed struct has none. */
struct link_fds {
    size_t count;
    int fds[MESSAGE_FDS]; /* owned */
};

/* One read of at most `size` bytes. Returns how many there were, 0 at the end, or -1 with errno;
 * EBADMSG when more descriptors came than there can be. New descriptors take the place of those
 * that are still there. */
ssize_t link_fds_read(struct link_fds *self, int fd, void *bytes, size_t size);

/* Moves the descriptors to fds[], whose owner is the caller, if they are `count`. Returns false,
 * and moves none, when they are not. */
bool link_fds_take(struct link_fds *self, int *fds, size_t count);

/* Closes them. */
void link_fds_drop(struct link_fds *self);

#endif
