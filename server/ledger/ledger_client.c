/* A process's end of its link to the ledger.
 *
 * Happy path: an operation joins the list of those without an outcome, a batch's bets are encoded
 * straight into the region, and before the loop waits for events again all new operations leave in
 * one write. Outcomes come in the same order: each ends the first operation of the list and frees
 * its place in the region.
 *
 * Failure modes: the region is full: batches are encoded to the heap and move to the region, in
 * order, as outcomes make room. The link is lost: connect again, with backoff, and hand in again
 * all that has no outcome; what was recorded before is known to the ledger, which changes nothing
 * then. The request for files cannot be repeated, since the first ones may be in use: a question
 * takes its place in the order, and its status is STOPPED. The ledger sends nonsense, or another
 * user's process listens: the link is closed and made again.
 */
#include "ledger_client.h"

#include "assertion.h"
#include "backoff.h"
#include "ledger_link.h"
#include "log.h"
#include "region.h"
#include "stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(LEDGER_FDS_MAX == MESSAGE_WINNER_FDS, "one limit");
_Static_assert(LEDGER_REGION_SIZE <= MESSAGE_REGION_MAX, "the ledger maps it");

#define FIRST_RETRY_MS 5
#define MAX_RETRY_MS 1000
#define OPERATION_COST 128          /* bytes that one adds to the backlog, besides its bets */
#define EARLY_FLUSH 256             /* so many operations leave before the turn of the loop ends */
#define OUT_MAX ((size_t)64 * 1024) /* bytes that the link may hold before it gets more */
#define KIND_STOPPED UINT32_MAX     /* of an operation that a lost link has ended; see above */

struct ledger_client {
    struct ledger base; /* first */
    struct ledger_client_config config;
    struct region region;   /* no memory when this client appends no bets */
    struct link *link;      /* NULL while there is none */
    uv_prepare_t prepare;   /* hands over what was collected */
    uv_timer_t retry;       /* for the next attempt to connect */
    struct backoff backoff; /* of the attempts */
    unsigned open_handles;  /* of the two above and the link; the last one frees the client */
    struct list ops;        /* without an outcome, in order: first those that were sent */
    struct list_node *next; /* the first that was not sent; the list's ring: none */
    size_t sent;            /* operations in flight */
    size_t unsent;          /* operations that were not sent */
    size_t on_heap;         /* of these, batches that wait for room in the region */
    size_t backlog;         /* bytes, see ledger_backlog() */
    struct ledger_news news;
    struct draw_drawn drawn; /* of the MESSAGE_DRAW in the list, like the next; there is only one */
    bool is_new;
    bool is_drawing;  /* there is one */
    bool is_closed;   /* ledger_client_close was called */
    bool is_over;     /* it has returned: nothing can be submitted any more */
    bool is_in_batch; /* between on_batch(true) and on_batch(false) */
    size_t fds_count; /* descriptors that done() may take now */
    int fds[LEDGER_FDS_MAX];
};

static void client_lose_link(struct ledger_client *client);
static void client_retry_later(struct ledger_client *client);

static struct ledger_client *client_of(struct ledger *ledger)
{
    return (struct ledger_client *)(void *)ledger;
}

/* ------------------------------------------------------------------ handing in */

static void client_fill(const struct ledger_client *client, const struct ledger_op *op,
                        struct message *message)
{
    *message = (struct message){.kind = op->kind};
    switch (op->kind) {
    case MESSAGE_APPEND:
        message->append = (struct message_append){.agency = op->agency,
                                                  .count = op->count,
                                                  .offset = op->offset,
                                                  .at = op->at,
                                                  .size = op->size};
        break;
    case MESSAGE_ASK:
        message->agency = op->agency;
        break;
    case MESSAGE_FINISH:
        message->finish = (struct draw_finished){.agency = op->agency, .total = op->total};
        break;
    case MESSAGE_OPEN_WINNERS:
        message->count = op->count;
        break;
    case MESSAGE_DRAW:
        message_from_drawn(&client->drawn, client->is_new, message);
        break;
    case KIND_STOPPED:
        message->kind = MESSAGE_ASK;
        break;
    default: /* MESSAGE_CLOSE_DRAW, MESSAGE_WINNERS_LOST */
        break;
    }
}

