/* The commit: the group becomes durable, and then each operation's outcome is sent, in the order in
 * which they came.
 *
 * Before that, what is stored now is said on the scoreboard: whoever looks there has seen a bet no
 * later than its agency.
 *
 * Failure modes: the store cannot write the group: its records are taken back, the last one first,
 * and all operations of the group get that status, also those that needed no record, since they may
 * have been decided by what is now taken back. A sync fails, or the folder is gone: the process
 * ends. A peer has closed meanwhile: its outcomes are dropped.
 */
#include "ledger_core_decide.h"
#include "ledger_core_news.h"
#include "ledger_core_peers.h"
#include "ledger_core_state.h"
#include "ledger_core_store.h"

bool ledger_core_has_work(const struct ledger_core *core)
{
    return !core->has_failed &&
           (core->operations_count > 0 || core->records_count > 0 || core->is_news_due);
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
        core_note_agency(core, operation);
    }
}

/* Opens files; returns how many. */
static size_t core_open_files(struct ledger_core *core, struct operation *operation, int *fds)
{
    struct errbuf err = {{0}};
    size_t count = operation->stored;
    enum draw_phase from = operation->files == STORE_RESULT ? DRAW_DRAWN : DRAW_CLOSED;

    operation->stored = 0;
    if (operation->status != STATUS_OK)
        return 0;
    if (core->config.draw->phase < from) {
        operation->status = STATUS_INVALID;
        return 0;
    }
    core->writers[operation->files] = NULL;
    operation->status =
        core_status_of(store_open_files(core->config.store, operation->files, fds, count, &err));
    if (!core_note_store(core, CORE_OPENS_FILES, operation->status, &err) ||
        operation->status != STATUS_OK)
        return 0;
    core->writers[operation->files] = operation->peer;
    return count;
}

/* Takes a snapshot of what is committed by now, also if the group was not: nothing of that is left.
 * Returns how many descriptors it needs. */
static size_t core_take_snapshot(struct ledger_core *core, struct operation *operation, int *fds)
{
    struct buffer bytes = {0};
    struct errbuf err = {{0}};

    operation->status = core_status_of(store_snapshot(core->config.store, &bytes, &err));
    if (operation->status == STATUS_OK) {
        fds[0] = core->config.events->make_file(core->config.owner, bytes.data, bytes.size);
        if (fds[0] < 0) {
            operation->status = STATUS_NOMEM;
            errbuf_set(&err, "a snapshot: %s", status_text(STATUS_NOMEM));
        }
    }
    buffer_fini(&bytes);
    (void)core_note_store(core, CORE_TAKES_SNAPSHOT, operation->status, &err);
    return operation->status == STATUS_OK ? 1 : 0;
}

/* Notes which files are right now. With those of the winners, what was made of them is to be looked
 * at, too. */
static void core_note_files(struct ledger_core *core, const struct operation *operation)
{
    bool is_lost = operation->kind == MESSAGE_FILES_LOST;

    if (operation->status != STATUS_OK || (!is_lost && !operation->are_files_right))
        return;
    core->are_right[operation->files] = !is_lost; /* lost: until the coordinator has looked */
    if (operation->files == STORE_WINNERS)
        core->are_right[STORE_RESULT] = false;
}

static void core_answer(struct ledger_core *core, struct operation *operation)
{
    struct ledger_peer *peer = operation->peer;
    int fds[MESSAGE_FDS];
    size_t count = 0;

    core_note_files(core, operation);
    /* Also if the operation has failed: what is stored of the agency is so in any case. */
    scoreboard_set_agency(core->config.scoreboard, operation->agency, operation->received,
                          operation->has_finished);
    if (peer->is_closed)
        return;
    if (operation->kind == MESSAGE_OPEN_FILES)
        count = core_open_files(core, operation, fds);
    else if (operation->kind == MESSAGE_SNAPSHOT)
        count = core_take_snapshot(core, operation, fds);
    if (core->has_failed)
        return;
    struct message message = {.kind = MESSAGE_OUTCOME};
    message.outcome = (struct message_outcome){.status = operation->status,
                                               .stored = operation->stored,
                                               .received = operation->received,
                                               .checksum = operation->checksum,
                                               .has_finished = operation->has_finished};
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

static void core_maintain(struct ledger_core *core, enum core_work work)
{
    struct errbuf err = {{0}};
    enum status status = store_maintain(core->config.store, work == CORE_MAINTAINS_IDLE, &err);

    (void)core_note_store(core, work, status, &err);
}

void ledger_core_commit(struct ledger_core *core)
{
    struct errbuf err = {{0}};
    bool had_winners = core_has_winners(core);
    bool has_written = core->records_count > 0;

    if (!ledger_core_has_work(core))
        return;
    if (has_written) {
        enum status status = core_status_of(store_commit(core->config.store, &err));
        scoreboard_committed(core->config.scoreboard, status, core->config.draw->bets);
        if (!core_note_store(core, CORE_COMMITS, status, &err))
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
    if (core_has_winners(core) && !had_winners && !core->knows_supervisor)
        core_tell(core, LEDGER_TELLS_DRAWN);
    core_send_news(core); /* that there are winners: their files were judged just now */
    if (has_written)
        core_maintain(core, CORE_MAINTAINS);
}

void ledger_core_idle(struct ledger_core *core)
{
    if (!core->has_failed && core->operations_count == 0 && core->records_count == 0)
        core_maintain(core, CORE_MAINTAINS_IDLE);
}
