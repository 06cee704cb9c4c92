/* A worker's end of the link to the coordinator.
 *
 * Happy path: connect (on a Unix socket that is done at once), let the owner report all sessions
 * that wait, forward each further Finished, and wait for the coordinator's Ack.
 *
 * Failure modes: the coordinator is gone: try again, with backoff. The supervisor keeps the
 * listening socket open, so new links wait in its queue while the coordinator restarts. The owner
 * cannot read the winners: the link is closed, and the coordinator sends the Ack again on the next
 * one. A process of another user listens there: the link is closed, and tried again.
 */
#include "raffle_client.h"

#include "assertion.h"
#include "wire.h"

#include <unistd.h>

#define FIRST_RETRY_MS 20
#define MAX_RETRY_MS 1000

static void raffle_client_retry_later(struct raffle_client *client);

static bool raffle_client_on_frame(void *context, const struct frame *frame)
{
    struct raffle_client *client = context;

    return frame->opcode == LOTTERY__V1__OPCODE__OPCODE_ACK &&
           client->config.on_drawn(client->config.owner);
}

static void raffle_client_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct raffle_client *client = owner;

    if (frame_reader_feed(&client->reader, data, size, raffle_client_on_frame, client) == STATUS_OK)
        backoff_reset(&client->backoff);
    else
        stream_close(client->stream);
}

static void raffle_client_on_end(void *owner, enum status status, const char *detail)
{
    struct raffle_client *client = owner;

    (void)status;
    (void)detail;
    stream_close(client->stream);
}

static void raffle_client_on_closed(void *owner)
{
    struct raffle_client *client = owner;

    client->stream = NULL;
    frame_reader_fini(&client->reader);
    if (client->state == RAFFLE_CLIENT_CLOSED)
        return;
    client->state = RAFFLE_CLIENT_PAUSING;
    raffle_client_retry_later(client);
}

static const struct stream_events raffle_client_events = {
    .on_data = raffle_client_on_data,
    .on_end = raffle_client_on_end,
    .on_closed = raffle_client_on_closed,
};

/* A connected socket, or -1. */
static int raffle_client_connect(const struct raffle_client_config *config)
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

static void raffle_client_attempt(struct raffle_client *client)
{
    const struct raffle_client_config *config = &client->config;
    int fd = raffle_client_connect(config);

    if (fd < 0 || stream_create_unix(config->hub, &raffle_client_events, client, &client->stream) !=
                      STATUS_OK) {
        if (fd >= 0)
            (void)close(fd);
        raffle_client_retry_later(client);
        return;
    }
    client->state = RAFFLE_CLIENT_LINKED;
    frame_reader_init(&client->reader);
    enum status status = stream_open(client->stream, fd);
    if (status != STATUS_OK)
        (void)close(fd);
    else
        status = stream_read_start(client->stream);
    if (status != STATUS_OK) {
        stream_close(client->stream);
        return;
    }
    config->on_open(config->owner);
}

static void raffle_client_on_retry(uv_timer_t *timer)
{
    raffle_client_attempt(timer->data);
}

static void raffle_client_retry_later(struct raffle_client *client)
{
    (void)uv_timer_start(&client->retry, raffle_client_on_retry, backoff_next_ms(&client->backoff),
                         0);
}

void raffle_client_start(struct raffle_client *client, const struct raffle_client_config *config)
{
    ASSERT(config->hub != NULL && config->address != NULL);
    ASSERT(config->on_open != NULL && config->on_drawn != NULL);
    *client = (struct raffle_client){
        .config = *config,
        .state = RAFFLE_CLIENT_PAUSING,
        .backoff = {FIRST_RETRY_MS, MAX_RETRY_MS, 0},
    };
    (void)uv_timer_init(stream_hub_loop(config->hub), &client->retry);
    client->retry.data = client;
    raffle_client_attempt(client);
}

void raffle_client_send_finished(struct raffle_client *client, uint32_t agency, uint64_t total)
{
    uint8_t frame[FRAME_MAX_SIZE];

    if (client->state != RAFFLE_CLIENT_LINKED)
        return;
    size_t size = wire_pack_finished(agency, total, frame);
    if (stream_send(client->stream, frame, size) != STATUS_OK)
        stream_close(client->stream);
}

void raffle_client_close(struct raffle_client *client)
{
    ASSERT(client->state != RAFFLE_CLIENT_CLOSED);
    client->state = RAFFLE_CLIENT_CLOSED;
    uv_close((uv_handle_t *)&client->retry, NULL);
    if (client->stream != NULL)
        stream_close(client->stream);
}