/* Moves a batch that waits on the heap to the region. Returns false without room. */
static bool client_move_to_region(struct ledger_client *client, struct ledger_op *op)
{
    char *to = region_reserve(&client->region, op->size);

    if (to == NULL)
        return false;
    memcpy(to, op->bytes, op->size);
    op->at = region_take(&client->region, op->size);
    free(op->bytes);
    op->bytes = NULL;
    client->on_heap--;
    return true;
}

/* Hands the next operation to the link. Returns false when it has to wait, and sets *status when
 * the link cannot take it. */
static bool client_send_next(struct ledger_client *client, enum status *status)
{
    struct ledger_op *op = LIST_ITEM(client->next, struct ledger_op, node);
    struct message message;

    if (op->kind == MESSAGE_APPEND && op->bytes != NULL && !client_move_to_region(client, op))
        return false;
    client_fill(client, op, &message);
    *status = link_send(client->link, &message);
    if (*status != STATUS_OK)
        return false;
    client->next = client->next->next;
    client->unsent--;
    client->sent++;
    return true;
}

static void client_flush(struct ledger_client *client)
{
    enum status status = STATUS_OK;

    if (client->link == NULL)
        return;
    while (client->unsent > 0 && client->sent < MESSAGE_IN_FLIGHT &&
           link_backlog(client->link) < OUT_MAX && client_send_next(client, &status))
        ;
    if (status == STATUS_OK)
        link_flush(client->link);
    else
        client_lose_link(client);
}

static void client_on_prepare(uv_prepare_t *prepare)
{
    struct ledger_client *client = prepare->data;

    if (client->unsent > 0)
        client_flush(client);
}

static void client_submit(struct ledger_client *client, struct ledger_op *op, size_t bytes)
{
    ASSERT(op->done != NULL && !client->is_over);
    op->node = (struct list_node){NULL, NULL};
    op->cost = OPERATION_COST + bytes;
    client->backlog += op->cost;
    list_append(&client->ops, &op->node);
    if (client->unsent++ == 0)
        client->next = &op->node;
    if (client->unsent >= EARLY_FLUSH && client->on_heap == 0)
        client_flush(client);
}

/* ------------------------------------------------------------------ the operations of ledger.h */

/* Encodes to the heap: there is no room in the region, or earlier batches wait for it. */
static enum status client_encode_to_heap(struct ledger_client *client, struct ledger_op *op,
                                         const struct bet *bets, size_t count)
{
    char *bytes = malloc(count * client->config.encoding->bet_max);

    if (bytes == NULL)
        return STATUS_NOMEM;
    size_t size = client->config.encoding->encode(op->agency, bets, count, bytes);
    if (size > client->region.size) {
        free(bytes);
        return STATUS_NOMEM;
    }
    char *shrunk = realloc(bytes, size);
    if (shrunk != NULL)
        bytes = shrunk;
    op->bytes = bytes;
    op->size = (uint32_t)size;
    client->on_heap++;
    return STATUS_OK;
}

static enum status client_append(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                                 uint64_t offset, const struct bet *bets, size_t count)
{
    struct ledger_client *client = client_of(ledger);
    const struct store_encoding *encoding = client->config.encoding;
    char *to = NULL;

    ASSERT(encoding != NULL && count > 0);
    if (count > UINT32_MAX / encoding->bet_max)
        return STATUS_NOMEM;
    op->kind = MESSAGE_APPEND;
    op->agency = agency;
    op->count = (uint32_t)count;
    op->offset = offset;
    op->bytes = NULL;
    if (client->on_heap == 0)
        to = region_reserve(&client->region, count * encoding->bet_max);
    if (to != NULL) {
        op->size = (uint32_t)encoding->encode(agency, bets, count, to);
        op->at = region_take(&client->region, op->size);
    } else {
        enum status status = client_encode_to_heap(client, op, bets, count);
        if (status != STATUS_OK)
            return status;
    }
    client_submit(client, op, op->size);
    return STATUS_OK;
}

