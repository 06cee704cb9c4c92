#include "ledger_core_decide.h"

#include "ledger_core_store.h"

/* Applies `record` and hands it to the store; `bets` are those of all the batch, `size` bytes.
 * DAMAGED: the batch has fewer bets than its record says. */
static struct draw_outcome core_decide(struct ledger_core *core, struct draw_record *record,
                                       const char *bets, size_t size)
{
    struct draw_outcome outcome = draw_apply(core->config.draw, record);
    enum status status = STATUS_OK;

    if (!outcome.is_recorded)
        return outcome;
    if (outcome.known > 0) {
        size_t known = store_skip(core->config.store, bets, size, outcome.known);
        status = known < size ? STATUS_OK : STATUS_DAMAGED;
        bets += known;
        size -= known;
    }
    if (status == STATUS_OK)
        status = store_append(core->config.store, record, bets, size);
    if (status == STATUS_OK) {
        core->records[core->records_count++] = *record;
        core->bytes += size;
        return outcome;
    }
    draw_undo(core->config.draw, record);
    return (struct draw_outcome){.status = status};
}

static void core_append(struct ledger_core *core, struct operation *operation,
                        const struct message_append *append)
{
    struct draw_record record = {.type = DRAW_BETS,
                                 .bets = {append->agency, append->count, append->offset}};
    struct draw_outcome outcome =
        core_decide(core, &record, operation->peer->region + append->at, append->size);

    operation->agency = append->agency;
    operation->status = outcome.status;
    if (outcome.is_recorded)
        operation->stored = append->count - outcome.known;
}

static void core_finish(struct ledger_core *core, struct operation *operation,
                        const struct draw_finished *finished)
{
    struct draw_record record = {.type = DRAW_FINISHED, .finished = *finished};

    operation->agency = finished->agency;
    operation->status = core_decide(core, &record, NULL, 0).status;
}

static void core_close_draw(struct ledger_core *core, struct operation *operation)
{
    struct draw *draw = core->config.draw;
    struct draw_record record = {.type = DRAW_CLOSING, .closed = {.by = DRAW_BY_ALL_FINISHED}};

    if (draw->phase >= DRAW_CLOSED)
        return; /* OK: it is closed */
    if (!draw_is_due(draw)) {
        operation->status = STATUS_INVALID;
        return;
    }
    record.closed.time_s = core->config.events->now_s(core->config.owner);
    core->config.events->fill_random(core->config.owner, record.closed.salt, DRAW_SALT_SIZE);
    struct draw_outcome outcome = core_decide(core, &record, NULL, 0);
    if (outcome.is_recorded)
        draw->closed = core->records[core->records_count - 1].closed; /* now with the extent */
    operation->status = outcome.status;
}

/* Gives the peer's new files their names. They cannot be published twice: whoever tries again after
 * a failure opens new ones. */
static enum status core_publish(struct ledger_core *core)
{
    struct errbuf err = {{0}};

    core->drawer = NULL;
    enum status status = core_status_of(store_publish_winners(core->config.store, &err));
    return core_note_store(core, status, &err) ? status : STATUS_STOPPED;
}

static enum status core_draw(struct ledger_core *core, const struct ledger_peer *peer,
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
    if (core->drawer != peer)
        return STATUS_STOPPED; /* the files were opened on another link */
    enum status status = core_publish(core);
    if (status != STATUS_OK || draw->phase == DRAW_DRAWN)
        return status;
    return core_decide(core, &record, NULL, 0).status;
}

void core_judge(struct ledger_core *core, struct operation *operation,
                const struct message *message)
{
    switch (operation->kind) {
    case MESSAGE_APPEND:
        core_append(core, operation, &message->append);
        break;
    case MESSAGE_ASK:
        operation->agency = message->agency;
        break;
    case MESSAGE_FINISH:
        core_finish(core, operation, &message->finish);
        break;
    case MESSAGE_CLOSE_DRAW:
        core_close_draw(core, operation);
        break;
    case MESSAGE_OPEN_WINNERS:
        operation->stored = message->count; /* opened when it is known that the draw is closed */
        break;
    case MESSAGE_WINNERS_LOST:
        if (core->config.draw->phase != DRAW_DRAWN)
            operation->status = STATUS_INVALID;
        break;
    default: /* MESSAGE_DRAW */
        operation->status = core_draw(core, operation->peer, message);
        break;
    }
    operation->received = draw_received(core->config.draw, operation->agency);
}
