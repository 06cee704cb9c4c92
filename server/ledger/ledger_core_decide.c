#include "ledger_core_decide.h"

#include "crc32c.h"
#include "ledger_core_store.h"

/* Applies `record` and hands it to the store; `bets` are those of the batch that are not known,
 * `size` bytes. */
static struct draw_outcome core_decide(struct ledger_core *core, struct draw_record *record,
                                       const char *bets, size_t size)
{
    struct draw_outcome outcome = draw_apply(core->config.draw, record);

    if (!outcome.is_recorded)
        return outcome;
    enum status status = store_append(core->config.store, record, bets, size);
    if (status == STATUS_OK) {
        core->records[core->records_count++] = *record;
        core->bytes += size;
        return outcome;
    }
    draw_undo(core->config.draw, record);
    return (struct draw_outcome){.status = status};
}

/* Completes the record of a batch, of whose `size` bytes the first `known` are known: what its
 * sender says of the known bets, and the checksum of all of them. What a batch says that ends
 * before the last known bet, or begins after it, cannot be compared with anything. */
static void core_add_checksums(const struct ledger_core *core, struct draw_bets *bets,
                               const struct message_append *append, const char *bytes, size_t known)
{
    const struct draw *draw = core->config.draw;
    bool is_comparable = draw_received(draw, bets->agency) == bets->offset + draw_known(draw, bets);

    bets->claimed = message_to_claim(&append->claimed);
    bets->claimed.is_given &= is_comparable;
    if (bets->claimed.is_given)
        bets->claimed.value = crc32c(bets->claimed.value, bytes, known);
    bets->checksum = crc32c(draw_checksum(draw, bets->agency), bytes + known, append->size - known);
}

/* DAMAGED: the batch has fewer bets than it says. */
static enum status core_append(struct ledger_core *core, struct operation *operation,
                               const struct message *message)
{
    const struct message_append *append = &message->append;
    const char *bytes = operation->peer->region + append->at;
    struct draw_record record = {
        .type = DRAW_BETS,
        .bets = {.agency = append->agency, .count = append->count, .offset = append->offset}};
    uint32_t known_bets = draw_known(core->config.draw, &record.bets);
    size_t known = append->size;

    operation->agency = append->agency;
    if (known_bets < append->count) {
        known = store_skip(core->config.store, bytes, append->size, known_bets);
        if (known == append->size)
            return STATUS_DAMAGED;
    }
    core_add_checksums(core, &record.bets, append, bytes, known);
    struct draw_outcome outcome = core_decide(core, &record, bytes + known, append->size - known);
    if (outcome.is_recorded)
        operation->stored = append->count - outcome.known;
    return outcome.status;
}

static enum status core_ask(struct ledger_core *core, struct operation *operation,
                            const struct message *message)
{
    const struct message_ask *ask = &message->ask;
    const struct draw *draw = core->config.draw;
    struct bets_checksum claimed = message_to_claim(&ask->claimed);

    operation->agency = ask->agency;
    claimed.is_given &= ask->offset == draw_received(draw, ask->agency);
    return draw_agrees(draw, ask->agency, &claimed) ? STATUS_OK : STATUS_MISMATCH;
}

static enum status core_finish(struct ledger_core *core, struct operation *operation,
                               const struct message *message)
{
    const struct message_finish *finish = &message->finish;
    struct draw_record record = {.type = DRAW_FINISHED,
                                 .finished = {.agency = finish->agency,
                                              .total = finish->total,
                                              .claimed = message_to_claim(&finish->claimed)}};

    operation->agency = finish->agency;
    return core_decide(core, &record, NULL, 0).status;
}

static enum status core_close_draw(struct ledger_core *core, struct operation *operation,
                                   const struct message *message)
{
    struct draw *draw = core->config.draw;
    struct draw_record record = {.type = DRAW_CLOSING, .closed = {.by = DRAW_BY_ALL_FINISHED}};

    (void)operation;
    (void)message;
    if (draw->phase >= DRAW_CLOSED)
        return STATUS_OK; /* it is closed */
    if (!draw_is_due(draw))
        return STATUS_INVALID;
    record.closed.time_s = core->config.events->now_s(core->config.owner);
    core->config.events->fill_random(core->config.owner, record.closed.salt, DRAW_SALT_SIZE);
    struct draw_outcome outcome = core_decide(core, &record, NULL, 0);
    if (outcome.is_recorded)
        draw->closed = core->records[core->records_count - 1].closed; /* now with the extent */
    return outcome.status;
}

/* The files are opened at the commit, when it is known that the draw is closed. */
static enum status core_ask_for_winners(struct ledger_core *core, struct operation *operation,
                                        const struct message *message)
{
    (void)core;
    operation->stored = message->count;
    return STATUS_OK;
}

/* Gives the peer's new files their names. They cannot be published twice: whoever tries again after
 * a failure opens new ones. */
static enum status core_publish(struct ledger_core *core)
{
    struct errbuf err = {{0}};

    core->drawer = NULL;
    enum status status = core_status_of(store_publish_winners(core->config.store, &err));
    return core_note_store(core, CORE_PUBLISHES_WINNERS, status, &err) ? status : STATUS_STOPPED;
}

static enum status core_draw(struct ledger_core *core, struct operation *operation,
                             const struct message *message)
{
    struct draw *draw = core->config.draw;
    bool is_new = message->draw.is_new != 0;
    struct draw_record record = {.type = DRAW_DRAWING};

    message_to_drawn(message, &record.drawn);
    if (draw->phase < DRAW_CLOSED || record.drawn.winner_number != draw->winner_number)
        return STATUS_INVALID;
    if (draw->phase == DRAW_DRAWN && !draw_is_same_outcome(&draw->drawn, &record.drawn))
        return STATUS_CLOSED;
    if (!is_new)
        return draw->phase == DRAW_DRAWN ? STATUS_OK : STATUS_INVALID;
    if (core->drawer != operation->peer)
        return STATUS_STOPPED; /* the files were opened on another link */
    enum status status = core_publish(core);
    if (status != STATUS_OK || draw->phase == DRAW_DRAWN)
        return status;
    return core_decide(core, &record, NULL, 0).status;
}

/* The news says so at the commit. */
static enum status core_lose_winners(struct ledger_core *core, struct operation *operation,
                                     const struct message *message)
{
    (void)operation;
    (void)message;
    return core->config.draw->phase == DRAW_DRAWN ? STATUS_OK : STATUS_INVALID;
}

void core_note_agency(const struct ledger_core *core, struct operation *operation)
{
    operation->received = draw_received(core->config.draw, operation->agency);
    operation->checksum = draw_checksum(core->config.draw, operation->agency);
}

void core_judge(struct ledger_core *core, struct operation *operation,
                const struct message *message)
{
    /* Each returns the operation's status, and sets what else is known about it. */
    static enum status (*const judges[])(struct ledger_core *, struct operation *,
                                         const struct message *) = {
        [MESSAGE_APPEND] = core_append,
        [MESSAGE_ASK] = core_ask,
        [MESSAGE_FINISH] = core_finish,
        [MESSAGE_CLOSE_DRAW] = core_close_draw,
        [MESSAGE_OPEN_WINNERS] = core_ask_for_winners,
        [MESSAGE_DRAW] = core_draw,
        [MESSAGE_WINNERS_LOST] = core_lose_winners,
    };

    operation->status = judges[message->kind](core, operation, message);
    core_note_agency(core, operation);
}
