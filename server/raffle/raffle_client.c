/* A worker's line to the coordinator.
 *
 * Happy path: connect (on a Unix socket that is done at once), tell about all sessions that wait,
 * forward each further Finished, and wait for the coordinator's Ack.
 *
 * Failure modes: the coordinator is gone: try again, with backoff; the supervisor holds the
 * listening socket, so that connections made while the coordinator restarts are waiting for it. The
 * winners can not be read: logged, tried again. Somebody else listens there: hung up on, tried
 * again.
 */
#include "raffle_client.h"

#include "log.h"
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FIRST_RETRY_MS 20
#define MAX_RETRY_MS 1000

static void try_later(struct raffle_client *client);

static bool on_frame(void *context, const struct frame *frame)
{
    struct raffle_client *client = context;
    struct errbuf err = {{0}};

    if (frame->opcode != LOTTERY__V1__OPCODE__OPCODE_ACK)
        return false;
    if (service_send_winners(client->service, &err) != STATUS_OK) {
        LOG(ERROR, "ganadores_enviados", FAIL, LOG_TEXT("reason", err.text));
        return false; /* a new connection brings the Ack again */
    }
    return true;
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct raffle_client *client = owner;

    if (frame_reader_feed(&client->reader, data, size, on_frame, client) == STATUS_OK)
        backoff_reset(&client->backoff);
    else
        stream_close(client->stream);
}

static void on_end(void *owner, enum status status, const char *detail)
{
    struct raffle_client *client = owner;

    (void)status;
    (void)detail;
    stream_close(client->stream);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_closed(void *owner)
{
    struct raffle_client *client = owner;

    client->is_open = false;
    frame_reader_fini(&client->reader);
    if (!client->is_closing)
        try_later(client);
}

static const struct stream_events events = {
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_closed = on_closed,
};

static int connect_to(const struct raffle_client *client)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)client->address, client->address_size) == 0 &&
        stream_is_own_user(fd))
        return fd;
    (void)close(fd);
    return -1;
}

static void attempt(struct raffle_client *client)
{
    int fd = connect_to(client);

    if (fd < 0 || stream_create_unix(client->hub, &events, client, &client->stream) != STATUS_OK) {
        if (fd >= 0)
            (void)close(fd);
        try_later(client);
        return;
    }
    client->is_open = true;
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
    service_report_waiting(client->service);
}

static void on_retry(uv_timer_t *timer)
{
    attempt(timer->data);
}

static void try_later(struct raffle_client *client)
{
    (void)uv_timer_start(&client->retry, on_retry, backoff_next_ms(&client->backoff), 0);
}

void raffle_client_start(struct raffle_client *client)
{
    client->backoff = (struct backoff){FIRST_RETRY_MS, MAX_RETRY_MS, 0};
    (void)uv_timer_init(stream_hub_loop(client->hub), &client->retry);
    client->retry.data = client;
    attempt(client);
}

void raffle_client_finished(struct raffle_client *client, uint32_t agency, uint64_t total)
{
    uint8_t frame[FRAME_MAX_SIZE];

    if (!client->is_open)
        return;
    size_t size = wire_pack_finished(agency, total, frame);
    if (stream_send(client->stream, frame, size) != STATUS_OK)
        stream_close(client->stream);
}

void raffle_client_close(struct raffle_client *client)
{
    client->is_closing = true;
    uv_close((uv_handle_t *)&client->retry, NULL);
    if (client->is_open)
        stream_close(client->stream);
}
