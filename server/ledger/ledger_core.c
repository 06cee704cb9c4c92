/* The ledger's decisions.
 *
 * Happy path: a message becomes a record, draw_apply() accepts it, and it joins the store's group;
 * what becomes of it is remembered in `operations`. The commit makes the records durable, and then
 * each operation's outcome is sent, in the order in which they came.
 *
 * Failure modes: the store cannot write the group: its records are taken back, the last one first,
 * and all operations of the group get that status, also those that needed no record, since they may
 * have been decided by what is now taken back. A sync fails, or the folder is gone: the process
 * ends. A peer closes with operations in the group: its outcomes are dropped.
 */
#include "ledger_core.h"

#include "assertion.h"
#include "list.h"
#include "log.h"

#include <inttypes.h>
#include <stdlib.h>

struct ledger_peer {
    void *context;            /* the owner's */
    const char *region;       /* borrowed; NULL: none */
    size_t region_size;       /* bytes */
    uint32_t in_group;        /* its operations in the group */
    bool is_closed;           /* waits for the commit */
    bool needs_news;          /* has not had any */
    struct list_node in_list; /* in the core's peers, or leaving */
};

/* An operation of the group, and what was decided about it. */
struct operation {
    struct ledger_peer *peer;
    uint32_t kind;      /* enum message_kind */
    uint32_t agency;    /* append, ask, finish */
    enum status status; /* until the commit has failed */
    uint32_t stored;    /* append: bets that it added; open_winners: files */
    uint64_t received;  /* of the agency */
};

struct ledger_core {
    struct ledger_core_config config;
    struct list peers;            /* open ones, by in_list */
    struct list leaving;          /* closed ones with operations in the group, by in_list */
    struct operation *operations; /* the group; owned */
    size_t operations_max;
    size_t operations_count;
    struct draw_record *records; /* of the group that were accepted; owned; as long as the above */
    size_t records_count;
    size_t bytes;               /* of the group's bets */
    struct ledger_news told;    /* the last news that everybody got */
    struct ledger_peer *drawer; /* the peer that got the last files for winners; NULL: none */
    bool is_news_due;           /* a peer has had none yet, or they may have changed */
    bool has_failed;            /* the process has to end */
    bool are_winners_right;     /* the files are those of the draw */
    bool knows_supervisor;      /* the supervisor knows that the draw was held */
    bool has_store_trouble;     /* the last write failed: logged once, not for each group */
};

static void core_fail(struct ledger_core *core, enum status status, const struct errbuf *err)
{
    core->has_failed = true;
    core->config.events->fail(
        core->config.owner, status == STATUS_GONE ? LEDGER_EXIT_GONE : LEDGER_EXIT_UNCERTAIN, err);
}

/* What an operation ends with when the store has returned `status`: one of those that ledger.h
 * names. Another one, such as NOTFOUND for a file that somebody has removed, is the operation's
 * failure alone; if the folder is gone, the store says so. */
static enum status core_status_of(enum status status)
{
    bool is_known = status == STATUS_OK || status == STATUS_NOSPACE || status == STATUS_NOMEM ||
                    status == STATUS_UNCERTAIN || status == STATUS_GONE;

    return is_known ? status : STATUS_IO;
}

/* Takes note of what the store returned. Returns false when the process has to end. */
static bool core_note_store(struct ledger_core *core, enum status status, const struct errbuf *err)
{
    if (status == STATUS_UNCERTAIN || status == STATUS_GONE) {
        core_fail(core, status, err);
        return false;
    }
    if (status == STATUS_OK) {
        core->has_store_trouble = false;
    } else if (!core->has_store_trouble) {
        core->has_store_trouble = true;
        LOG(ERROR, "store", FAIL, LOG_TEXT("reason", err->text));
    }
    return true;
}

/* ------------------------------------------------------------------ the beginning: the settings */

/* A record that is a group of its own. */
static enum status core_record_alone(struct ledger_core *core, struct draw_record *record,
                                     struct errbuf *err)
{
    struct draw_outcome outcome = draw_apply(core->config.draw, record);
    enum status status = outcome.status;

