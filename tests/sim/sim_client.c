#include "sim_client.h"

#include "sim_disk.h"
#include "sim_trace.h"
#include "store_csv.h"

#include <string.h>
#include <unistd.h>

#define NEW_FILES 1             /* in op->count of what hands in files: is_new */
#define KIND_STOPPED UINT32_MAX /* of an operation that a lost link has ended */

static struct sim_client *client_of(struct ledger *ledger)
{
    return (struct sim_client *)ledger;
}

static struct message message_of(const struct sim_client *client, const struct ledger_op *op)
{
    struct message message = {.kind = op->kind};

    switch (op->kind) {
    case MESSAGE_APPEND:
        message.append = (struct message_append){.agency = op->agency,
                                                 .count = op->count,
                                                 .offset = op->offset,
                                                 .at = op->at % SIM_REGION_SIZE,
                                                 .size = op->size,
                                                 .claimed = message_from_claim(&op->claimed)};
        break;
    case MESSAGE_ASK:
        message.ask = (struct message_ask){.agency = op->agency,
                                           .offset = op->offset,
                                           .claimed = message_from_claim(&op->claimed)};
        break;
    case MESSAGE_FINISH:
        message.finish = (struct message_finish){
            .agency = op->agency, .total = op->total, .claimed = message_from_claim(&op->claimed)};
        break;
    case MESSAGE_CLOSE_DRAW:
        message.close = (struct message_close){.by = op->count, .uid = op->agency};
        break;
    case MESSAGE_OPEN_FILES:
    case MESSAGE_FILES_LOST:
        message.files = (struct message_files){op->files, op->count};
        break;
    case MESSAGE_SEAL:
        message.seal.time_s = client->sealed.time_s;
        memcpy(message.seal.root, client->sealed.root, DRAW_ROOT_SIZE);
        message.seal.is_new = op->count == NEW_FILES;
        break;
    case MESSAGE_DRAW:
        message_from_drawn(&client->drawn, op->count == NEW_FILES, &message);
        break;
    case MESSAGE_RESULT:
        message.is_new = op->count == NEW_FILES;
        break;
    case MESSAGE_ACT:
        message.act = (struct message_act){.time_s = client->act.time_s, .uid = client->act.uid};
        break;
    case KIND_STOPPED: /* a question takes its place in the order */
        message.kind = MESSAGE_ASK;
        break;
    default:
        break;
    }
    return message;
}

static void send_op(struct sim_client *client, struct ledger_op *op)
{
    struct message message = message_of(client, op);
    struct text text = {NULL, 0};
    struct message piece;

    if (client->link == NULL)
        return;
    if (op->kind == MESSAGE_DRAW)
        text = client->drawn.source;
    if (op->kind == MESSAGE_ACT)
        text = client->act.text;
    for (size_t at = 0; at < text.size;) {
        at += message_from_piece(text.data + at, text.size - at, &piece);
        sim_queue_push(&client->link->to_ledger, &piece, sizeof(piece));
    }
    sim_queue_push(&client->link->to_ledger, &message, sizeof(message));
}

static void submit(struct sim_client *client, struct ledger_op *op, uint32_t kind)
{
    op->kind = kind;
    list_append(&client->ops, &op->node);
    send_op(client, op);
}

static enum status client_append(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                                 uint64_t offset, const struct bet *bets, size_t count)
{
    struct sim_client *client = client_of(ledger);
    char *place = region_reserve(&client->region, count * store_csv_encoding.bet_max);

    if (place == NULL)
        return STATUS_NOMEM;
    op->agency = agency;
    op->offset = offset;
    op->count = (uint32_t)count;
    op->size = (uint32_t)store_csv_encoding.encode(agency, bets, count, place);
    op->at = region_take(&client->region, op->size);
    submit(client, op, MESSAGE_APPEND);
    return STATUS_OK;
}

static void client_ask(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                       uint64_t offset)
{
    op->agency = agency;
    op->offset = offset;
    submit(client_of(ledger), op, MESSAGE_ASK);
}

static void client_finish(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                          uint64_t total)
{
    op->agency = agency;
    op->total = total;
    submit(client_of(ledger), op, MESSAGE_FINISH);
}

static size_t client_backlog(const struct ledger *ledger)
{
    (void)ledger;
    return 0;
}

static const struct ledger_news *client_news(const struct ledger *ledger)
{
    return &((const struct sim_client *)ledger)->news;
}

static const struct ledger_backend backend = {
    .append = client_append,
    .ask = client_ask,
    .finish = client_finish,
    .backlog = client_backlog,
    .news = client_news,
};

void sim_client_close_draw(struct sim_client *client, struct ledger_op *op, enum draw_closed_by by,
                           uint32_t uid)
{
    op->count = (uint32_t)by;
    op->agency = uid;
    submit(client, op, MESSAGE_CLOSE_DRAW);
}

void sim_client_files_lost(struct sim_client *client, struct ledger_op *op, enum store_files files)
{
    op->files = (uint32_t)files;
    submit(client, op, MESSAGE_FILES_LOST);
}