static void client_ask(struct ledger *ledger, struct ledger_op *op, uint32_t agency)
{
    op->kind = MESSAGE_ASK;
    op->agency = agency;
    op->bytes = NULL;
    client_submit(client_of(ledger), op, 0);
}

static void client_finish(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                          uint64_t total)
{
    op->kind = MESSAGE_FINISH;
    op->agency = agency;
    op->total = total;
    op->bytes = NULL;
    client_submit(client_of(ledger), op, 0);
}

static size_t client_backlog(const struct ledger *ledger)
{
    return ((const struct ledger_client *)(const void *)ledger)->backlog;
}

static const struct ledger_news *client_news(const struct ledger *ledger)
{
    return &((const struct ledger_client *)(const void *)ledger)->news;
}

static const struct ledger_backend client_backend = {
    .append = client_append,
    .ask = client_ask,
    .finish = client_finish,
    .backlog = client_backlog,
    .news = client_news,
};

/* ------------------------------------------------------------------ the other operations */

void ledger_client_winners_lost(struct ledger_client *client, struct ledger_op *op)
{
    op->kind = MESSAGE_WINNERS_LOST;
    op->bytes = NULL;
    client_submit(client, op, 0);
}

void ledger_client_close_draw(struct ledger_client *client, struct ledger_op *op)
{
    op->kind = MESSAGE_CLOSE_DRAW;
    op->bytes = NULL;
    client_submit(client, op, 0);
}

void ledger_client_open_winners(struct ledger_client *client, struct ledger_op *op, size_t count)
{
    ASSERT(count >= MESSAGE_WINNER_FDS_MIN && count <= LEDGER_FDS_MAX);
    op->kind = MESSAGE_OPEN_WINNERS;
    op->count = (uint32_t)count;
    op->bytes = NULL;
    client_submit(client, op, 0);
}

void ledger_client_take_fds(struct ledger_client *client, int *fds, size_t count)
{
    ASSERT(count == client->fds_count);
    memcpy(fds, client->fds, count * sizeof(*fds));
    client->fds_count = 0;
}

void ledger_client_draw(struct ledger_client *client, struct ledger_op *op,
                        const struct draw_drawn *drawn, bool is_new)
{
    ASSERT(!client->is_drawing);
    op->kind = MESSAGE_DRAW;
    client->is_drawing = true;
    client->drawn = *drawn;
    client->is_new = is_new;
    op->bytes = NULL;
    client_submit(client, op, 0);
}

/* ------------------------------------------------------------------ outcomes and news */

static void client_begin_batch(struct ledger_client *client)
{
    if (client->is_in_batch)
        return;
    client->is_in_batch = true;
    if (client->config.on_batch != NULL)
        client->config.on_batch(client->config.owner, true);
}

static void client_end_batch(struct ledger_client *client)
{
    if (!client->is_in_batch)
        return;
    client->is_in_batch = false;
    if (client->config.on_batch != NULL)
        client->config.on_batch(client->config.owner, false);
}

/* Takes the first operation out of the list. */
static struct ledger_op *client_pop(struct ledger_client *client)
{
    struct ledger_op *op = LIST_ITEM(client->ops.ring.next, struct ledger_op, node);

    list_remove(&op->node);
    client->backlog -= op->cost;
    if (op->kind == MESSAGE_DRAW)
        client->is_drawing = false;
    return op;
}

static void client_drop_fds(struct ledger_client *client)
{
    while (client->fds_count > 0)
        (void)close(client->fds[--client->fds_count]);
}

/* Returns false when the ledger breaks the rules. */
static bool client_on_outcome(struct ledger_client *client, const struct message_outcome *outcome)
{
    if (client->sent == 0)
        return false;
    struct ledger_op *op = LIST_ITEM(client->ops.ring.next, struct ledger_op, node);
    if (op->kind == MESSAGE_OPEN_WINNERS && outcome->status == STATUS_OK) {
        if (!link_take_fds(client->link, client->fds, op->count))
            return false;
        client->fds_count = op->count;
    }
    (void)client_pop(client);
    client->sent--;
    if (op->kind == MESSAGE_APPEND)
        region_free(&client->region, op->at, op->size);
    op->status = op->kind == KIND_STOPPED ? STATUS_STOPPED : (enum status)outcome->status;
    op->received = outcome->received;
    op->stored = outcome->stored;
    client_begin_batch(client);
    op->done(op);
    client_drop_fds(client);
    return true;
}