    if (status == STATUS_OK && outcome.is_recorded) {
        status = store_append(core->config.store, record, NULL, 0);
        if (status == STATUS_OK)
            return store_commit(core->config.store, err);
    }
    if (status != STATUS_OK)
        errbuf_set(err, "%s", status_text(status));
    return status;
}

static enum status core_refuse(struct errbuf *err, const char *name, uint32_t given,
                               uint32_t recorded)
{
    errbuf_set(err,
               "%s is %" PRIu32 ", but this draw was opened with %" PRIu32
               ": set it back, or choose another data directory",
               name, given, recorded);
    return STATUS_INVALID;
}

static enum status core_add_agencies(struct ledger_core *core, struct errbuf *err)
{
    uint32_t before = core->config.draw->agencies;
    struct draw_record record = {.type = DRAW_AGENCIES, .agencies = core->config.agencies};

    enum status status = core_record_alone(core, &record, err);
    if (status == STATUS_OK)
        LOG(INFO, "agencies", SUCCESS, LOG_UINT("agencies", core->config.agencies),
            LOG_UINT("before", before));
    return status;
}

static enum status core_check_settings(struct ledger_core *core, struct errbuf *err)
{
    const struct ledger_core_config *config = &core->config;
    const struct draw *draw = config->draw;

    if (draw->phase == DRAW_NEW) {
        struct draw_record record = {.type = DRAW_OPENED,
                                     .opened = {config->agencies, config->winner_number}};
        return core_record_alone(core, &record, err);
    }
    if (config->winner_number != draw->winner_number && draw->phase != DRAW_DRAWN)
        return core_refuse(err, "LOTTERY_WINNER_NUMBER", config->winner_number,
                           draw->winner_number);
    if (config->agencies > draw->agencies && draw->phase == DRAW_OPEN)
        return core_add_agencies(core, err);
    if (config->agencies != draw->agencies)
        return core_refuse(err, "LOTTERY_AGENCIES", config->agencies, draw->agencies);
    if (config->winner_number != draw->winner_number)
        LOG(WARNING, "config", SUCCESS,
            LOG_TEXT("reason", "LOTTERY_WINNER_NUMBER has changed since the draw was held"),
            LOG_UINT("setting", config->winner_number), LOG_UINT("drawn", draw->winner_number));
    return STATUS_OK;
}

/* ------------------------------------------------------------------ what is told */

static void core_tell(const struct ledger_core *core, enum ledger_tells_kind kind)
{
    const struct draw *draw = core->config.draw;
    struct ledger_tells tells = {.kind = kind, .phase = draw->phase};

    if (draw->phase == DRAW_DRAWN)
        tells.winners = draw->drawn.winners;
    core->config.events->tell(core->config.owner, &tells);
}

/* The news as the committed records make them. */
static struct ledger_news core_news(const struct ledger_core *core)
{
    const struct draw *draw = core->config.draw;
    struct ledger_news news = {.phase = draw->phase,
                               .agencies = draw->agencies,
                               .finished = draw->finished,
                               .winner_number = draw->winner_number};

    if (draw->phase >= DRAW_CLOSED)
        news.bets = draw->closed.bets;
    if (draw->phase == DRAW_DRAWN) {
        news.drawn = draw->drawn;
        news.has_winners = core->are_winners_right && core->knows_supervisor;
    }
    return news;
}

/* Sends the news to all when they have changed, otherwise to those who have had none. */
static void core_send_news(struct ledger_core *core)
{
    const struct ledger_news news = core_news(core);
    bool has_changed = news.phase != core->told.phase || news.agencies != core->told.agencies ||
                       news.finished != core->told.finished ||
                       news.has_winners != core->told.has_winners;
    struct message message;

    if (!has_changed && !core->is_news_due)
        return;
    core->told = news;
    core->is_news_due = false;
    message_from_news(&news, &message);
    LIST_FOR_EACH (node, &core->peers) {
        struct ledger_peer *peer = LIST_ITEM(node, struct ledger_peer, in_list);
        if (has_changed || peer->needs_news)
            core->config.events->send(core->config.owner, peer->context, &message, NULL, 0);
        peer->needs_news = false;
    }
}

