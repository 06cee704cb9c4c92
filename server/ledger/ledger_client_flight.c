#include "ledger_client_flight.h"

#include "assertion.h"

#include <stdlib.h>
#include <string.h>

#define OPERATION_COST 128          /* bytes that one adds to the backlog, besides its bets */
#define OUT_MAX ((size_t)64 * 1024) /* bytes that the link may hold before it gets more */

void client_push(struct ledger_client *client, struct ledger_op *op, size_t bytes)
{
    op->node = (struct list_node){NULL, NULL};
    op->cost = OPERATION_COST + bytes;
    client->backlog += op->cost;
    list_append(&client->ops, &op->node);
    if (client->unsent++ == 0)
        client->next = &op->node;
}

struct ledger_op *client_pop(struct ledger_client *client)
{
    struct ledger_op *op = LIST_ITEM(client->ops.ring.next, struct ledger_op, node);

    list_remove(&op->node);
    client->backlog -= op->cost;
    return op;
}

static void client_fill(const struct ledger_op *op, struct message *message)
{
    *message = (struct message){.kind = op->kind};
    switch (op->kind) {
    case MESSAGE_APPEND:
        message->append = (struct message_append){.agency = op->agency,
                                                  .count = op->count,
                                                  .offset = op->offset,
                                                  .at = op->at,
                                                  .size = op->size,
                                                  .claimed = message_from_claim(&op->claimed)};
        break;
    case MESSAGE_ASK:
        message->ask = (struct message_ask){.agency = op->agency,
                                            .offset = op->offset,
                                            .claimed = message_from_claim(&op->claimed)};
        break;
    case MESSAGE_FINISH:
        message->finish = (struct message_finish){
            .agency = op->agency, .total = op->total, .claimed = message_from_claim(&op->claimed)};
        break;
    case MESSAGE_CLOSE_DRAW:
        message->close =
            (struct message_close){.by = op->count, .uid = op->agency, .is_again = op->files};
        break;
    case MESSAGE_OPEN_FILES:
    case MESSAGE_FILES_LOST:
        message->files = (struct message_files){.kind = op->files, .count = op->count};
        break;
    case MESSAGE_SNAPSHOT:
        break;
    case KIND_STOPPED:
        message->kind = MESSAGE_ASK;
        break;
    default:
        ASSERT(op->bytes != NULL); /* client_submit_with() has made it */
        *message = ((const struct client_extra *)op->bytes)->message;
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

/* Does the operation say more than it holds? */
static bool client_has_extra(const struct ledger_op *op)
{
    return op->kind != MESSAGE_APPEND && op->bytes != NULL;
}

/* What goes before its message. */
static enum status client_send_pieces(struct ledger_client *client, const struct ledger_op *op)
{
    const struct client_extra *extra = op->bytes;
    enum status status = STATUS_OK;
    struct message message;

    for (size_t at = 0; at < extra->text_size && status == STATUS_OK;) {
        at += message_from_piece(extra->text + at, extra->text_size - at, &message);
        status = link_send(client->link, &message);
    }
    return status;
}

/* Hands the next operation to the link. Returns false when it has to wait, and sets *status when
 * the link cannot take it. */
static bool client_send_next(struct ledger_client *client, enum status *status)
{
    struct ledger_op *op = LIST_ITEM(client->next, struct ledger_op, node);
    struct message message;

    if (op->kind == MESSAGE_APPEND && op->bytes != NULL && !client_move_to_region(client, op))
        return false;
    client_fill(op, &message);
    *status = client_has_extra(op) ? client_send_pieces(client, op) : STATUS_OK;
    if (*status == STATUS_OK)
        *status = link_send(client->link, &message);
    if (*status != STATUS_OK)
        return false;
    client->next = client->next->next;
    client->unsent--;
    client->sent++;
    return true;
}

enum status client_send_all(struct ledger_client *client)
{
    enum status status = STATUS_OK;

    while (client->unsent > 0 && client->sent < MESSAGE_IN_FLIGHT &&
           link_backlog(client->link) < OUT_MAX && client_send_next(client, &status))
        ;
    return status;
}

enum status client_renew_region(struct ledger_client *client)
{
    struct region region;
    struct errbuf err;

    enum status status = region_create(client->region.size, &region, &err);
    if (status != STATUS_OK)
        return status;
    LIST_FOR_EACH (node, &client->ops) {
        struct ledger_op *op = LIST_ITEM(node, struct ledger_op, node);
        if (op->kind != MESSAGE_APPEND || op->bytes != NULL)
            continue;
        char *to = region_reserve(&region, op->size);
        ASSERT(to != NULL); /* one after the other they need no more room than before */
        memcpy(to, client->region.memory + op->at, op->size);
        op->at = region_take(&region, op->size);
    }
    region_fini(&client->region);
    client->region = region;
    return STATUS_OK;
}

/* It may be on record, and may not: where the ledger cannot see that by itself, it is told. */
static void client_note_again(struct ledger_op *op)
{
    if (op->kind == MESSAGE_OPEN_FILES)
        op->kind = KIND_STOPPED;
    else if (op->kind == MESSAGE_CLOSE_DRAW)
        op->files = 1;
    else if (op->kind == MESSAGE_ACT)
        ((struct client_extra *)op->bytes)->message.act.is_again = 1;
}

void client_unsend(struct ledger_client *client)
{
    LIST_FOR_EACH (node, &client->ops) {
        struct ledger_op *op = LIST_ITEM(node, struct ledger_op, node);
        if (client->sent == 0)
            break;
        client->sent--;
        client->unsent++;
        client_note_again(op);
    }
    client->next = client->ops.ring.next;
}