static bool client_on_message(struct ledger_client *client, const struct message *message)
{
    if (!message_is_answer(message))
        return false;
    if (message->kind == MESSAGE_OUTCOME)
        return client_on_outcome(client, &message->outcome);
    message_to_news(message, &client->news);
    client->config.on_news(client->config.owner);
    return true;
}

static enum link_verdict client_on_messages(void *owner, const struct message *messages,
                                            size_t count)
{
    struct ledger_client *client = owner;
    bool is_good = true;

    backoff_reset(&client->backoff);
    for (size_t i = 0; i < count && is_good && !client->is_closed; i++)
        is_good = client_on_message(client, &messages[i]);
    client_end_batch(client);
    return is_good ? LINK_PAUSES : LINK_IS_BAD;
}

/* ------------------------------------------------------------------ the link */

/* The link is lost: all operations wait to be sent. */
static void client_unsend(struct ledger_client *client)
{
    LIST_FOR_EACH (node, &client->ops) {
        struct ledger_op *op = LIST_ITEM(node, struct ledger_op, node);
        if (client->sent == 0)
            break;
        client->sent--;
        client->unsent++;
        if (op->kind == MESSAGE_OPEN_WINNERS)
            op->kind = KIND_STOPPED;
    }
    client->next = client->ops.ring.next;
}

static void client_lose_link(struct ledger_client *client)
{
    link_close(client->link);
    client->link = NULL;
    client_unsend(client);
    client_retry_later(client);
}

static void client_on_end(void *owner, enum status status)
{
    struct ledger_client *client = owner;

    if (status == STATUS_MALFORMED)
        LOG(ERROR, "ledger_link", FAIL, LOG_TEXT("reason", status_text(status)));
    client_lose_link(client);
}

static void client_release(struct ledger_client *client)
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

static void client_attempt(struct ledger_client *client)
{
    int fd = client_connect(&client->config);

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

/* ------------------------------------------------------------------ life */

enum status ledger_client_create(const struct ledger_client_config *config,
                                 struct ledger_client **out, struct errbuf *err)
{
    struct ledger_client *client = calloc(1, sizeof(*client));

    ASSERT(config->loop != NULL && config->address != NULL && config->on_news != NULL);
    if (client == NULL) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    client->base.backend = &client_backend;
    client->config = *config;
    client->backoff = (struct backoff){FIRST_RETRY_MS, MAX_RETRY_MS, 0};
    list_init(&client->ops);
    if (config->encoding != NULL) {
        enum status status = region_create(LEDGER_REGION_SIZE, &client->region, err);
        if (status != STATUS_OK) {
            free(client);
            return status;
        }
    }
    (void)uv_prepare_init(config->loop, &client->prepare);
    client->prepare.data = client;
    (void)uv_prepare_start(&client->prepare, client_on_prepare);
    (void)uv_timer_init(config->loop, &client->retry);
    client->retry.data = client;
    client->open_handles = 2;
    client_attempt(client);
    *out = client;
    return STATUS_OK;
}

struct ledger *ledger_client_base(struct ledger_client *client)
{
    return &client->base;
}

static void client_on_handle_closed(uv_handle_t *handle)
{
    client_release(handle->data);
}

void ledger_client_close(struct ledger_client *client)
{
    bool is_within_batch = client->is_in_batch;

    if (client->is_closed)
        return;
    client->is_closed = true;
    if (client->link != NULL)
        link_close(client->link);
    client->link = NULL;
    while (!list_is_empty(&client->ops)) {
        struct ledger_op *op = client_pop(client);
        free(op->bytes);
        op->status = STATUS_STOPPED;
        op->received = 0;
        op->stored = 0;
        client_begin_batch(client);
        op->done(op);
    }
    if (!is_within_batch)
        client_end_batch(client);
    client->is_over = true;
    uv_close((uv_handle_t *)&client->prepare, client_on_handle_closed);
    uv_close((uv_handle_t *)&client->retry, client_on_handle_closed);
}