void ledger_core_acknowledged(struct ledger_core *core)
{
    if (core->has_failed || core->config.draw->phase != DRAW_DRAWN)
        return;
    core->knows_supervisor = true;
    core->is_news_due = true; /* at the next commit: the state may have records of a group now */
}

/* ------------------------------------------------------------------ life of core and peers */

enum status ledger_core_create(const struct ledger_core_config *config, struct ledger_core **out,
                               struct errbuf *err)
{
    struct ledger_core *core = calloc(1, sizeof(*core));
    enum status status = STATUS_NOMEM;

    ASSERT(config->store != NULL && config->draw != NULL && config->events != NULL);
    if (core == NULL)
        goto err;
    core->config = *config;
    list_init(&core->peers);
    list_init(&core->leaving);
    core->operations_max =
        config->group_operations > 0 ? config->group_operations : LEDGER_GROUP_OPERATIONS;
    /* Large, but the system gives memory only for the part that is used. */
    core->operations = malloc(core->operations_max * sizeof(*core->operations));
    core->records = malloc(core->operations_max * sizeof(*core->records));
    if (core->operations == NULL || core->records == NULL)
        goto err;
    status = core_check_settings(core, err);
    if (status != STATUS_OK) {
        ledger_core_destroy(core);
        return status;
    }
    core->told = core_news(core);
    core_tell(core, LEDGER_TELLS_READY);
    *out = core;
    return STATUS_OK;
err:
    errbuf_set(err, "%s", status_text(status));
    ledger_core_destroy(core);
    return status;
}

static void core_release_all(const struct ledger_core *core, struct list *peers)
{
    struct list gone;

    list_move(&gone, peers);
    LIST_FOR_EACH (node, &gone) {
        struct ledger_peer *peer = LIST_ITEM(node, struct ledger_peer, in_list);
        core->config.events->release(core->config.owner, peer->context);
        free(peer);
    }
}

void ledger_core_destroy(struct ledger_core *core)
{
    if (core == NULL)
        return;
    core_release_all(core, &core->peers);
    core_release_all(core, &core->leaving);
    free(core->operations);
    free(core->records);
    free(core);
}

struct ledger_peer *ledger_core_open(struct ledger_core *core, void *context, const char *region,
                                     size_t region_size)
{
    struct ledger_peer *peer = calloc(1, sizeof(*peer));

    if (peer == NULL)
        return NULL;
    *peer = (struct ledger_peer){
        .context = context, .region = region, .region_size = region_size, .needs_news = true};
    list_append(&core->peers, &peer->in_list);
    core->is_news_due = true;
    return peer;
}

void ledger_core_close(struct ledger_core *core, struct ledger_peer *peer)
{
    if (core->drawer == peer)
        core->drawer = NULL;
    list_remove(&peer->in_list);
    if (peer->in_group > 0) {
        peer->is_closed = true;
        list_append(&core->leaving, &peer->in_list);
        return;
    }
    core->config.events->release(core->config.owner, peer->context);
    free(peer);
}

/* ------------------------------------------------------------------ decisions */

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

