#include "ledger_core_decide.h"

#include "crc32c.h"
#include "ledger_core_store.h"

#include <string.h>

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

/* Closes the open draw. */
static enum status core_close(struct ledger_core *core, enum draw_closed_by by, uint32_t uid)
{
    struct draw *draw = core->config.draw;
    struct draw_record record = {.type = DRAW_CLOSING, .closed = {.by = by, .uid = uid}};

    record.closed.time_s = core->config.events->now_s(core->config.owner);
    core->config.events->fill_random(core->config.owner, record.closed.salt, DRAW_SALT_SIZE);
    struct draw_outcome outcome = core_decide(core, &record, NULL, 0);
    if (outcome.is_recorded)
        draw->closed = core->records[core->records_count - 1].closed; /* now with the extent */
    return outcome.status;
}

bool ledger_core_has_deadline(const struct ledger_core *core)
{
    return core->config.draw->terms.close_at_s > 0 && core->config.draw->phase == DRAW_OPEN;
}

enum status core_close_if_due(struct ledger_core *core)
{
    const struct draw *draw = core->config.draw;

    if (!ledger_core_has_deadline(core) ||
        !draw_is_past_deadline(draw, core->config.events->now_s(core->config.owner)))
        return STATUS_OK;
    return core_close(core, DRAW_BY_DEADLINE, 0);
}

/* After a lost link a closing is handed in again; then it may be the one on record. */
static bool core_has_closing(const struct draw *draw, const struct message_close *close)
{
    return close->is_again != 0 && draw->closed.by == DRAW_BY_OPERATOR &&
           draw->closed.uid == close->uid;
}

static enum status core_close_draw(struct ledger_core *core, struct operation *operation,
                                   const struct message *message)
{
    const struct draw *draw = core->config.draw;
    bool is_by_operator = message->close.by == DRAW_BY_OPERATOR;

    (void)operation;
    /* Closed by whomever, it is closed; but an operator has to know whether it was him. */
    if (draw->phase >= DRAW_CLOSED)
        return !is_by_operator || core_has_closing(draw, &message->close) ? STATUS_OK
                                                                          : STATUS_CLOSED;
    if (is_by_operator)
        return core_close(core, DRAW_BY_OPERATOR, message->close.uid);
    return draw_is_due(draw) ? core_close(core, DRAW_BY_ALL_FINISHED, 0) : STATUS_INVALID;
}

/* The files are opened at the commit, when it is known that the draw is closed. */
static enum status core_ask_for_files(struct ledger_core *core, struct operation *operation,
                                      const struct message *message)
{
    (void)core;
    operation->files = (enum store_files)message->files.kind;
    operation->stored = message->files.count;
    return STATUS_OK;
}

/* Gives the peer's new files their names. They cannot be published twice: whoever tries again after
 * a failure opens new ones. */
static enum status core_publish(struct ledger_core *core, const struct operation *operation)
{
    struct errbuf err = {{0}};

    if (core->writers[operation->files] != operation->peer)
        return STATUS_STOPPED; /* the files were opened on another link */
    core->writers[operation->files] = NULL;
    enum status status =
        core_status_of(store_publish_files(core->config.store, operation->files, &err));
    return core_note_store(core, CORE_PUBLISHES_FILES, status, &err) ? status : STATUS_STOPPED;
}

/* Files of the kind were made, or were found to be right, for what is recorded (is_known), or else
 * for `record`, which is recorded now that they have their names. */
static enum status core_take_files(struct ledger_core *core, struct operation *operation,
                                   bool is_new, bool is_known, struct draw_record *record)
{
    enum status status = is_known ? STATUS_OK : STATUS_INVALID;

    if (is_new)
        status = core_publish(core, operation);
    if (is_new && status == STATUS_OK && !is_known)
        status = core_decide(core, record, NULL, 0).status;
    operation->are_files_right = status == STATUS_OK;
    return status;
}

static enum status core_seal(struct ledger_core *core, struct operation *operation,
                             const struct message *message)
{
    const struct draw *draw = core->config.draw;
    struct draw_record record = {.type = DRAW_SEALING, .sealed = {.time_s = message->seal.time_s}};

    memcpy(record.sealed.root, message->seal.root, DRAW_ROOT_SIZE);
    operation->files = STORE_SEAL;
    if (draw->phase < DRAW_CLOSED || !draw->terms.has_seal)
        return STATUS_INVALID;
    if (draw->is_sealed && memcmp(draw->sealed.root, record.sealed.root, DRAW_ROOT_SIZE) != 0)
        return STATUS_CLOSED;
    return core_take_files(core, operation, message->seal.is_new != 0, draw->is_sealed, &record);
}