void sim_client_open_files(struct sim_client *client, struct ledger_op *op, enum store_files files,
                           size_t count)
{
    op->files = (uint32_t)files;
    op->count = (uint32_t)count;
    submit(client, op, MESSAGE_OPEN_FILES);
}

void sim_client_seal(struct sim_client *client, struct ledger_op *op,
                     const struct draw_sealed *sealed, bool is_new)
{
    client->sealed = *sealed;
    op->count = is_new ? NEW_FILES : 0;
    submit(client, op, MESSAGE_SEAL);
}

void sim_client_result(struct sim_client *client, struct ledger_op *op, bool is_new)
{
    op->count = is_new ? NEW_FILES : 0;
    submit(client, op, MESSAGE_RESULT);
}

void sim_client_snapshot(struct sim_client *client, struct ledger_op *op)
{
    submit(client, op, MESSAGE_SNAPSHOT);
}

void sim_client_act(struct sim_client *client, struct ledger_op *op, const struct draw_act *act)
{
    client->act = *act;
    submit(client, op, MESSAGE_ACT);
}

void sim_client_draw(struct sim_client *client, struct ledger_op *op,
                     const struct draw_drawn *drawn, bool is_new)
{
    client->drawn = *drawn;
    op->count = is_new ? NEW_FILES : 0;
    submit(client, op, MESSAGE_DRAW);
}

void sim_client_init(struct sim_client *client, struct sim_process *process,
                     void (*on_news)(struct sim_client *client))
{
    *client = (struct sim_client){.base = {&backend}, .process = process, .on_news = on_news};
    client->shared = sim_region_take();
    client->region.memory = client->shared->bytes;
    client->region.size = SIM_REGION_SIZE;
    list_init(&client->ops);
}

void sim_client_fini(struct sim_client *client)
{
    if (client->link != NULL)
        sim_link_close_client(client->link);
    if (client->shared != NULL)
        sim_region_drop(client->shared);
    *client = (struct sim_client){0};
}

/* The first operation ends. */
static void end_first(struct sim_client *client, const struct message_outcome *outcome)
{
    struct list_node *node = list_pop(&client->ops);
    struct ledger_op *op;

    if (node == NULL)
        sim_fail("the ledger sent an outcome that nobody waits for");
    op = LIST_ITEM(node, struct ledger_op, node);
    if (op->kind == MESSAGE_APPEND)
        region_free(&client->region, op->at, op->size);
    op->status = op->kind == KIND_STOPPED ? STATUS_STOPPED : (enum status)outcome->status;
    op->received = outcome->received;
    op->stored = outcome->stored;
    op->checksum = outcome->checksum;
    op->done(op);
}

static void connect_again(struct sim_client *client)
{
    struct message hello = {.kind = MESSAGE_HELLO, .region_size = SIM_REGION_SIZE};

    client->link = sim_link_open(client, client->shared);
    sim_queue_push(&client->link->to_ledger, &hello, sizeof(hello));
    LIST_FOR_EACH (node, &client->ops)
        send_op(client, LIST_ITEM(node, struct ledger_op, node));
}

static void lose_link(struct sim_client *client)
{
    sim_link_close_client(client->link);
    client->link = NULL;
    client->pieces.size = 0;
    LIST_FOR_EACH (node, &client->ops) {
        struct ledger_op *op = LIST_ITEM(node, struct ledger_op, node);
        if (op->kind == MESSAGE_OPEN_FILES)
            op->kind = KIND_STOPPED;
    }
}

static void take_outcome(struct sim_client *client, const struct message *message, size_t size)
{
    size_t count = (size - sizeof(*message)) / sizeof(int);
    int fds[SIM_FDS_MAX];
    struct message copy = *message;

    memcpy(fds, message + 1, count * sizeof(int));
    for (size_t i = 0; i < count; i++)
        client->fds[i] = sim_fd_send(fds[i], client->process);
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
    client->fds_count = count;
    end_first(client, &copy.outcome);
    client->fds_count = 0;
}

static void take_news(struct sim_client *client, const struct message *message)
{
    struct message_news_more more;

    message_to_news(message, &client->news);
    if (client->pieces.size > 0) {
        if (client->pieces.size != sizeof(more))
            sim_fail("the ledger says too little of the draw");
        memcpy(&more, client->pieces.bytes, sizeof(more));
        if (!message_to_news_more(&more, &client->news))
            sim_fail("the ledger says something of the draw that cannot be");
    }
    client->pieces.size = 0;
    client->has_news = true;
    if (client->on_news != NULL)
        client->on_news(client);
}

bool sim_client_step(struct sim_client *client)
{
    const struct message *message;
    size_t size;

    if (client->link == NULL) {
        connect_again(client);
        return true;
    }
    message = sim_queue_pop(&client->link->to_client, &size);
    if (message == NULL) {
        if (!client->link->is_ledger_gone)
            return false;
        lose_link(client);
        return true;
    }
    if (!message_is_answer(message))
        sim_fail("the ledger sent a message that is none");
    if (message->kind == MESSAGE_NEWS)
        take_news(client, message);
    else if (message->kind != MESSAGE_PIECE)
        take_outcome(client, message, size);
    else if (!message_pieces_add(&client->pieces, &message->piece))
        sim_fail("the ledger says too much of the draw");
    return true;
}
