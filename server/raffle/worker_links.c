/* The workers' links.
 *
 * Happy path: for each Finished frame that arrives, the owner checks the store. When the draw took
 * place, an Ack{OK} goes out on every link, and again after each later Finished.
 *
 * Failure modes: a worker dies: its link ends, and the owner checks the store then too, because the
 * worker may have died between storing a Finished and reporting it. A worker sends anything but
 * Finished: the link is closed, and the worker connects again.
 */
#include "worker_links.h"

#include "assertion.h"
#include "frame_reader.h"
#include "wire.h"

#include <stdlib.h>
#include <unistd.h>

struct worker_link {
    struct worker_links *set;
    struct stream *stream;
    struct frame_reader reader; /* of the stream */
    struct list_node in_links;  /* in the set's links */
};

/* The frame's content does not matter: what the agency sent is in the store. */
static bool worker_links_on_frame(void *context, const struct frame *frame)
{
    (void)context;
    return frame->opcode == LOTTERY__V1__OPCODE__OPCODE_FINISHED;
}

static void worker_links_report(const struct worker_links *set)
{
    set->config.on_news(set->config.owner);
}

static void worker_links_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct worker_link *link = owner;

    if (frame_reader_feed(&link->reader, data, size, worker_links_on_frame, link) == STATUS_OK)
        worker_links_report(link->set);
    else
        stream_close(link->stream);
}

static void worker_links_on_end(void *owner, enum status status, const char *detail)
{
    struct worker_link *link = owner;

    (void)status;
    (void)detail;
    stream_close(link->stream);
}

static void worker_links_on_closed(void *owner)
{
    struct worker_link *link = owner;
    struct worker_links *set = link->set;

    list_remove(&link->in_links);
    frame_reader_fini(&link->reader);
    free(link);
    worker_links_report(set);
}

static const struct stream_events worker_links_events = {
    .on_data = worker_links_on_data,
    .on_end = worker_links_on_end,
    .on_closed = worker_links_on_closed,
};

void worker_links_init(struct worker_links *set, const struct worker_links_config *config)
{
    ASSERT(config->hub != NULL && config->on_news != NULL);
    set->config = *config;
    list_init(&set->links);
}

void worker_links_accept(struct worker_links *set, int fd)
{
    struct worker_link *link = stream_is_own_user(fd) ? calloc(1, sizeof(*link)) : NULL;

    if (link == NULL || stream_create_unix(set->config.hub, &worker_links_events, link,
                                           &link->stream) != STATUS_OK) {
        free(link);
        (void)close(fd);
        return;
    }
    frame_reader_init(&link->reader);
    link->set = set;
    list_append(&set->links, &link->in_links);
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

    LIST_FOR_EACH (node, &set->links) {
        const struct worker_link *link = LIST_ITEM(node, struct worker_link, in_links);
        if (stream_send(link->stream, frame, size) != STATUS_OK)
            stream_close(link->stream);
    }
}

void worker_links_close(struct worker_links *set)
{
    LIST_FOR_EACH (node, &set->links)
        stream_close(LIST_ITEM(node, struct worker_link, in_links)->stream);
}
