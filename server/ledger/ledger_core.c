/* The ledger's decisions, put together.
 *
 * Happy path: a message becomes a record, draw_apply() accepts it, and it joins the store's group
 * (ledger_core_decide); what becomes of it is remembered in `operations`. The commit makes the
 * records durable and sends the outcomes, and the news if they have changed (ledger_core_commit).
 *
 * Failure modes: a message breaks the rules: it leaves no trace, and the owner closes the peer. For
 * those of the store see ledger_core_commit.
 */
#include "ledger_core.h"

#include "assertion.h"
#include "ledger_core_decide.h"
#include "ledger_core_news.h"
#include "ledger_core_peers.h"
#include "ledger_core_settings.h"
#include "ledger_core_state.h"

#include <stdlib.h>

/* The closing time came while there was no ledger: closes before anybody can bet. */
static enum status core_close_late(struct ledger_core *core, struct errbuf *err)
{
    enum status status = core_close_if_due(core);

    if (status != STATUS_OK)
        errbuf_set(err, "%s", status_text(status));
    else if (core->records_count > 0)
        status = store_commit(core->config.store, err);
    core->records_count = 0;
    return status;
}

/* Says what is stored before the first client can ask. */
static void core_count_recovered(const struct ledger_core *core)
{
    const struct draw *draw = core->config.draw;

    for (uint32_t id = 1; id <= draw->agencies; id++)
        scoreboard_set_agency(core->config.scoreboard, id, draw->agency[id].received,
                              draw->agency[id].has_finished);
    scoreboard_recovered(core->config.scoreboard, draw->bets);
}

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
    /* One more: a closing that nobody has asked for. */
    core->records = malloc((core->operations_max + 1) * sizeof(*core->records));
    if (core->operations == NULL || core->records == NULL)
        goto err;
    status = core_check_settings(core, err);
    if (status != STATUS_OK) {
        ledger_core_destroy(core);
        return status;
    }
    status = core_close_late(core, err);
    if (status != STATUS_OK) {
        ledger_core_destroy(core);
        return status;
    }
    core_count_recovered(core);
    core->told = core_news(core);
    core_tell(core, LEDGER_TELLS_READY);
    *out = core;
    return STATUS_OK;
err:
    errbuf_set(err, "%s", status_text(status));
    ledger_core_destroy(core);
    return status;
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

void ledger_core_tick(struct ledger_core *core)
{
    /* A failure is tried again, at the latest at the next tick. */
    if (!core->has_failed && !ledger_core_is_full(core))
        (void)core_close_if_due(core);
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
    if (copy.kind == MESSAGE_PIECE)
        return message_pieces_add(&peer->pieces, &copy.piece);
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
