/* The supervisor's end of the link to the coordinator.
 *
 * Happy path: the coordinator asks for a movement, gets an answer, and commits it.
 *
 * Failure modes: it ends in between: what it had sent counts, what was sent to it is dropped, so
 * that the next coordinator finds an empty link; the supervisor undoes what was prepared. A message
 * is not valid: dropped, as no coordinator of ours sends one.
 */
#include "coordinator_child.h"

#include "sockets.h"

#include <sys/socket.h>
#include <unistd.h>

enum status coordinator_child_init(struct coordinator_child *self, struct errbuf *err)
{
    int fds[2];

    *self = (struct coordinator_child){.near_fd = -1, .far_fd = -1};
    enum status status = socket_pair(fds, err);
    if (status != STATUS_OK)
        return status;
    self->near_fd = fds[0];
    self->far_fd = fds[1];
    return STATUS_OK;
}

void coordinator_child_fini(struct coordinator_child *self)
{
    if (self->near_fd >= 0)
        (void)close(self->near_fd);
    if (self->far_fd >= 0)
        (void)close(self->far_fd);
    self->near_fd = self->far_fd = -1;
}

static bool coordinator_child_is_for_us(const struct supervisor_message *message, size_t size)
{
    return supervisor_message_is_valid(message, size) && message->kind <= SUPERVISOR_PHASE;
}

bool coordinator_child_hear(const struct coordinator_child *self, struct supervisor_message *out)
{
    ssize_t size;

    while ((size = recv(self->near_fd, out, sizeof(*out), MSG_DONTWAIT | MSG_TRUNC)) >= 0) {
        if (coordinator_child_is_for_us(out, (size_t)size))
            return true;
    }
    return false;
}

static void coordinator_child_send(const struct coordinator_child *self,
                                   const struct supervisor_message *message)
{
    (void)send(self->near_fd, message, sizeof(*message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void coordinator_child_prepared(const struct coordinator_child *self, uint32_t number)
{
    const struct supervisor_message message = {.kind = SUPERVISOR_PREPARED, .number = number};

    coordinator_child_send(self, &message);
}

void coordinator_child_refuse(const struct coordinator_child *self, uint32_t number,
                              const struct errbuf *reason)
{
    const struct supervisor_message message = {
        .kind = SUPERVISOR_REFUSED, .number = number, .reason = *reason};

    coordinator_child_send(self, &message);
}

void coordinator_child_tell_moved(const struct coordinator_child *self,
                                  const struct movement *movement, const struct errbuf *reason)
{
    const struct supervisor_message message = {
        .kind = SUPERVISOR_MOVED, .movement = *movement, .reason = *reason};

    coordinator_child_send(self, &message);
}

void coordinator_child_forget(struct coordinator_child *self)
{
    struct supervisor_message message;
    ssize_t size;

    do
        size = recv(self->far_fd, &message, sizeof(message), MSG_DONTWAIT);
    while (size >= 0);
    self->has_ended = false;
}
