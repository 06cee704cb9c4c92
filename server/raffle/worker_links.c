/* The workers' lines.
 *
 * Happy path: Finished frames come in and mean: look at the store. When the raffle was held, an
 * Ack{OK} goes out on every line; also again on each Finished that comes later.
 *
 * Failure modes: a worker dies: its line ends, which is news too, as it may have died between
 * storing a Finished and telling so. Anything but Finished: the line is closed, the worker connects
 * anew.
 */
#include "worker_links.h"

#include "lottery.pb-c.h"
#include "wire.h"

#include <stdlib.h>
#include <unistd.h>

static bool on_frame(void *context, const struct frame *frame)
{
    (void)context;
    return frame->opcode == LOTTERY__V1__OPCODE__OPCODE_FINISHED;
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct worker_link *link = owner;

    if (frame_reader_feed(&link->reader, data, size, on_frame, link) == STATUS_OK)
        link->set->on_news(link->set->owner);
    else
        stream_close(link->stream);
}

static void on_end(void *owner, enum status status, const char *detail)
{
    struct worker_link *link = owner;

    (void)status;
    (void)detail;
    stream_close(link->stream);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_closed(void *owner)
{
    struct worker_link *link = owner;
    struct worker_links *set = link->set;

    *link->at = link->next;
    if (link->next != NULL)
        link->next->at = link->at;
    frame_reader_fini(&link->reader);
    free(link);
    set->on_news(set->owner);
}

static const struct stream_events events = {
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_closed = on_closed,
};

void worker_links_accept(struct worker_links *set, int fd)
{
    struct worker_link *link = stream_is_own_user(fd) ? calloc(1, sizeof(*link)) : NULL;

    if (link == NULL || stream_create_unix(set->hub, &events, link, &link->stream) != STATUS_OK) {
        free(link);
        (void)close(fd);
        return;
    }
    frame_reader_init(&link->reader);
    link->set = set;
    link->next = set->first;
    link->at = &set->first;
    if (link->next != NULL)
        link->next->at = &link->next;
    set->first = link;
    enum status status = stream_open(link->stream, fd);
    if (status != STATUS_OK)
        (void)close(fd);
    else
        status = stream_read_start(link->stream);
    if (status != STATUS_OK)
        stream_close(link->stream);
}

void worker_links_notify(struct worker_links *set)
{
    uint8_t frame[FRAME_MAX_SIZE];
    size_t size = wire_pack_ack(LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 0, NULL, frame);

    for (struct worker_link *link = set->first; link != NULL; link = link->next) {
        if (stream_send(link->stream, frame, size) != STATUS_OK)
            stream_close(link->stream);
    }
}

void worker_links_close(struct worker_links *set)
{
    for (struct worker_link *link = set->first; link != NULL; link = link->next)
        stream_close(link->stream);
}
