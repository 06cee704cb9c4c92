#include "ledger_link_fds.h"

#include "assertion.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for the descriptors of a message, in units that are aligned as their header has to be. */
#define CONTROL_HEADERS (CMSG_SPACE(sizeof(int) * MESSAGE_FDS) / sizeof(struct cmsghdr) + 1)

/* Descriptors that wait for their message to leave. */
struct link_parcel {
    struct link_parcel *next; /* of the later message; owned */
    size_t at;                /* where in the out queue the message lies */
    size_t count;
    int fds[MESSAGE_FDS]; /* owned */
};

void link_parcels_init(struct link_parcels *parcels)
{
    *parcels = (struct link_parcels){.end = &parcels->first};
}

enum status link_parcels_add(struct link_parcels *parcels, size_t at, const int *fds, size_t count)
{
    ASSERT(count > 0 && count <= MESSAGE_FDS);
    struct link_parcel *parcel = malloc(sizeof(*parcel));
    if (parcel == NULL)
        return STATUS_NOMEM;
    *parcel = (struct link_parcel){.at = at, .count = count};
    memcpy(parcel->fds, fds, count * sizeof(*fds));
    *parcels->end = parcel;
    parcels->end = &parcel->next;
    return STATUS_OK;
}

void link_parcels_shift(struct link_parcels *parcels, size_t size)
{
    for (struct link_parcel *parcel = parcels->first; parcel != NULL; parcel = parcel->next)
        parcel->at -= size;
}

/* The first parcel is not needed any more: closes our descriptors of what it had. */
static void link_parcels_pop(struct link_parcels *parcels)
{
    struct link_parcel *first = parcels->first;

    parcels->first = first->next;
    if (parcels->first == NULL)
        parcels->end = &parcels->first;
    for (size_t i = 0; i < first->count; i++)
        (void)close(first->fds[i]);
    free(first);
}

void link_parcels_drop(struct link_parcels *parcels)
{
    while (parcels->first != NULL)
        link_parcels_pop(parcels);
}

/* Puts the parcel's descriptors into the header of a message. */
static void link_parcel_pack(const struct link_parcel *parcel, struct cmsghdr *control,
                             struct msghdr *header)
{
    size_t size = parcel->count * sizeof(int);

    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(control), parcel->fds, size);
    header->msg_control = control;
    header->msg_controllen = CMSG_SPACE(size);
}

ssize_t link_parcels_write(struct link_parcels *parcels, int fd, const struct buffer *out,
                           size_t sent)
{
    struct cmsghdr control[CONTROL_HEADERS] = {{0}};
    const struct link_parcel *parcel = parcels->first;
    bool has_fds = parcel != NULL && parcel->at == sent;
    size_t end = out->size;

    if (has_fds)
        end = parcel->at + MESSAGE_SIZE;
    else if (parcel != NULL)
        end = parcel->at;
    struct iovec bytes = {out->data + sent, end - sent};
    struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (has_fds)
        link_parcel_pack(parcel, control, &header);
    ssize_t written = sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (has_fds && written >= 0) /* the kernel has taken them with the first byte */
        link_parcels_pop(parcels);
    return written;
}

/* Keeps the descriptors of `size` bytes at `from`; closes those that are too many. Returns whether
 * there were none of these. */
static bool link_fds_copy(struct link_fds *self, const unsigned char *from, size_t size)
{
    size_t count = size / sizeof(int);

    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, from + i * sizeof(fd), sizeof(fd));
        if (i < MESSAGE_FDS)
            self->fds[self->count++] = fd;
        else
            (void)close(fd);
    }
    return count <= MESSAGE_FDS;
}

/* Keeps the descriptors that came with a read. Returns false when they are not what they can be. */
static bool link_fds_keep(struct link_fds *self, struct msghdr *header)
{
    bool is_good = (header->msg_flags & MSG_CTRUNC) == 0;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL;
         part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        link_fds_drop(self);
        is_good &= link_fds_copy(self, CMSG_DATA(part), part->cmsg_len - CMSG_LEN(0));
    }
    return is_good;
}

ssize_t link_fds_read(struct link_fds *self, int fd, void *bytes, size_t size)
{
    struct cmsghdr control[CONTROL_HEADERS];
    struct iovec part = {bytes, size};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            /* Not all of `control`, where more descriptors may fit. */
                            .msg_controllen = CMSG_SPACE(sizeof(int) * MESSAGE_FDS)};
    ssize_t count;

    do {
        count = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count < 0 || link_fds_keep(self, &header))
        return count;
    errno = EBADMSG;
    return -1;
}

bool link_fds_take(struct link_fds *self, int *fds, size_t count)
{
    if (self->count != count)
        return false;
    memcpy(fds, self->fds, count * sizeof(*fds));
    self->count = 0;
    return true;
}

void link_fds_drop(struct link_fds *self)
{
    while (self->count > 0)
        (void)close(self->fds[--self->count]);
}
