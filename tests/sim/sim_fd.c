#include "sim_fd.h"

#include "sim_trace.h"

#include <stddef.h>
#include <stdlib.h>

#define FD_FIRST 1000000 /* of the simulated descriptors */
#define FDS_MAX 512

static struct sim_fd fds[FDS_MAX];
static int fds_end; /* after the last one that may be open */

/* The linker's --wrap gives these their names. */
int __real_close(int fd);
int __wrap_close(int fd);

int sim_fd_new(const struct sim_fd *fd)
{
    for (int i = 0; i < FDS_MAX; i++) {
        if (fds[i].is_open)
            continue;
        fds[i] = *fd;
        fds[i].is_open = true;
        if (i >= fds_end)
            fds_end = i + 1;
        return FD_FIRST + i;
    }
    abort(); /* somebody does not close his */
}

struct sim_fd *sim_fd_of(int fd)
{
    if (fd < FD_FIRST || fd >= FD_FIRST + FDS_MAX || !fds[fd - FD_FIRST].is_open)
        return NULL;
    return &fds[fd - FD_FIRST];
}

int sim_fd_send(int fd, const void *owner)
{
    const struct sim_fd *sent = sim_fd_of(fd);
    struct sim_fd copy;

    if (sent == NULL)
        return -1;
    copy = *sent;
    copy.owner = owner;
    return sim_fd_new(&copy);
}

void sim_fd_close_all(const void *owner)
{
    for (int i = 0; i < fds_end; i++) {
        if (fds[i].owner == owner)
            fds[i].is_open = false;
    }
    while (fds_end > 0 && !fds[fds_end - 1].is_open)
        fds_end--;
}

void sim_fd_reset(void)
{
    for (int i = 0; i < fds_end; i++)
        fds[i].is_open = false;
    fds_end = 0;
}

void sim_fd_note_used(bool *used)
{
    for (int i = 0; i < fds_end; i++) {
        if (fds[i].is_open && fds[i].file >= 0)
            used[fds[i].file] = true;
    }
}

int __wrap_close(int fd)
{
    struct sim_fd *closed = sim_fd_of(fd);

    if (fd < FD_FIRST)
        return __real_close(fd);
    if (closed == NULL)
        sim_fail("a descriptor was closed twice");
    closed->is_open = false;
    return 0;
}
