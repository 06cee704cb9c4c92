#include "ledger_client_outcomes.h"

#include "ledger_client_flight.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void client_begin_batch(struct ledger_client *client)
{
    if (client->is_in_batch)
        return;
    client->is_in_batch = true;
    if (client->config.on_batch != NULL)
        client->config.on_batch(client->config.owner, true);
}

void client_end_batch(struct ledger_client *client)
{
    if (!client->is_in_batch)
        return;
    client->is_in_batch = false;
    if (client->config.on_batch != NULL)
        client->config.on_batch(client->config.owner, false);
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
    bool has_fds = op->kind == MESSAGE_OPEN_FILES || op->kind == MESSAGE_SNAPSHOT;
    if (has_fds && outcome->status == STATUS_OK) {
        if (!link_take_fds(client->link, client->fds, op->count))
            return false;
        client->fds_count = op->count;
    }
    (void)client_pop(client);
    client->sent--;
    if (op->kind == MESSAGE_APPEND)
        region_free(&client->region, op->at, op->size);
    else
        free(op->bytes);
    op->status = op->kind == KIND_STOPPED ? STATUS_STOPPED : (enum status)outcome->status;
    op->received = outcome->received;
    op->checksum = outcome->checksum;
    op->stored = outcome->stored;
    op->has_finished = outcome->has_finished != 0;
    client_begin_batch(client);
    op->done(op);
    client_drop_fds(client);
    return true;
}

/* Takes what came before the news, if anything did. */
static bool client_take_more_news(struct ledger_client *client)
{
    struct message_news_more more;
    size_t size = client->pieces.size;

    client->pieces.size = 0;
    if (size == 0)
        return true;
    if (size != sizeof(more))
        return false;
    memcpy(&more, client->pieces.bytes, sizeof(more));
    return message_to_news_more(&more, &client->news);
}

static bool client_on_message(struct ledger_client *client, const struct message *message)
{
    if (!message_is_answer(message))
        return false;
    if (message->kind == MESSAGE_PIECE)
        return message_pieces_add(&client->pieces, &message->piece);
    if (message->kind == MESSAGE_OUTCOME)
        return client_on_outcome(client, &message->outcome);
    message_to_news(message, &client->news);
    if (!client_take_more_news(client))
        return false;
    client->is_told = true;
    client->config.on_news(client->config.owner);
    return true;
}

enum link_verdict client_on_messages(void *owner, const struct message *messages, size_t count)
{
    struct ledger_client *client = owner;
    bool is_good = true;

    backoff_reset(&client->backoff);
    for (size_t i = 0; i < count && is_good && !client->is_closed; i++)
        is_good = client_on_message(client, &messages[i]);
    client_end_batch(client);
    return is_good ? LINK_PAUSES : LINK_IS_BAD;
}
