#include "ledger_client_ops.h"

#include "assertion.h"
#include "ledger_client_connect.h"
#include "ledger_client_flight.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(LEDGER_FDS_MAX == MESSAGE_FDS, "one limit");

#define EARLY_FLUSH 256 /* so many operations leave before the turn of the loop ends */

static struct ledger_client *client_of(struct ledger *ledger)
{
    return (struct ledger_client *)(void *)ledger;
}

static void client_submit(struct ledger_client *client, struct ledger_op *op, size_t bytes)
{
    ASSERT(op->done != NULL && !client->is_over);
    client_push(client, op, bytes);
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

static void client_ask(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                       uint64_t offset)
{
    op->kind = MESSAGE_ASK;
    op->agency = agency;
    op->offset = offset;
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

const struct ledger_backend client_backend = {
    .append = client_append,
    .ask = client_ask,
    .finish = client_finish,
    .backlog = client_backlog,
    .news = client_news,
};

/* ------------------------------------------------------------------ the other operations */

static void client_submit_plain(struct ledger_client *client, struct ledger_op *op,
                                enum message_kind kind)
{
    op->kind = kind;
    op->bytes = NULL;
    client_submit(client, op, 0);
}

/* Keeps what op's message will say, and a copy of `text`, for as long as op has no outcome. NOMEM
 */
static enum status client_submit_with(struct ledger_client *client, struct ledger_op *op,
                                      const struct message *message, struct text text)
{
    struct client_extra *extra = malloc(sizeof(*extra) + text.size);

    if (extra == NULL)
        return STATUS_NOMEM;
    extra->message = *message;
    extra->text_size = text.size;
    if (text.size > 0)
        memcpy(extra->text, text.data, text.size);
    op->kind = message->kind;
    op->bytes = extra;
    client_submit(client, op, text.size);
    return STATUS_OK;
}

void ledger_client_files_lost(struct ledger_client *client, struct ledger_op *op,
                              enum store_files files)
{
    op->files = (uint32_t)files;
    client_submit_plain(client, op, MESSAGE_FILES_LOST);
}

void ledger_client_close_draw(struct ledger_client *client, struct ledger_op *op,
                              enum draw_closed_by by, uint32_t uid)
{
    op->count = (uint32_t)by;
    op->agency = uid;
    op->files = 0; /* not handed in again */
    client_submit_plain(client, op, MESSAGE_CLOSE_DRAW);
}

void ledger_client_open_files(struct ledger_client *client, struct ledger_op *op,
                              enum store_files files, size_t count)
{
    ASSERT(count >= store_files_named(files) && count <= LEDGER_FDS_MAX);
    op->files = (uint32_t)files;
    op->count = (uint32_t)count;
    client_submit_plain(client, op, MESSAGE_OPEN_FILES);
}

void ledger_client_snapshot(struct ledger_client *client, struct ledger_op *op)
{
    op->count = 1; /* descriptors that its outcome brings */
    client_submit_plain(client, op, MESSAGE_SNAPSHOT);
}

void ledger_client_take_fds(struct ledger_client *client, int *fds, size_t count)
{
    ASSERT(count == client->fds_count);
    memcpy(fds, client->fds, count * sizeof(*fds));
    client->fds_count = 0;
}

enum status ledger_client_seal(struct ledger_client *client, struct ledger_op *op,
                               const struct draw_sealed *sealed, bool is_new)
{
    struct message message = {.kind = MESSAGE_SEAL};

    message.seal = (struct message_seal){.time_s = sealed->time_s, .is_new = is_new};
    memcpy(message.seal.root, sealed->root, sizeof(message.seal.root));
    return client_submit_with(client, op, &message, (struct text){NULL, 0});
}

enum status ledger_client_draw(struct ledger_client *client, struct ledger_op *op,
                               const struct draw_drawn *drawn, bool is_new)
{
    struct message message;

    message_from_drawn(drawn, is_new, &message);
    return client_submit_with(client, op, &message, drawn->source);
}

enum status ledger_client_result(struct ledger_client *client, struct ledger_op *op, bool is_new)
{
    struct message message = {.kind = MESSAGE_RESULT};

    message.is_new = is_new;
    return client_submit_with(client, op, &message, (struct text){NULL, 0});
}

enum status ledger_client_act(struct ledger_client *client, struct ledger_op *op,
                              const struct draw_act *act, bool is_minor)
{
    struct message message = {.kind = MESSAGE_ACT};

    message.act =
        (struct message_act){.time_s = act->time_s, .uid = act->uid, .is_minor = is_minor};
    return client_submit_with(client, op, &message, act->text);
}