static enum status core_draw(struct ledger_core *core, struct operation *operation,
                             const struct message *message)
{
    const struct draw *draw = core->config.draw;
    const struct message_pieces *pieces = &operation->peer->pieces;
    struct draw_record record = {.type = DRAW_DRAWING};

    message_to_drawn(message, &record.drawn);
    record.drawn.source = (struct text){(const char *)pieces->bytes, pieces->size};
    operation->files = STORE_WINNERS;
    if (draw->phase < DRAW_CLOSED)
        return STATUS_INVALID;
    if (draw->phase == DRAW_DRAWN && !draw_is_same_outcome(&draw->drawn, &record.drawn))
        return record.drawn.winner_number == draw->drawn.winner_number ||
                       draw->terms.mode == DRAW_MANUAL
                   ? STATUS_CLOSED
                   : STATUS_INVALID;
    if (draw->phase == DRAW_CLOSED && !draw_may_have(draw, &record.drawn))
        return STATUS_INVALID;
    return core_take_files(core, operation, message->draw.is_new != 0, draw->phase == DRAW_DRAWN,
                           &record);
}

static enum status core_result(struct ledger_core *core, struct operation *operation,
                               const struct message *message)
{
    const struct draw *draw = core->config.draw;
    bool has_result = draw->phase == DRAW_DRAWN && draw->terms.has_seal;

    operation->files = STORE_RESULT;
    return has_result ? core_take_files(core, operation, message->is_new != 0, true, NULL)
                      : STATUS_INVALID;
}

/* The news says so at the commit. */
static enum status core_lose_files(struct ledger_core *core, struct operation *operation,
                                   const struct message *message)
{
    const struct draw *draw = core->config.draw;

    operation->files = (enum store_files)message->files.kind;
    if (operation->files == STORE_SEAL)
        return draw->is_sealed ? STATUS_OK : STATUS_INVALID;
    return draw->phase == DRAW_DRAWN ? STATUS_OK : STATUS_INVALID;
}

static bool core_is_same_act(const struct draw_act *a, const struct draw_act *b)
{
    return a->time_s == b->time_s && a->uid == b->uid && a->text.size == b->text.size &&
           memcmp(a->text.data, b->text.data, a->text.size) == 0;
}

/* After a lost link acts are handed in again; then they may be on record, and others after them. */
static bool core_has_act(const struct draw *draw, const struct draw_act *act)
{
    for (size_t i = draw->acts_count; i > 0; i--) {
        if (core_is_same_act(draw->acts[i - 1], act))
            return true;
    }
    return false;
}

static enum status core_act(struct ledger_core *core, struct operation *operation,
                            const struct message *message)
{
    const struct message_pieces *pieces = &operation->peer->pieces;
    struct draw_record record = {.type = DRAW_ACT,
                                 .act = {.time_s = message->act.time_s,
                                         .uid = message->act.uid,
                                         .text = {(const char *)pieces->bytes, pieces->size}}};

    if (message->act.is_again != 0 && core_has_act(core->config.draw, &record.act))
        return STATUS_OK;
    if (message->act.is_minor != 0 && core->config.draw->acts_count >= LEDGER_MINOR_ACTS_MAX)
        return STATUS_NOSPACE;
    return core_decide(core, &record, NULL, 0).status;
}

/* It is taken at the commit. */
static enum status core_ask_for_snapshot(struct ledger_core *core, struct operation *operation,
                                         const struct message *message)
{
    (void)core;
    (void)operation;
    (void)message;
    return STATUS_OK;
}

void core_note_agency(const struct ledger_core *core, struct operation *operation)
{
    operation->received = draw_received(core->config.draw, operation->agency);
    operation->checksum = draw_checksum(core->config.draw, operation->agency);
    operation->has_finished = draw_has_finished(core->config.draw, operation->agency);
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
        [MESSAGE_OPEN_FILES] = core_ask_for_files,
        [MESSAGE_SEAL] = core_seal,
        [MESSAGE_DRAW] = core_draw,
        [MESSAGE_RESULT] = core_result,
        [MESSAGE_FILES_LOST] = core_lose_files,
        [MESSAGE_ACT] = core_act,
        [MESSAGE_SNAPSHOT] = core_ask_for_snapshot,
    };
    enum status status = core_close_if_due(core);

    operation->status =
        status == STATUS_OK ? judges[message->kind](core, operation, message) : status;
    operation->peer->pieces.size = 0;
    core_note_agency(core, operation);
}
