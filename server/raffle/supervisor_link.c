/* The coordinator's end of the link to the supervisor.
 *
 * Happy path: ask, hear that it is prepared, commit.
 *
 * Failure modes: the supervisor refuses: the owner is told why. The movement is taken back while
 * the answer is under way: its number is an old one, and it is ignored. This process ends: what was
 * asked for or prepared is undone by the supervisor, and its next one begins without any. The
 * supervisor ends: the kernel kills this process, too.
 */
#include "supervisor_link.h"

#include "assertion.h"

#include <string.h>
#include <sys/socket.h>

static bool movement_is_valid(const struct movement *movement)
{
    if (memchr(movement->id, '\0', sizeof(movement->id)) == NULL)
        return false;
    return movement->kind == MOVEMENT_RELOAD ||
           (movement->kind == MOVEMENT_NEXT && draw_id_is_valid(text_of(movement->id)));
}

static bool reason_is_valid(const struct errbuf *reason)
{
    return memchr(reason->text, '\0', sizeof(reason->text)) != NULL;
}

bool supervisor_message_is_valid(const struct supervisor_message *message, size_t size)
{
    if (size != sizeof(*message))
        return false;
    switch (message->kind) {
    case SUPERVISOR_PREPARE:
        return movement_is_valid(&message->movement);
    case SUPERVISOR_MOVED:
        return movement_is_valid(&message->movement) && reason_is_valid(&message->reason);
    case SUPERVISOR_PHASE:
        return message->phase <= DRAW_DRAWN;
    case SUPERVISOR_REFUSED:
        return reason_is_valid(&message->reason);
    case SUPERVISOR_COMMIT:
    case SUPERVISOR_CANCEL:
    case SUPERVISOR_PREPARED:
        return true;
    }
    return false;
}

static void supervisor_link_hear_moved(const struct supervisor_link *link,
                                       const struct supervisor_message *message)
{
    const char *reason = message->reason.text;

    if (link->config.on_moved != NULL)
        link->config.on_moved(link->config.owner, &message->movement,
                              reason[0] != '\0' ? reason : NULL);
}

static void supervisor_link_hear(struct supervisor_link *link,
                                 const struct supervisor_message *message)
{
    if (message->kind == SUPERVISOR_MOVED)
        supervisor_link_hear_moved(link, message);
    if (link->state == SUPERVISOR_LINK_IDLE || message->number != link->number)
        return; /* it was taken back */
    if (message->kind == SUPERVISOR_PREPARED && link->state == SUPERVISOR_LINK_ASKED) {
        link->state = SUPERVISOR_LINK_PREPARED;
        link->config.on_prepared(link->config.owner);
    } else if (message->kind == SUPERVISOR_REFUSED) {
        link->state = SUPERVISOR_LINK_IDLE;
        link->config.on_refused(link->config.owner, message->reason.text);
    }
}

/* A callback may close the link. */
static void supervisor_link_on_readable(uv_poll_t *poll, int code, int poll_events)
{
    struct supervisor_link *link = poll->data;
    struct supervisor_message message;
    ssize_t size;

    (void)code;
    (void)poll_events;
    while (!uv_is_closing((uv_handle_t *)poll) &&
           (size = recv(link->config.fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC)) >
               0) {
        if (supervisor_message_is_valid(&message, (size_t)size))
            supervisor_link_hear(link, &message);
    }
}

enum status supervisor_link_start(struct supervisor_link *link,
                                  const struct supervisor_link_config *config)
{
    ASSERT(config->on_prepared != NULL && config->on_refused != NULL);
    *link = (struct supervisor_link){.config = *config};
    if (uv_poll_init(config->loop, &link->poll, config->fd) < 0)
        return STATUS_IO;
    link->poll.data = link;
    if (uv_poll_start(&link->poll, UV_READABLE, supervisor_link_on_readable) == 0)
        return STATUS_OK;
    supervisor_link_close(link);
    return STATUS_IO;
}

static enum status supervisor_link_send(const struct supervisor_link *link,
                                        const struct supervisor_message *message)
{
    ssize_t size = send(link->config.fd, message, sizeof(*message), MSG_DONTWAIT | MSG_NOSIGNAL);

    return size == (ssize_t)sizeof(*message) ? STATUS_OK : STATUS_IO;
}

/* Sends a message that belongs to the last PREPARE and has nothing else in it. */
static enum status supervisor_link_send_kind(const struct supervisor_link *link,
                                             enum supervisor_message_kind kind)
{
    const struct supervisor_message message = {.kind = kind, .number = link->number};

    return supervisor_link_send(link, &message);
}

enum status supervisor_link_prepare(struct supervisor_link *link, const struct movement *movement)
{
    if (link->state != SUPERVISOR_LINK_IDLE)
        return STATUS_INUSE;
    const struct supervisor_message message = {
        .kind = SUPERVISOR_PREPARE, .number = link->number + 1, .movement = *movement};
    enum status status = supervisor_link_send(link, &message);
    if (status != STATUS_OK)
        return status;
    link->number = message.number;
    link->state = SUPERVISOR_LINK_ASKED;
    return STATUS_OK;
}

enum status supervisor_link_commit(struct supervisor_link *link)
{
    ASSERT(link->state == SUPERVISOR_LINK_PREPARED);
    enum status status = supervisor_link_send_kind(link, SUPERVISOR_COMMIT);
    if (status == STATUS_OK)
        link->state = SUPERVISOR_LINK_COMMITTED;
    return status;
}

void supervisor_link_cancel(struct supervisor_link *link)
{
    if (link->state != SUPERVISOR_LINK_ASKED && link->state != SUPERVISOR_LINK_PREPARED)
        return;
    /* If it cannot be sent, the supervisor refuses later movements until this process ends. */
    (void)supervisor_link_send_kind(link, SUPERVISOR_CANCEL);
    link->state = SUPERVISOR_LINK_IDLE;
}

void supervisor_link_tell_phase(struct supervisor_link *link, enum draw_phase phase)
{
    const struct supervisor_message message = {.kind = SUPERVISOR_PHASE, .phase = phase};

    if (phase != link->phase && supervisor_link_send(link, &message) == STATUS_OK)
        link->phase = phase;
}

void supervisor_link_close(struct supervisor_link *link)
{
    uv_close((uv_handle_t *)&link->poll, NULL);
}
