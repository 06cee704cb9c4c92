#include "ledger_client_connect.h"

#include "ledger_client_flight.h"
#include "ledger_client_outcomes.h"
#include "log.h"
#include "stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void client_retry_later(struct ledger_client *client);

static void client_lose_link(struct ledger_client *client)
{
    link_close(client->link);
    client->link = NULL;
    client->is_told = false;
    client->pieces.size = 0;
    client->must_renew = client->region.memory != NULL;
    client_unsend(client);
    client_retry_later(client);
}

void client_flush(struct ledger_client *client)
{
    if (client->link == NULL)
        return;
    if (client_send_all(client) == STATUS_OK)
        link_flush(client->link);
    else
        client_lose_link(client);
}

static void client_on_end(void *owner, enum status status)
{
    struct ledger_client *client = owner;

    if (status == STATUS_MALFORMED)
        LOG(ERROR, "ledger_link", FAIL, LOG_TEXT("reason", status_text(status)));
    client_lose_link(client);
}

void client_release(struct ledger_client *client)
{
    if (--client->open_handles > 0)
        return;
    region_fini(&client->region);
    free(client);
}

static void client_on_link_closed(void *owner)
{
    client_release(owner);
}

static const struct link_events client_link_events = {
    .on_messages = client_on_messages,
    .on_end = client_on_end,
    .on_closed = client_on_link_closed,
};

/* A connected socket, or -1. */
static int client_connect(const struct ledger_client_config *config)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)config->address, config->address_size) == 0 &&
        stream_is_own_user(fd))
        return fd;
    (void)close(fd);
    return -1;
}

static enum status client_say_hello(struct ledger_client *client)
{
    struct message message = {.kind = MESSAGE_HELLO};

    message.region_size = client->region.size;
    if (client->region.memory == NULL)
        return link_send(client->link, &message);
    int fd = fcntl(client->region.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return STATUS_IO;
    return link_send_fds(client->link, &message, &fd, 1);
}

/* Makes sure that the ledger of an earlier link cannot read what is written into the region. */
static enum status client_prepare_region(struct ledger_client *client)
{
    enum status status = client->must_renew ? client_renew_region(client) : STATUS_OK;

    if (status == STATUS_OK)
        client->must_renew = false;
    return status;
}

void client_attempt(struct ledger_client *client)
{
    int fd = client_prepare_region(client) == STATUS_OK ? client_connect(&client->config) : -1;

    if (fd < 0) {
        client_retry_later(client);
        return;
    }
    const struct link_config config = {client->config.loop, fd, &client_link_events, client};
    if (link_create(&config, &client->link) != STATUS_OK) {
        (void)close(fd);
        client_retry_later(client);
        return;
    }
    client->open_handles++;
    if (client_say_hello(client) == STATUS_OK)
        client_flush(client);
    else
        client_lose_link(client);
}

static void client_on_retry(uv_timer_t *timer)
{
    client_attempt(timer->data);
}

static void client_retry_later(struct ledger_client *client)
{
    (void)uv_timer_start(&client->retry, client_on_retry, backoff_next_ms(&client->backoff), 0);
}