static void core_judge(struct ledger_core *core, struct operation *operation,
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

bool ledger_core_message(struct ledger_core *core, struct ledger_peer *peer,
                         const struct message *message)
{
    /* A copy: what was checked is what is used. */
    const struct message copy = *message;

    if (core->has_failed)
        return true;
    if (copy.kind == MESSAGE_HELLO || !message_is_request(&copy, peer->region_size))
        return false;
    if (ledger_core_is_full(core))
        ledger_core_commit(core);
    if (core->has_failed)
        return true;
    struct operation *operation = &core->operations[core->operations_count++];
    *operation = (struct operation){.peer = peer, .kind = copy.kind};
    peer->in_group++;
    core_judge(core, operation, &copy);
    if (operation->status != STATUS_DAMAGED)
        return true;
    core->operations_count--; /* the message is broken: it has no outcome */
    peer->in_group--;
    return false;
}

bool ledger_core_is_full(const struct ledger_core *core)
{
    return core->operations_count == core->operations_max || core->bytes >= LEDGER_GROUP_BYTES;
}

/* ------------------------------------------------------------------ the commit */

bool ledger_core_has_work(const struct ledger_core *core)
{
    return !core->has_failed && (core->operations_count > 0 || core->is_news_due);
}

/* Nothing of the group was stored. */
static void core_take_back(struct ledger_core *core, enum status status)
{
    while (core->records_count > 0)
        draw_undo(core->config.draw, &core->records[--core->records_count]);
    for (size_t i = 0; i < core->operations_count; i++) {
        struct operation *operation = &core->operations[i];
        operation->status = status;
        operation->stored = 0;
        operation->received = draw_received(core->config.draw, operation->agency);
    }
}

/* Opens files for winners; returns how many. */
static size_t core_open_winners(struct ledger_core *core, struct operation *operation, int *fds)
{
    struct errbuf err = {{0}};
    size_t count = operation->stored;

    operation->stored = 0;
    if (operation->status != STATUS_OK)
        return 0;
    if (core->config.draw->phase < DRAW_CLOSED) {
        operation->status = STATUS_INVALID;
        return 0;
    }
    core->drawer = NULL;
    operation->status = core_status_of(store_open_winners(core->config.store, fds, count, &err));
    if (!core_note_store(core, operation->status, &err) || operation->status != STATUS_OK)
        return 0;
    core->drawer = operation->peer;
    return count;
}

static void core_answer(struct ledger_core *core, struct operation *operation)
{
    struct ledger_peer *peer = operation->peer;
    int fds[MESSAGE_WINNER_FDS];
    size_t count = 0;

    if (operation->kind == MESSAGE_DRAW && operation->status == STATUS_OK)
        core->are_winners_right = true;
    if (operation->kind == MESSAGE_WINNERS_LOST && operation->status == STATUS_OK)
        core->are_winners_right = false; /* until the coordinator has looked */
    if (peer->is_closed)
        return;
    if (operation->kind == MESSAGE_OPEN_WINNERS)
        count = core_open_winners(core, operation, fds);
    if (core->has_failed)
        return;
    struct message message = {.kind = MESSAGE_OUTCOME};
    message.outcome = (struct message_outcome){
        .status = operation->status, .stored = operation->stored, .received = operation->received};
    core->config.events->send(core->config.owner, peer->context, &message, fds, count);
}

/* Sends the group's outcomes and empties it. */
static void core_answer_all(struct ledger_core *core)
{
    for (size_t i = 0; i < core->operations_count && !core->has_failed; i++) {
        core_answer(core, &core->operations[i]);
        core->operations[i].peer->in_group = 0;
    }
    core->operations_count = 0;
    core->records_count = 0;
    core->bytes = 0;
    core_release_all(core, &core->leaving);
}

void ledger_core_commit(struct ledger_core *core)
{
    struct errbuf err = {{0}};
    bool had_winners = core->are_winners_right;
    bool has_written = core->records_count > 0;

    if (!ledger_core_has_work(core))
        return;
    if (has_written) {
        enum status status = core_status_of(store_commit(core->config.store, &err));
        if (!core_note_store(core, status, &err))
            return;
        if (status != STATUS_OK)
            core_take_back(core, status);
    }
    /* Before the first outcome on a link, which else could be taken together with what an earlier
     * ledger told. */
    core_send_news(core);
    core_answer_all(core);
    if (core->has_failed)
        return;
    if (core->are_winners_right && !had_winners && !core->knows_supervisor)
        core_tell(core, LEDGER_TELLS_DRAWN);
    core_send_news(core); /* that there are winners: their files were judged just now */
    if (has_written)
        (void)core_note_store(core, store_maintain(core->config.store, false, &err), &err);
}

void ledger_core_idle(struct ledger_core *core)
{
    struct errbuf err = {{0}};

    if (!core->has_failed && core->operations_count == 0)
        (void)core_note_store(core, store_maintain(core->config.store, true, &err), &err);
}
