#include "ledger_core_news.h"

#include <string.h>

void core_tell(const struct ledger_core *core, enum ledger_tells_kind kind)
{
    const struct draw *draw = core->config.draw;
    struct ledger_tells tells = {.kind = kind, .phase = draw->phase};

    if (draw->phase == DRAW_DRAWN)
        tells.winners = draw->drawn.winners;
    core->config.events->tell(core->config.owner, &tells);
}

bool core_has_winners(const struct ledger_core *core)
{
    return core->are_right[STORE_WINNERS] &&
           (core->are_right[STORE_RESULT] || !core->config.draw->terms.has_seal);
}

/* Three lines of the news. */

static bool core_tells_winners(const struct ledger_core *core)
{
    return core->config.draw->phase == DRAW_DRAWN && core_has_winners(core) &&
           core->knows_supervisor;
}

static bool core_tells_seal(const struct ledger_core *core)
{
    return core->config.draw->is_sealed && core->are_right[STORE_SEAL];
}

static bool core_needs_result(const struct ledger_core *core)
{
    return core->config.draw->phase == DRAW_DRAWN && core->are_right[STORE_WINNERS] &&
           !core_has_winners(core);
}

struct ledger_news core_news(const struct ledger_core *core)
{
    const struct draw *draw = core->config.draw;
    struct ledger_news news = {.phase = draw->phase,
                               .agencies = draw->agencies,
                               .finished = draw->finished,
                               .winner_number = draw->winner_number,
                               .terms = draw->terms,
                               .is_sealed = draw->is_sealed,
                               .sealed = draw->sealed,
                               .has_winners = core_tells_winners(core),
                               .has_seal = core_tells_seal(core),
                               .needs_result = core_needs_result(core)};

    if (draw->phase >= DRAW_CLOSED) {
        news.bets = draw->closed.bets;
        news.closed = draw->closed;
        news.closed.extent = 0;
        memset(news.closed.salt, 0, sizeof(news.closed.salt)); /* nobody needs to know it */
    }
    if (draw->phase == DRAW_DRAWN)
        news.drawn = draw->drawn;
    return news;
}

/* Asked twice for each group, and rarely true: without making the news. */
static bool core_have_news_changed(const struct ledger_core *core)
{
    const struct draw *draw = core->config.draw;
    const struct ledger_news *told = &core->told;

    return draw->phase != told->phase || draw->agencies != told->agencies ||
           draw->finished != told->finished || draw->is_sealed != told->is_sealed ||
           core_tells_winners(core) != told->has_winners ||
           core_tells_seal(core) != told->has_seal || core_needs_result(core) != told->needs_result;
}

static void core_send(const struct ledger_core *core, const struct ledger_peer *peer,
                      const struct message *message)
{
    core->config.events->send(core->config.owner, peer->context, message, NULL, 0);
}

static void core_send_news_to(const struct ledger_core *core, const struct ledger_peer *peer,
                              const struct ledger_news *news)
{
    struct message_news_more more;
    struct message message;

    if (message_has_more(news)) {
        message_from_news_more(news, &more);
        for (size_t at = 0; at < sizeof(more);) {
            at += message_from_piece((const char *)&more + at, sizeof(more) - at, &message);
            core_send(core, peer, &message);
        }
    }
    message_from_news(news, &message);
    core_send(core, peer, &message);
}

void core_send_news(struct ledger_core *core)
{
    bool has_changed = core_have_news_changed(core);

    if (!has_changed && !core->is_news_due)
        return;
    core->told = core_news(core);
    core->is_news_due = false;
    LIST_FOR_EACH (node, &core->peers) {
        struct ledger_peer *peer = LIST_ITEM(node, struct ledger_peer, in_list);
        if (has_changed || peer->needs_news)
            core_send_news_to(core, peer, &core->told);
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
